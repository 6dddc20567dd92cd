package comms

import (
	"context"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/message"
	"switchboard/ent/number"
	"switchboard/ent/predicate"
	"switchboard/internal/clock"
)

// Direction is which way a message went, seen from an account.
type Direction uint8

// The directions.
const (
	AnyDirection Direction = iota
	Received
	SentOut
)

// MessageFilter says which messages to list. All that is set must hold.
type MessageFilter struct {
	NumberIDs []uuid.UUID // of the account's own numbers
	Direction Direction
	Peer      string // the number on the other side
	Kind      message.Kind
	Delivered *bool
	Since     clock.Micros // at or after
	Until     clock.Micros // before
}

// Messages is a page of what the caller's account sent and received, newest first.
func (s *Service) Messages(ctx context.Context, f MessageFilter, p Page) (*PageOf[*Message], error) {
	q, err := s.messageSearch(ctx, f)
	if err != nil {
		return nil, err
	}
	return pageOf(ctx, s, p, list[*Message]{name: 'm', columns: []string{message.FieldID}, newest: true,
		place: func(m *Message) place { return place{n: m.ID} },
		read: func(ctx context.Context, w window) ([]*Message, error) {
			return s.readMessages(ctx, q.account, q, w)
		}})
}

// CountMessages is how many messages the filter finds.
func (s *Service) CountMessages(ctx context.Context, f MessageFilter) (int, error) {
	q, err := s.messageSearch(ctx, f)
	if err != nil {
		return 0, err
	}
	var either []predicate.Message
	for _, side := range q.sides {
		either = append(either, message.And(side.where...))
	}
	return s.store.Read().Message.Query().Where(message.Or(either...)).Count(ctx)
}

// Message is one that the caller's account sent or received.
func (s *Service) Message(ctx context.Context, id int64) (*Message, error) {
	a, err := demand(ctx, ReadMessages)
	if err != nil {
		return nil, err
	}
	m, err := s.store.Read().Message.Query().Where(message.ID(id),
		message.Or(message.ToAccount(a.AccountID), message.FromAccount(a.AccountID))).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, notFound("id", "there is no such message")
	}
	return m, err
}

// messageSearch is a filter made ready: the conditions for each side of the account that it looks at.
type messageSearch struct {
	account uuid.UUID
	sides   []messageSide
}

type messageSide struct {
	received bool
	where    []predicate.Message
}

func (s *Service) messageSearch(ctx context.Context, f MessageFilter) (*messageSearch, error) {
	a, err := demand(ctx, ReadMessages)
	if err != nil {
		return nil, err
	}
	if err := s.ownNumbers(ctx, a.AccountID, "numberIds", f.NumberIDs); err != nil {
		return nil, err
	}
	if f.Peer != "" {
		if f.Peer, err = canonical("peer", f.Peer); err != nil {
			return nil, err
		}
	}
	q := &messageSearch{account: a.AccountID}
	if f.Direction != SentOut {
		q.sides = append(q.sides, messageSide{true, append(f.received(a.AccountID), f.common()...)})
	}
	if f.Direction != Received {
		q.sides = append(q.sides, messageSide{false, append(f.sent(a.AccountID), f.common()...)})
	}
	return q, nil
}

func (f *MessageFilter) common() []predicate.Message {
	var out []predicate.Message
	if f.Kind != "" {
		out = append(out, message.KindEQ(f.Kind))
	}
	if f.Delivered != nil && *f.Delivered {
		out = append(out, message.DeliveredAtNotNil())
	} else if f.Delivered != nil {
		out = append(out, message.DeliveredAtIsNil())
	}
	// The id carries the time in milliseconds: its index finds the place, the exact time decides at the border.
	if f.Since != 0 {
		out = append(out, message.IDGTE(idAt(f.Since)), message.CreatedAtGTE(f.Since))
	}
	if f.Until != 0 {
		out = append(out, message.CreatedAtLT(f.Until))
		if atOnce := idAt(f.Until.Add(idSlack)); atOnce > 0 {
			out = append(out, message.IDLT(atOnce))
		}
	}
	return out
}

func (f *MessageFilter) received(account uuid.UUID) []predicate.Message {
	out := []predicate.Message{message.ToAccount(account)}
	if len(f.NumberIDs) > 0 {
		out = append(out, message.ToNumberIDIn(f.NumberIDs...))
	}
	if f.Peer != "" {
		out = append(out, message.FromNumber(f.Peer))
	}
	return out
}

func (f *MessageFilter) sent(account uuid.UUID) []predicate.Message {
	out := []predicate.Message{message.FromAccount(account)}
	if len(f.NumberIDs) > 0 {
		out = append(out, message.FromNumberIDIn(f.NumberIDs...))
	}
	if f.Peer != "" {
		out = append(out, message.ToNumber(f.Peer))
	}
	return out
}

// messagesInOrder reads messages by their ids, in that order; what is gone is left out.
func (s *Service) messagesInOrder(ctx context.Context, ids []int64) ([]*Message, error) {
	out := make([]*Message, 0, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), rowsAtOnce)
		rows, err := s.store.Read().Message.Query().Where(message.IDIn(ids[:n]...)).Order(message.ByID()).All(ctx)
		if err != nil {
			return nil, err
		}
		out, ids = append(out, rows...), ids[n:] // ids of one send rise
	}
	return out, nil
}

// numberOf is the number with that id, whoever owns it.
func (s *Service) numberOf(ctx context.Context, field string, id uuid.UUID) (*Number, error) {
	n, err := s.store.Read().Number.Query().Where(number.ID(id)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, notFound(field, "there is no such number")
	}
	return n, err
}
