package call

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/mask"
	"switchboard/internal/clock"
)

const (
	// defaultRest is how long a freed number rests (chosen).
	defaultRest = 10 * time.Minute
	// maskLook is how long an expiry that another process stored can stay unnoticed here. Nothing is put through meanwhile: see holds.
	maskLook = 5 * time.Second
	// maskKeep is how long the row of a mask that has ended is kept, so that what a call went through can still be looked up (chosen).
	maskKeep = 90 * 24 * time.Hour
	// maskBatch is how many masks one change ends or forgets: as many as InBatches takes for a full batch.
	maskBatch = 1000
)

// maskClock wakes the sweep when a mask is made whose end may be the next.
type maskClock struct {
	rest time.Duration
	wake chan struct{}
}

func newMaskClock(rest time.Duration) maskClock {
	return maskClock{rest: max(0, cmp.Or(rest, defaultRest)), wake: make(chan struct{}, 1)}
}

func (m maskClock) changed() {
	select {
	case m.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// tendMasks ends masks when their time has come, until ctx ends.
func (s *Service) tendMasks(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.masks.wake:
		}
		next, err := s.endMasksInTime(ctx)
		if err != nil && ctx.Err() == nil {
			s.in.Log().Error("end masks", "error", err)
		}
		timer.Reset(next)
	}
}

// endMasksInTime ends what has expired and tells how long to wait for the next.
func (s *Service) endMasksInTime(ctx context.Context) (next time.Duration, err error) {
	for {
		due, err := s.in.Read().Mask.Query().Where(mask.EndedAtIsNil(), mask.ExpiresAtNotNil()).Order(mask.ByExpiresAt()).
			Select(mask.FieldAccountID, mask.FieldExpiresAt).First(ctx)
		if ent.IsNotFound(err) {
			return maskLook, nil
		}
		if err != nil {
			return maskLook, fmt.Errorf("look for the next mask to end: %w", err)
		}
		if wait := due.ExpiresAt.Sub(clock.Now()); wait > 0 {
			return min(wait, maskLook), nil
		}
		if err := s.endExpiredOf(ctx, due.AccountID); err != nil {
			return maskLook, err
		}
	}
}

// endExpiredOf ends the masks of one account that have expired: each account in a change of its own, whose lock is the account's.
func (s *Service) endExpiredOf(ctx context.Context, account uuid.UUID) error {
	return s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, account); err != nil {
			return err
		}
		return s.endExpired(ctx, c, account)
	})
}

// endExpired ends the masks of an account whose time has come; the account is locked.
func (s *Service) endExpired(ctx context.Context, c *comms.Change, account uuid.UUID) error {
	due, err := c.Tx().Mask.Query().Where(mask.AccountID(account), mask.EndedAtIsNil(), mask.ExpiresAtLTE(c.Now())).
		Order(mask.ByExpiresAt()).Limit(maskBatch).All(ctx)
	if err != nil {
		return fmt.Errorf("look for expired masks: %w", err)
	}
	for _, m := range due {
		if _, err := s.endMask(ctx, c, m); err != nil {
			return err
		}
	}
	return nil
}

// SweepMasks forgets masks that ended long ago.
func (s *Service) SweepMasks(ctx context.Context, now clock.Micros) error {
	return s.in.InBatches(ctx, "sweep masks", func(ctx context.Context, c *comms.Change) (int, error) {
		ids, err := c.Tx().Mask.Query().Where(mask.EndedAtLTE(now.Add(-maskKeep))).Limit(maskBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return c.Tx().Mask.Delete().Where(mask.IDIn(ids...)).Exec(ctx)
	})
}
