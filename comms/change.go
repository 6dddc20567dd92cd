package comms

import (
	"context"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/internal/clock"
)

// change is one transaction of the rules: what is written, and the events that tell of it.
type change struct {
	tx     *ent.Client
	now    clock.Micros
	events []*Event
	prompt bool     // its caller holds no lock: who watches is told on the caller's goroutine (feed.here)
	ended  [][]byte // hashes of the credentials that end with it
	after  []func() // what is done once it is committed: it must not block
}

// tell adds an event to the log of its account. It is stored when the change is, and told after that.
func (c *change) tell(e *Event) {
	e.At = c.now
	c.events = append(c.events, e)
}

// change runs fn in one transaction, stores its events with it and publishes them once both are durable.
func (s *Service) change(ctx context.Context, fn func(ctx context.Context, c *change) error) error {
	var c change // of the attempt that was committed: after a conflict fn runs again
	var idle []*feed
	err := s.store.Change(ctx, func(ctx context.Context, tx *ent.Client) error {
		c = change{tx: tx, now: clock.Now()}
		if err := fn(ctx, &c); err != nil {
			return err
		}
		return s.appendEvents(ctx, &c)
	}, func() {
		if len(c.ended) > 0 {
			s.auth.end(c.ended...)
		}
		for _, do := range c.after {
			do()
		}
		if s.following != nil {
			s.following.Committed(c.events)
		}
		idle = s.hub.publish(c.events)
	})
	for _, f := range idle {
		if c.prompt {
			f.here()
		} else {
			go f.run()
		}
	}
	return err
}

// lockAccount makes other changes of the account wait. A change that writes rows of one account calls it first: it is locked at the end
// anyway (outbox.go), and who had locked a row before would meet somebody who has the account and waits for that row. A change whose
// account is found only in it, or that has several, locks no row that others write, but under a lock of its own that is taken first.
func (s *Service) lockAccount(ctx context.Context, c *change, account uuid.UUID) error {
	return s.store.Lock(ctx, c.tx, account)
}
