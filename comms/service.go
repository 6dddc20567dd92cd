package comms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/internal/clock"
)

// Limits bound what one caller can make the server do. Zero means the default.
type Limits struct {
	FreeNumbers int           // numbers of an account on the free plan (5, documented by OpenCloud)
	PageSize    int           // the largest page (200)
	Receivers   int           // receivers of one send (1000)
	Data        int64         // bytes of one file (64 MiB)
	Retention   time.Duration // how long the log keeps an event (7 days)
	TokenTTL    time.Duration // how long a session token is good (24 hours)
	LinkTTL     time.Duration // how long a file link is good (15 minutes)
}

func (l Limits) withDefaults() Limits {
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	orInt(&l.FreeNumbers, 5)
	orInt(&l.PageSize, 200)
	orInt(&l.Receivers, 1000)
	if l.Data == 0 {
		l.Data = 64 << 20
	}
	orTime(&l.Retention, 7*24*time.Hour)
	orTime(&l.TokenTTL, 24*time.Hour)
	orTime(&l.LinkTTL, 15*time.Minute)
	return l
}

// Options are what a Service is built from.
type Options struct {
	Store    Store
	Contents Contents
	Secret   []byte // the server's key, 32 bytes or more: everything sealed, signed or looked up by hash hangs on it
	Log      *slog.Logger
	Node     string // names this process among those on one database
	Limits   Limits
	Throttle Throttle // what no document limits; the zero value limits nothing
	HashCost int      // bcrypt cost of passwords and PINs (10)
}

// Service is the rules. Its methods are the verbs; all are safe for concurrent use.
type Service struct {
	store    Store
	contents Contents
	log      *slog.Logger
	node     string
	limits   Limits
	keys     keyring
	hash     *slowHash
	throttle *throttle
	ids      idClock
	hub      *hub
	live     *liveSessions
	auth     *credentialCache

	numberDeleted []NumberGoing
	following     Following // nil: nobody
}

// New builds the rules over an open store.
func New(o Options) (*Service, error) {
	if len(o.Secret) < 32 {
		return nil, errors.New("comms: the server's key must have at least 32 bytes")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	keys, err := newKeyring(o.Secret)
	if err != nil {
		return nil, err
	}
	s := &Service{store: o.Store, contents: o.Contents, log: o.Log, node: o.Node, limits: o.Limits.withDefaults(), keys: keys,
		hash: newSlowHash(o.HashCost), throttle: newThrottle(o.Throttle), live: newLiveSessions(), auth: newCredentialCache()}
	s.ids.draw()
	s.hub = newHub(s)
	return s, nil
}

// Limits are the bounds in force.
func (s *Service) Limits() Limits { return s.limits }

// Run does what time demands until ctx ends: it trims the log and what has expired, notices what other processes wrote, and writes
// down when live sessions were last seen.
func (s *Service) Run(ctx context.Context) {
	var sweeping sync.WaitGroup
	sweeping.Go(func() { s.sweepAgainAndAgain(ctx) }) // apart: much to remove must not keep news back
	defer sweeping.Wait()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			s.report(ctx, "poll the log", s.hub.poll(ctx))
		}
	}
}

func (s *Service) sweepAgainAndAgain(ctx context.Context) {
	sweep := time.NewTicker(s.sweepEvery())
	defer sweep.Stop()
	for ctx.Err() == nil {
		s.report(ctx, "sweep", s.Sweep(ctx, clock.Now()))
		select {
		case <-ctx.Done():
		case <-sweep.C:
		}
	}
}

func (s *Service) sweepEvery() time.Duration {
	return min(10*time.Minute, max(s.limits.Retention/10, 100*time.Millisecond))
}

// Sweep removes what has outlived its time: old events, unanswered captchas, idempotency keys, accounts that were never activated; and says which sessions are live and
// closes those that no process holds.
func (s *Service) Sweep(ctx context.Context, now clock.Micros) error {
	return errors.Join(s.saveSessions(ctx), s.closeStaleSessions(ctx), s.trimLog(ctx, now), s.sweepCaptchas(ctx, now), s.sweepKeys(ctx, now),
		s.sweepInactive(ctx, now))
}

// sweepBatch is how many rows one change removes: other changes get their turn in between.
const sweepBatch = 1000

// sweepLock is the lock under which rows are swept, so that processes on one database don't do it at once.
var sweepLock = uuid.NewSHA1(uuid.Nil, []byte("sweep"))

// inBatches runs some, each time in a change of its own, until it removes less than a batch.
func (s *Service) inBatches(ctx context.Context, what string, some func(ctx context.Context, c *change) (removed int, err error)) error {
	for removed := sweepBatch; removed >= sweepBatch; {
		err := s.change(ctx, func(ctx context.Context, c *change) (err error) {
			if err := s.store.Lock(ctx, c.tx, sweepLock); err != nil {
				return err
			}
			removed, err = some(ctx, c)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func (s *Service) report(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.log.Error(what, "error", err)
	}
}
