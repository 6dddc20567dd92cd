package comms

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/message"
	"switchboard/ent/number"
	"switchboard/ent/predicate"
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
	ids := slices.Compact(slices.SortedFunc(slices.Values(in.Numbers), compareUUID))
	accounts, err := s.accountsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	if in.After != nil {
		return s.takeSince(ctx, ids, accounts, *in.After)
	}
	unread := []predicate.Message{message.ToNumberIDIn(ids...), message.DeliveredAtIsNil()}
	if any, err := s.store.Read().Message.Query().Where(unread...).Exist(ctx); err != nil || !any {
		return nil, err
	}
	var taken []*Message
	err = s.change(ctx, func(ctx context.Context, c *change) (err error) {
		if err := s.store.Lock(ctx, c.tx, ids...); err != nil { // two that take at once: the second finds what the first left
			return err
		}
		taken, err = c.tx.Message.Query().Where(unread...).Order(message.ByID()).Limit(takeUnread).All(ctx)
		if err != nil {
			return err
		}
		return s.deliver(ctx, c, taken)
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

func (s *Service) accountsOf(ctx context.Context, numbers []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := s.store.Read().Number.Query().Where(number.IDIn(numbers...)).Select(number.FieldAccountID).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the numbers: %w", err)
	}
	if len(rows) != len(numbers) {
		return nil, notFound("uuid", "there is no such number")
	}
	accounts := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		accounts[i] = r.AccountID
	}
	return slices.Compact(slices.SortedFunc(slices.Values(accounts), compareUUID)), nil
}

// takeSince hands out what came since then, read or not; what was unread of it is delivered now.
func (s *Service) takeSince(ctx context.Context, numbers, accounts []uuid.UUID, after int64) ([]*Message, error) {
	since := clock.Now().Add(-pastReach)
	if after > since.Unix() {
		since = clock.Micros(min(after, clock.Now().Unix()+1) * 1e6)
	}
	// The ids carry the time, so the index on (to_account, id) finds the first of them.
	query := func(db *ent.Client) *ent.MessageQuery {
		return db.Message.Query().Where(message.ToAccountIn(accounts...), message.IDGTE(idAt(since)), message.CreatedAtGTE(since),
			message.ToNumberIDIn(numbers...)).Order(message.ByID()).Limit(takePast)
	}
	found, err := query(s.store.Read()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	if !slices.ContainsFunc(found, func(m *Message) bool { return m.DeliveredAt == nil }) {
		return found, nil
	}
	err = s.change(ctx, func(ctx context.Context, c *change) (err error) {
		if err := s.store.Lock(ctx, c.tx, numbers...); err != nil {
			return err
		}
		if found, err = query(c.tx).All(ctx); err != nil {
			return err
		}
		return s.deliver(ctx, c, slices.DeleteFunc(slices.Clone(found), func(m *Message) bool { return m.DeliveredAt != nil }))
	})
	return found, err
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
	byID := map[int64]*Message{}
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		if err := s.store.Lock(ctx, c.tx, a.AccountID); err != nil {
			return err
		}
		rows, err := c.tx.Message.Query().Where(message.IDIn(distinct...), message.ToAccount(a.AccountID)).Order(message.ByID()).All(ctx)
		if err != nil {
			return err
		}
		if len(rows) != len(distinct) {
			return notFound("messageIds", "there is no such received message")
		}
		clear(byID)
		for _, m := range rows {
			byID[m.ID] = m
		}
		return s.deliver(ctx, c, slices.DeleteFunc(rows, func(m *Message) bool { return m.DeliveredAt != nil }))
	})
	if err != nil {
		return nil, err
	}
	out := make([]*Message, len(ids))
	for i, id := range ids {
		out[i] = byID[id]
	}
	return out, nil
}

// deliver marks unread messages, sorted by id, as delivered and tells both sides. Those that somebody else marked in between are left out of
// what is told; the callers hold a lock under which there are none.
func (s *Service) deliver(ctx context.Context, c *change, unread []*Message) error {
	for chunk := range slices.Chunk(unread, rowsAtOnce) {
		ids := make([]int64, len(chunk))
		for i, m := range chunk {
			ids[i] = m.ID
			m.DeliveredAt = &c.now
			c.tell(messageEvent(MessageDelivered, m, m.ToAccount))
			if m.FromAccount != m.ToAccount {
				c.tell(messageEvent(MessageDelivered, m, m.FromAccount))
			}
		}
		n, err := c.tx.Message.Update().Where(message.IDIn(ids...), message.DeliveredAtIsNil()).SetDeliveredAt(c.now).Save(ctx)
		if err != nil {
			return fmt.Errorf("mark delivered: %w", err)
		}
		if n != len(ids) {
			return &Error{Code: Unavailable, Text: "the messages are being delivered to somebody else, try again"}
		}
	}
	return nil
}
