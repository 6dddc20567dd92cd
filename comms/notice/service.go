package notice

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/follower"
	"switchboard/internal/clock"
)

// Options are what a Service is built from. Zero means the default.
type Options struct {
	Text  bool          // whether notifications hold what was written, and who wrote
	First time.Duration // how long is waited after the first failure (2 s), twice as long after each further one
	Most  time.Duration // and at most (10 min)
	Poll  time.Duration // how often is looked for what other processes wrote (15 s)
	Lease time.Duration // how long a process may be silent before another takes its work over (1 min)
}

func (o Options) withDefaults() Options {
	for v, d := range map[*time.Duration]time.Duration{&o.First: 2 * time.Second, &o.Most: 10 * time.Minute, &o.Poll: 15 * time.Second,
		&o.Lease: time.Minute} {
		if *v == 0 {
			*v = d
		}
	}
	return o
}

// Service is the rules of notices. Its methods are safe for concurrent use.
type Service struct {
	Options
	in    comms.Inside
	rooms Rooms // nil: there is no bot
	push  Push  // nil: nothing is pushed

	followed sync.Map // accounts that have followers, as far as this process knows
	some     atomic.Bool
	line     *line
	news     newsDesk
	turns    sync.WaitGroup
}

// New builds the rules of notices over those of everything else. Attach comes before the first verb.
func New(svc *comms.Service, o Options) *Service {
	s := &Service{Options: o.withDefaults(), in: svc.Inside(), line: newLine(), news: newsDesk{wake: make(chan struct{}, 1)}}
	s.in.Follow(s)
	return s
}

// Attach says who carries notices out. Either may be nil.
func (s *Service) Attach(rooms Rooms, push Push) { s.rooms, s.push = rooms, push }

// Run tells until ctx ends, and then waits for what is being said.
func (s *Service) Run(ctx context.Context) {
	defer s.turns.Wait()
	if err := s.configure(ctx); err != nil && ctx.Err() == nil {
		s.in.Log().ErrorContext(ctx, "look for who could not be told", "error", err)
	}
	poll := time.NewTicker(s.Poll)
	defer poll.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	everything := true
	for ctx.Err() == nil {
		soon, err := s.look(ctx, everything)
		if err != nil && ctx.Err() == nil {
			s.in.Log().ErrorContext(ctx, "look for whom to tell", "error", err)
		}
		s.start(ctx)
		due.Reset(s.line.until(soon))
		everything = false
		select {
		case <-ctx.Done():
		case <-s.news.wake:
		case <-due.C:
		case <-poll.C:
			everything = true
		}
	}
}

// configure has those told again who could not be because the operator had not set up their way out, from now on.
func (s *Service) configure(ctx context.Context) error {
	return s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		rows, err := c.Tx().Follower.Query().Where(follower.Problem(string(NotConfigured))).All(ctx)
		if err != nil {
			return fmt.Errorf("look for followers: %w", err)
		}
		for _, f := range rows {
			if f.Channel == follower.ChannelMatrix && s.rooms == nil || f.Channel == follower.ChannelPush && s.push == nil {
				continue
			}
			end, err := newest(ctx, c.Tx(), f.AccountID)
			if err != nil {
				return err
			}
			if err := f.Update().SetCursor(end).SetProblem("").SetTries(0).SetNextAt(c.Now()).Exec(ctx); err != nil {
				return fmt.Errorf("have a follower told again: %w", err)
			}
		}
		return nil
	})
}

// Channels are the ways by which the caller's account is told, and how each stands.
func (s *Service) Channels(ctx context.Context) ([]*comms.Follower, error) {
	a, err := comms.Demand(ctx, comms.ReadAccount)
	if err != nil {
		return nil, err
	}
	rows, err := s.in.Read().Follower.Query().Where(follower.AccountID(a.AccountID)).WithDevice().Order(follower.ByCreatedAt(), follower.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the followers: %w", err)
	}
	return rows, nil
}

// after is when to try again after so many failures: twice as late each time, and not all at once.
func (s *Service) after(tries int) time.Duration {
	d := s.Most
	if tries < 20 {
		d = min(d, s.First<<tries)
	}
	return d/2 + jitter(d/2)
}

// follows tells whether the account has followers as far as this process knows.
func (s *Service) follows(account uuid.UUID) bool {
	if !s.some.Load() {
		return false
	}
	_, ok := s.followed.Load(account)
	return ok
}

func (s *Service) remember(account uuid.UUID) {
	s.followed.Store(account, struct{}{})
	s.some.Store(true)
}

// inTime is a moment so far from now.
func inTime(d time.Duration) clock.Micros { return clock.Now().Add(d) }
