package pool

import (
	"context"
	"fmt"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/ent"
	"switchboard/ent/groupchoice"
	"switchboard/ent/number"
	"switchboard/ent/numbergroup"
	"switchboard/internal/clock"
)

// Options are what a Service is built from. Zero means the default.
type Options struct {
	Remember time.Duration // how long a sticky group remembers what a callee was shown (180 days)
}

// Service is the rules of number pools. Its methods are the verbs; all are safe for concurrent use.
type Service struct {
	in       comms.Inside
	remember time.Duration
	asks     asks // limit.go
}

var _ call.Groups = (*Service)(nil)

// New builds the rules of pools over those of everything else.
func New(svc *comms.Service, o Options) *Service {
	if o.Remember == 0 {
		o.Remember = 180 * 24 * time.Hour
	}
	s := &Service{in: svc.Inside(), remember: o.Remember}
	s.in.OnNumberDeleted(s.leaveGroups)
	return s
}

// sweepEvery is how often what callees were shown long ago is forgotten.
const sweepEvery = time.Hour

// Run does what time demands until ctx ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.Sweep(ctx, clock.Now()); err != nil && ctx.Err() == nil {
			s.in.Log().ErrorContext(ctx, "sweep the choices of groups", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// sweepBatch is how many rows one change removes; comms.InBatches goes on while a batch is full.
const sweepBatch = 1000

// Sweep forgets what callees were shown so long ago that they don't remember it either: a group that calls strangers must not grow for ever.
func (s *Service) Sweep(ctx context.Context, now clock.Micros) error {
	return s.in.InBatches(ctx, "sweep the choices of groups", func(ctx context.Context, c *comms.Change) (int, error) {
		ids, err := c.Tx().GroupChoice.Query().Where(groupchoice.UsedAtLTE(now.Add(-s.remember))).Limit(sweepBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return c.Tx().GroupChoice.Delete().Where(groupchoice.IDIn(ids...)).Exec(ctx)
	})
}

// leaveGroups tells of the groups that a number leaves because it is deleted.
func (s *Service) leaveGroups(ctx context.Context, c *comms.Change, n *comms.Number) (after func(context.Context), err error) {
	groups, err := c.Tx().NumberGroup.Query().Where(numbergroup.AccountID(n.AccountID), numbergroup.HasNumbersWith(number.ID(n.ID))).
		Order(numbergroup.ByCreatedAt(), numbergroup.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the groups of a number: %w", err)
	}
	for _, g := range groups {
		if _, err := s.touch(ctx, c, g, func(u *ent.NumberGroupUpdateOne) { u.RemoveNumberIDs(n.ID) }); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
