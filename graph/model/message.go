package model

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// Status is how far a message got.
type Status uint8

// The statuses.
const (
	Stored Status = iota + 1
	Delivered
)

// Source is what messages ask for that they don't carry.
type Source interface {
	NumbersByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Number, error)
	FileOf(ctx context.Context, m *comms.Message) *File
}

// Message is a message as one account sees it.
type Message struct {
	*comms.Message
	list *list
}

// list is what the messages of one list share: their numbers are read together, by the first that is asked for its own.
type list struct {
	source  Source
	viewer  uuid.UUID
	items   []*comms.Message
	once    sync.Once
	numbers map[uuid.UUID]*Number
	err     error
}

// File is where a message's data can be fetched.
type File struct {
	Name         *string
	Length       int
	URL          string
	URLExpiresAt clock.Micros
}

// NewMessages shows messages to an account. known are numbers that needn't be read again.
func NewMessages(source Source, viewer uuid.UUID, messages []*comms.Message, known ...*Number) []*Message {
	l := &list{source: source, viewer: viewer, items: messages}
	for _, n := range known {
		if l.numbers == nil {
			l.numbers = make(map[uuid.UUID]*Number, len(known))
		}
		l.numbers[n.ID] = n
	}
	slab := make([]Message, len(messages))
	out := make([]*Message, len(messages))
	for i, m := range messages {
		slab[i] = Message{m, l}
		out[i] = &slab[i]
	}
	return out
}

// Direction is RECEIVED where the viewer both sent and received it.
func (m *Message) Direction() comms.Direction {
	if m.ToAccount == m.list.viewer {
		return comms.Received
	}
	return comms.SentOut
}

// Status tells whether the receiver has fetched it.
func (m *Message) Status() Status {
	if m.DeliveredAt != nil {
		return Delivered
	}
	return Stored
}

// Length is the size of its data.
func (m *Message) Length() int { return int(m.Message.Length) }

// Text is the text where it is short enough to be shown in lists: the message's own, for a copy would cost each element an allocation.
func (m *Message) Text() *string {
	if _, ok := comms.InlineText(m.Message); !ok {
		return nil
	}
	return &m.Message.Text
}

// File is where its data can be fetched; nil where there is none.
func (m *Message) File(ctx context.Context) *File {
	return m.list.source.FileOf(ctx, m.Message)
}

// Number is the viewer's own number that sent or received it; nil once that is deleted.
func (m *Message) Number(ctx context.Context) (*Number, error) {
	m.list.once.Do(func() { m.list.read(ctx) })
	if m.list.err != nil {
		return nil, m.list.err
	}
	return m.list.numbers[m.list.own(m.Message)], nil
}

// own is the id of the viewer's number in a message.
func (l *list) own(m *comms.Message) uuid.UUID {
	if m.ToAccount == l.viewer {
		return m.ToNumberID
	}
	return m.FromNumberID
}

// read gets the numbers of the whole list in one statement, or in none where all are known.
func (l *list) read(ctx context.Context) {
	var ids []uuid.UUID
	seen := make(map[uuid.UUID]bool, 4)
	for _, m := range l.items {
		id := l.own(m)
		if l.numbers[id] == nil && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	found, err := l.source.NumbersByID(ctx, ids)
	if err != nil {
		l.err = err
		return
	}
	for id, n := range l.numbers {
		found[id] = n
	}
	l.numbers = found
}
