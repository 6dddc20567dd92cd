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
	ids := slices.Compact(slices.SortedFunc(slices.Values(in.Numbers), compareUUID))
	accounts, err := s.accountsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	if in.After != nil {
		return s.takeSince(ctx, ids, accounts, *in.After)
	}
	unread := func(db *ent.Client) *ent.MessageQuery {
		return db.Message.Query().Where(message.ToNumberIDIn(ids...), message.DeliveredAtIsNil()).Order(message.ByID()).Limit(takeUnread)
	}
	if any, err := unread(s.store.Read()).Exist(ctx); err != nil || !any {
		return nil, err
	}
	return s.handOut(ctx, ids, unread)
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
	if len(unread(found)) == 0 {
		return found, nil
	}
	return s.handOut(ctx, numbers, query)
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
			if m.FromAccount != m.ToAccount {
				c.tell(messageEvent(MessageDelivered, m, m.FromAccount))
			}
		}
		if err := c.tx.Message.Update().Where(message.IDIn(ids...)).SetDeliveredAt(c.now).Exec(ctx); err != nil {
			return fmt.Errorf("mark delivered: %w", err)
		}
	}
	return nil
}
