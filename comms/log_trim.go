package comms

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/ent/account"
	"switchboard/ent/event"
	"switchboard/internal/clock"
)

// trimBatch is how many events one change removes: other changes get their turn in between.
const trimBatch = 1000

// trimLock is the lock under which the log is trimmed, so that nodes on one database don't do it at once.
var trimLock = uuid.NewSHA1(uuid.Nil, []byte("trim the log"))

// trimLog removes events older than the retention. Up to where each account's log was trimmed is noted with it, so that a cursor
// from before is told that it missed something. The newest event of all stays: ids must never be given twice.
func (s *Service) trimLog(ctx context.Context, now clock.Micros) error {
	for {
		removed := 0
		err := s.change(ctx, func(ctx context.Context, c *change) (err error) {
			if err := s.store.Lock(ctx, c.tx, trimLock); err != nil {
				return err
			}
			removed, err = s.trimSome(ctx, c, now.Add(-s.limits.Retention))
			return err
		})
		if err != nil {
			return fmt.Errorf("trim the log: %w", err)
		}
		if removed < trimBatch {
			return nil
		}
	}
}

// trimSome removes the oldest events, as long as they are old: it stops at the first that is not, so that what remains of an account
// has no gap.
func (s *Service) trimSome(ctx context.Context, c *change, before clock.Micros) (removed int, err error) {
	rows, err := c.tx.Event.Query().Order(event.ByID()).Limit(trimBatch+1).
		Select(event.FieldID, event.FieldAccountID, event.FieldCreatedAt).All(ctx)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	rows = rows[:len(rows)-1] // one stays
	trimmedTo, last := map[uuid.UUID]int64{}, int64(0)
	for _, r := range rows {
		if r.CreatedAt >= before {
			break
		}
		trimmedTo[r.AccountID], last = r.ID, r.ID
		removed++
	}
	if removed == 0 {
		return 0, nil
	}
	for id, to := range trimmedTo {
		if _, err := c.tx.Account.Update().Where(account.ID(id)).SetTrimmedTo(to).Save(ctx); err != nil {
			return 0, err
		}
	}
	_, err = c.tx.Event.Delete().Where(event.IDLTE(last)).Exec(ctx)
	return removed, err
}
