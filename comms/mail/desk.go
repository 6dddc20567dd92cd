package mail

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/mail"
	"switchboard/internal/clock"
)

const (
	desks      = 4                // letters that are on their way at once
	longest    = time.Minute      // one try
	lease      = 2 * time.Minute  // how long whoever took a letter may be silent; longer than a try
	lookEvery  = 5 * time.Second  // for letters that others posted, and for those whose time has come
	sweepEvery = time.Hour        //
	settling   = 10 * time.Second // what became of a letter is written down, also when the program stops
)

// takeLock is the lock under which letters are taken, so that each is taken by one.
var takeLock = uuid.NewSHA1(uuid.Nil, []byte("letters"))

// Run sends letters until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { s.sweepAgainAndAgain(ctx) })
	free := make(chan struct{}, desks)
	var troubles atomic.Int32 // tries that failed one after the other by what is the problem of every letter
	for ctx.Err() == nil {
		s.pause(ctx, troubles.Load())
		select {
		case <-ctx.Done():
			return
		case free <- struct{}{}:
		}
		row, err := s.take(ctx)
		if err != nil && ctx.Err() == nil {
			s.in.Log().Error("take a letter", "error", err)
		}
		if row == nil {
			<-free
			s.sleep(ctx)
			continue
		}
		work.Go(func() {
			defer func() { <-free }()
			if s.send(ctx, row).ofAll() {
				troubles.Add(1)
			} else {
				troubles.Store(0)
			}
		})
	}
}

// pause keeps letters back while none would be taken: whoever is away is not asked for each.
func (s *Service) pause(ctx context.Context, troubles int32) {
	if troubles == 0 {
		return
	}
	wait(ctx, jittered(min(time.Second<<min(troubles, 10), s.patience.Rest)), nil)
}

// sleep waits for something to do.
func (s *Service) sleep(ctx context.Context) { wait(ctx, lookEvery, s.wake) }

func wait(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}

// jittered is between half of d and d, so that what failed at once is not tried again at once.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// take leases the letter that has waited longest; nil: none is due.
func (s *Service) take(ctx context.Context) (row *ent.Mail, err error) {
	due := func(now clock.Micros) func(*ent.MailQuery) *ent.MailQuery {
		return func(q *ent.MailQuery) *ent.MailQuery {
			return q.Where(mail.RefusedAtIsNil(), mail.NextAtLTE(now)).Order(mail.ByNextAt())
		}
	}
	if waiting, err := due(clock.Now())(s.in.Read().Mail.Query()).Exist(ctx); err != nil || !waiting {
		return nil, err
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, takeLock); err != nil {
			return err
		}
		first, err := due(c.Now())(c.Tx().Mail.Query()).First(ctx)
		if row = nil; ent.IsNotFound(err) {
			return nil // another was faster
		}
		if err != nil {
			return err
		}
		until := c.Now().Add(lease)
		row, err = first.Update().SetNode(s.in.Node()).SetLeaseUntil(until).SetNextAt(until).Save(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lease a letter: %w", err)
	}
	return row, nil
}

// send tries one letter, writes down what became of it, and tells what the problem was.
func (s *Service) send(ctx context.Context, row *ent.Mail) Problem {
	log := s.in.Log().With("mail", row.ID, "to", Shortened(row.Address), "tries", row.Tries+1)
	text, err := s.in.Open(sealedAs(row.ID), row.TextSealed)
	if err != nil {
		err = &Failure{Unread, err}
	} else {
		trying, end := context.WithTimeout(ctx, longest)
		err = s.sender.Send(trying, Envelope{ID: row.ID, To: row.Address, Subject: row.Subject, Text: string(text), Written: row.CreatedAt})
		end()
	}
	settled, end := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer end()
	if err == nil {
		log.Info("a letter was sent")
		// Where this fails the letter is sent again when its lease has ended, under the same Message-ID.
		err = s.in.Change(settled, func(ctx context.Context, c *comms.Change) error {
			_, err := c.Tx().Mail.Delete().Where(mail.ID(row.ID)).Exec(ctx)
			return err
		})
		if err != nil {
			log.Error("forget a letter that was sent", "error", err)
		}
		return ""
	}
	s.postpone(settled, log, row, failed{err: err, stopped: ctx.Err() != nil})
	return problemOf(err)
}

// failed is a try that did not succeed; stopped is whether the program's end was the reason.
type failed struct {
	err     error
	stopped bool
}

// postpone decides when a letter is tried again, or that it is not.
func (s *Service) postpone(ctx context.Context, log *slog.Logger, row *ent.Mail, f failed) {
	problem := problemOf(f.err)
	err := s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		// Only while the lease is ours: after that somebody else decides.
		u := c.Tx().Mail.Update().Where(mail.ID(row.ID), mail.Node(row.Node), mail.LeaseUntil(*row.LeaseUntil)).ClearLeaseUntil().SetNode("")
		next := c.Now().Add(jittered(min(s.patience.First<<min(row.Tries, 20), s.patience.Longest)))
		switch {
		case f.stopped:
			return u.SetNextAt(c.Now()).Exec(ctx)
		case problem == Refused || problem == Unread:
			u.SetRefusedAt(c.Now())
		case next > row.CreatedAt.Add(s.patience.Days):
			problem = Tired
			u.SetRefusedAt(c.Now())
		}
		return u.SetNextAt(next).SetProblem(string(problem)).AddTries(1).Exec(ctx)
	})
	switch {
	case err != nil:
		log.Error("write down that a letter was not sent", "error", err)
	case f.stopped:
	case problem == Refused || problem == Unread || problem == Tired:
		log.Error("a letter was given up", "problem", problem, "error", f.err)
	default:
		log.Warn("a letter was not sent yet", "problem", problem, "error", f.err)
	}
}

func (s *Service) sweepAgainAndAgain(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.Sweep(ctx, clock.Now()); err != nil && ctx.Err() == nil {
			s.in.Log().Error("sweep letters", "error", err)
		}
		wait(ctx, sweepEvery, nil)
	}
}

// sweepBatch is how many rows one change removes.
const sweepBatch = 1000

// Sweep removes letters that were given up long ago.
func (s *Service) Sweep(ctx context.Context, now clock.Micros) error {
	return s.in.InBatches(ctx, "sweep letters", func(ctx context.Context, c *comms.Change) (int, error) {
		ids, err := c.Tx().Mail.Query().Where(mail.RefusedAtLTE(now.Add(-s.patience.Keep))).Limit(sweepBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return c.Tx().Mail.Delete().Where(mail.IDIn(ids...)).Exec(ctx)
	})
}
