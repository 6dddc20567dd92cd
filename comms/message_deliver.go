package comms

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/message"
	"switchboard/ent/number"
	"switchboard/internal/clock"
)

const (
	takeUnread = 2000           // unread messages handed out at once; the others stay unread for the next time
	takePast   = 10000          // messages handed out at once where the past is asked for
	pastReach  = 24 * time.Hour // how far back the past can be asked for (messaging API, `after`)
)

// TakeMessages asks for what some numbers have received.
type TakeMessages struct {
	Numbers []uuid.UUID
	After   *int64 // Unix seconds: all since then, read or not; at the earliest a day ago. Nil: what is unread
}

// TakeMessages hands out received messages, oldest first, and marks them delivered. Each unread message is handed out once, however many
// ask at a time. Who names a number's id may take its messages: the id is its credential.
func (s *Service) TakeMessages(ctx context.Context, in TakeMessages) ([]*Message, error) {
	if len(in.Numbers) == 0 || len(in.Numbers) > s.limits.Receivers {
		return nil, invalid("uuid", "1 to %d numbers", s.limits.Receivers)
	}
	b, err := s.inboxOf(ctx, slices.Compact(slices.SortedFunc(slices.Values(in.Numbers), compareUUID)))
	if err != nil {
		return nil, err
	}
	if in.After != nil {
		return s.takeSince(ctx, b, *in.After)
	}
	any, err := b.unread(s.store.Read()).Exist(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for messages: %w", err)
	}
	if any {
		return s.takeUnread(ctx, b)
	}
	if b.readTo >= idAt(clock.Now().Add(-markAge)) {
		return nil, nil
	}
	for _, account := range b.accounts {
		newest, err := newestReceived(ctx, s.store.Read(), account)
		if err != nil {
			return nil, err
		}
		if newest > b.readTo {
			return s.takeUnread(ctx, b)
		}
	}
	return nil, nil
}

// inbox is what some numbers received.
type inbox struct {
	numbers, accounts []uuid.UUID // the accounts are the numbers' owners, each once
	readTo            int64       // the oldest of the numbers' marks
}

// Each number has a mark: no message to it up to that id is unread. What is unread is found behind it among what the account received, in the
// index that lists have anyway; one of unread messages would cost each send a page and each delivery another. The mark only says where to
// begin: whether a message was delivered stands in the message.
//
// That no message comes to lie behind the mark: whoever sends draws an id above the receivers' marks (post). On SQLite changes follow each other,
// and that is all. On PostgreSQL a send that has drawn its id may be committed after the mark was moved, so there the mark stays markSlack behind
// the clock; a transaction that does nothing for half that time is ended by the server (internal/db/postgres.go).
const (
	markSlack = 2 * time.Minute
	// markAge is how far a mark may fall behind what other numbers of the account receive, until a get that finds nothing moves it.
	markAge = 10 * time.Minute
)

func (s *Service) inboxOf(ctx context.Context, numbers []uuid.UUID) (*inbox, error) {
	rows, err := s.store.Read().Number.Query().Where(number.IDIn(numbers...)).Select(number.FieldAccountID, number.FieldReadTo).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the numbers: %w", err)
	}
	if len(rows) != len(numbers) {
		return nil, notFound("uuid", "there is no such number")
	}
	b := &inbox{numbers: numbers, accounts: make([]uuid.UUID, len(rows)), readTo: rows[0].ReadTo}
	for i, r := range rows {
		b.accounts[i] = r.AccountID
		b.readTo = min(b.readTo, r.ReadTo)
	}
	b.accounts = slices.Compact(slices.SortedFunc(slices.Values(b.accounts), compareUUID))
	return b, nil
}

func (b *inbox) unread(db *ent.Client) *ent.MessageQuery {
	return db.Message.Query().Where(message.ToAccountIn(b.accounts...), message.IDGT(b.readTo), message.ToNumberIDIn(b.numbers...),
		message.DeliveredAtIsNil()).Order(message.ByID()).Limit(takeUnread)
}

// newestReceived is the id of the last message that an account received; 0: there is none.
func newestReceived(ctx context.Context, db *ent.Client, account uuid.UUID) (int64, error) {
	ids, err := db.Message.Query().Where(message.ToAccount(account)).Order(message.ByID(desc)).Limit(1).IDs(ctx)
	if err != nil {
		return 0, fmt.Errorf("find the newest message: %w", err)
	}
	return append(ids, 0)[0], nil
}

// takeUnread hands out what is unread, and moves the marks.
func (s *Service) takeUnread(ctx context.Context, b *inbox) (found []*Message, err error) {
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		if err := s.store.Lock(ctx, c.tx, b.numbers...); err != nil {
			return err
		}
		newest := make([]int64, len(b.accounts)) // before what is unread is read: nothing that comes in between is passed over
		for i, account := range b.accounts {
			if newest[i], err = newestReceived(ctx, c.tx, account); err != nil {
				return err
			}
		}
		if found, err = b.unread(c.tx).All(ctx); err != nil {
			return fmt.Errorf("read messages: %w", err)
		}
		if len(found) == takeUnread {
			for i := range newest {
				newest[i] = min(newest[i], found[takeUnread-1].ID)
			}
		}
		if err := s.deliver(ctx, c, found); err != nil {
			return err
		}
		return s.moveMarks(ctx, c, b, newest)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// moveMarks moves the marks of each account's numbers. It writes their rows, so it locks the accounts first (lockAccount), and those that the
// change tells with them.
func (s *Service) moveMarks(ctx context.Context, c *change, b *inbox, to []int64) error {
	if !s.store.Ordered() {
		accounts := slices.Clone(b.accounts)
		for _, e := range c.events {
			accounts = append(accounts, e.AccountID)
		}
		if err := s.store.Lock(ctx, c.tx, accounts...); err != nil {
			return err
		}
	}
	for i, account := range b.accounts {
		mark := to[i]
		if !s.store.Ordered() {
			mark = min(mark, idAt(c.now.Add(-markSlack)))
		}
		err := c.tx.Number.Update().Where(number.IDIn(b.numbers...), number.AccountID(account), number.ReadToLT(mark)).SetReadTo(mark).Exec(ctx)
		if err != nil {
			return fmt.Errorf("move the marks: %w", err)
		}
	}
	return nil
}

// takeSince hands out what came since then, read or not; what was unread of it is delivered now.
func (s *Service) takeSince(ctx context.Context, b *inbox, after int64) ([]*Message, error) {
	since := clock.Now().Add(-pastReach)
	if after > since.Unix() {
		since = clock.Micros(min(after, clock.Now().Unix()+1) * 1e6)
	}
	// The ids carry the time, so the index on (to_account, id) finds the first of them.
	query := func(db *ent.Client) *ent.MessageQuery {
		return db.Message.Query().Where(message.ToAccountIn(b.accounts...), message.IDGTE(idAt(since)), message.CreatedAtGTE(since),
			message.ToNumberIDIn(b.numbers...)).Order(message.ByID()).Limit(takePast)
	}
	found, err := query(s.store.Read()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	if len(unread(found)) == 0 {
		return found, nil
	}
	return s.handOut(ctx, b.numbers, query)
}

// MarkDelivered marks messages that the caller received as delivered and answers them in the order asked.
func (s *Service) MarkDelivered(ctx context.Context, ids []int64) ([]*Message, error) {
	a, err := demand(ctx, ReadMessages)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(ids) > s.limits.PageSize {
		return nil, invalid("messageIds", "1 to %d messages", s.limits.PageSize)
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(ids)))
	query := func(db *ent.Client) *ent.MessageQuery {
		return db.Message.Query().Where(message.IDIn(distinct...), message.ToAccount(a.AccountID)).Order(message.ByID())
	}
	found, err := query(s.store.Read()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	if len(found) != len(distinct) {
		return nil, notFound("messageIds", "there is no such received message")
	}
	if left := unread(found); len(left) > 0 {
		numbers := make([]uuid.UUID, len(left))
		for i, m := range left {
			numbers[i] = m.ToNumberID
		}
		if found, err = s.handOut(ctx, numbers, query); err != nil {
			return nil, err
		}
	}
	out := make([]*Message, len(ids))
	for i, id := range ids {
		at, _ := slices.BinarySearchFunc(found, id, func(m *Message, id int64) int { return cmp.Compare(m.ID, id) })
		out[i] = found[at]
	}
	return out, nil
}

func unread(messages []*Message) []*Message {
	return slices.DeleteFunc(slices.Clone(messages), func(m *Message) bool { return m.DeliveredAt != nil })
}

// handOut answers what the query finds and marks what is unread of it as delivered. The numbers are those that received it: under their lock
// of two that hand out at once the second finds what the first left. It is taken before any other, and the accounts' after it (outbox.go).
func (s *Service) handOut(ctx context.Context, numbers []uuid.UUID, query func(*ent.Client) *ent.MessageQuery) (found []*Message, err error) {
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		if err := s.store.Lock(ctx, c.tx, numbers...); err != nil {
			return err
		}
		if found, err = query(c.tx).All(ctx); err != nil {
			return fmt.Errorf("read messages: %w", err)
		}
		return s.deliver(ctx, c, unread(found))
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// deliver marks unread messages as delivered and tells both sides. The caller holds a lock under which nobody else does.
func (s *Service) deliver(ctx context.Context, c *change, unread []*Message) error {
	for chunk := range slices.Chunk(unread, rowsAtOnce) {
		ids := make([]int64, len(chunk))
		for i, m := range chunk {
			ids[i] = m.ID
			m.DeliveredAt = &c.now
			c.tell(messageEvent(MessageDelivered, m, m.ToAccount))
			if m.FromAccount != m.ToAccount && m.FromAccount != uuid.Nil { // nobody sent the notice of a missed call
				c.tell(messageEvent(MessageDelivered, m, m.FromAccount))
			}
		}
		if err := c.tx.Message.Update().Where(message.IDIn(ids...)).SetDeliveredAt(c.now).Exec(ctx); err != nil {
			return fmt.Errorf("mark delivered: %w", err)
		}
	}
	return nil
}
