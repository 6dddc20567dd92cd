package notice

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/follower"
	"switchboard/internal/clock"
)

// newsDesk collects the accounts in whose logs something has happened, on the way of those who made it happen.
type newsDesk struct {
	mu       sync.Mutex
	accounts map[uuid.UUID]bool
	wake     chan struct{}
}

func (d *newsDesk) add(account uuid.UUID) {
	d.mu.Lock()
	if d.accounts == nil {
		d.accounts = map[uuid.UUID]bool{}
	}
	d.accounts[account] = true
	d.mu.Unlock()
	d.ring()
}

// ring has Run look again.
func (d *newsDesk) ring() {
	select {
	case d.wake <- struct{}{}:
	default: // it is rung already
	}
}

func (d *newsDesk) take() []uuid.UUID {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := slices.Collect(maps.Keys(d.accounts))
	d.accounts = nil
	return out
}

// atATime is how many rows one look takes; what is left is found by the next.
const atATime = 500

// look has those wait in line who are to be told: those of whose accounts this process has news, those who are to be tried again, and, for
// everything, those who are behind for whatever reason: another process wrote, or this one died. It answers when the next is due.
func (s *Service) look(ctx context.Context, everything bool) (soon time.Time, err error) {
	now := clock.Now()
	for accounts := range slices.Chunk(s.news.take(), atATime) {
		rows, err := s.ready(now).Where(follower.AccountIDIn(accounts...)).All(ctx)
		if err != nil {
			return soon, fmt.Errorf("find who follows: %w", err)
		}
		s.lineUp(ctx, rows)
	}
	rows, err := s.in.Read().Follower.Query().Where(follower.NextAtLTE(now)).Order(follower.ByNextAt()).Limit(atATime).All(ctx)
	if err != nil {
		return soon, fmt.Errorf("find who is to be tried again: %w", err)
	}
	s.lineUp(ctx, rows)
	if everything {
		if err := s.lookEverywhere(ctx, now); err != nil {
			return soon, err
		}
	}
	next, err := s.in.Read().Follower.Query().Where(follower.NextAtGT(now)).Order(follower.ByNextAt()).First(ctx)
	switch {
	case err == nil:
		soon = next.NextAt.Time()
	case !ent.IsNotFound(err):
		return soon, fmt.Errorf("find who is next: %w", err)
	}
	return soon, nil
}

// ready are the followers that are not parked, and not to be tried again later.
func (s *Service) ready(now clock.Micros) *ent.FollowerQuery {
	return s.in.Read().Follower.Query().Where(follower.Or(follower.And(follower.NextAtIsNil(), follower.Problem("")), follower.NextAtLTE(now)))
}

func (s *Service) lineUp(ctx context.Context, rows []*comms.Follower) {
	later := map[rest][]uuid.UUID{}
	for _, f := range rows {
		if r := s.line.add(f); r.why != "" {
			later[r] = append(later[r], f.ID)
		}
	}
	for r, followers := range later {
		s.postpone(ctx, followers, r.why, r.until)
	}
}

// behind is one seek in the log's index for each follower.
func behind(q *sql.Selector) {
	q.Where(sql.ExprP(`"followers"."cursor" < (SELECT MAX(e.id) FROM events e WHERE e.account_id = "followers"."account_id")`))
}

func (s *Service) lookEverywhere(ctx context.Context, now clock.Micros) error {
	var accounts []uuid.UUID
	err := s.in.Read().Follower.Query().Unique(true).Select(follower.FieldAccountID).Scan(ctx, &accounts)
	if err != nil {
		return fmt.Errorf("find whose logs are followed: %w", err)
	}
	here := make(map[uuid.UUID]bool, len(accounts))
	for _, id := range accounts {
		here[id] = true
		s.remember(id)
	}
	s.followed.Range(func(id, _ any) bool {
		if !here[id.(uuid.UUID)] {
			s.followed.Delete(id) // who begins to follow at this moment is found by the next look
		}
		return true
	})
	s.some.Store(len(here) > 0)
	rows, err := s.ready(now).Where(behind).Limit(atATime).All(ctx)
	if err != nil {
		return fmt.Errorf("find who is behind: %w", err)
	}
	s.lineUp(ctx, rows)
	return nil
}

// start begins the turns that may begin.
func (s *Service) start(ctx context.Context) {
	for j := s.line.next(time.Now()); j != nil; j = s.line.next(time.Now()) {
		s.turns.Go(func() {
			o, more := s.turn(ctx, j.follower)
			if more {
				s.line.again(j)
			}
			left, until := s.line.done(j, o, func(tries int) time.Duration { return max(o.failed.After, s.after(tries)) })
			if len(left) > 0 {
				s.postpone(ctx, left, o.failed.Problem, until)
			}
			s.news.ring()
		})
	}
}

// postpone notes of followers that waited for a service why they go on waiting, so that their owners see it, and until when.
func (s *Service) postpone(ctx context.Context, followers []uuid.UUID, why Problem, until time.Time) {
	at := clock.Micros(until.UnixMicro())
	for some := range slices.Chunk(followers, atATime) {
		err := s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
			// Not those to whom another process has found that nothing is to be told.
			return c.Tx().Follower.Update().Where(follower.IDIn(some...), follower.Node(""), follower.Or(follower.NextAtNotNil(), follower.Problem(""))).
				SetProblem(string(why)).SetNextAt(at).Exec(ctx)
		})
		if err != nil && ctx.Err() == nil {
			s.in.Log().ErrorContext(ctx, "note who could not be told", "error", err) // the next look has them wait again
		}
	}
}
