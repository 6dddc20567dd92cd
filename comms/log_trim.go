package comms

import (
	"context"
	"time"

	"github.com/google/uuid"

	"switchboard/ent/account"
	"switchboard/ent/event"
	"switchboard/internal/clock"
)

// readingTime is how much later than the retention says events are removed: whoever resumes from a cursor that was good has that long to read
// what was missed, and other processes to notice what is new.
const readingTime = 10 * time.Minute

// trimLog removes events older than the retention. Up to where each account's log was trimmed is noted with it, so that a cursor
// from before is told that it missed something. The newest event of all stays: ids must never be given twice.
func (s *Service) trimLog(ctx context.Context, now clock.Micros) error {
	return s.inBatches(ctx, "trim the log", func(ctx context.Context, c *change) (int, error) {
		return trimSome(ctx, c, now.Add(-s.limits.Retention-readingTime))
	})
}

// trimSome removes the oldest events, as long as they are old: it stops at the first that is not, so that what remains of an account
// has no gap.
func trimSome(ctx context.Context, c *change, before clock.Micros) (removed int, err error) {
	rows, err := c.tx.Event.Query().Order(event.ByID()).Limit(sweepBatch+1).
		Select(event.FieldID, event.FieldAccountID, event.FieldCreatedAt).All(ctx)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	trimmedTo, old := map[uuid.UUID]int64{}, make([]int64, 0, len(rows))
	for _, r := range rows[:len(rows)-1] { // one stays
		if r.CreatedAt >= before {
			break
		}
		trimmedTo[r.AccountID] = r.ID
		old = append(old, r.ID)
	}
	if len(old) == 0 {
		return 0, nil
	}
	for id, to := range trimmedTo {
		if _, err := c.tx.Account.Update().Where(account.ID(id)).SetTrimmedTo(to).Save(ctx); err != nil {
			return 0, err
		}
	}
	// By their ids: an event with a lower one may have been committed since they were read.
	return c.tx.Event.Delete().Where(event.IDIn(old...)).Exec(ctx)
}
