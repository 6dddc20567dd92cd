package sip

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
)

// reports is what a call has to tell the rules, in order. It is told beside the call, so that a slow store delays neither signalling nor
// sound; and it outlives the call until it is stored.
type reports struct {
	c       *liveCall
	mu      sync.Mutex
	waiting []report
	running bool
}

// report is one thing to tell.
type report struct {
	what string
	once bool // if it can't be stored it is dropped: what follows makes up for it
	tell func(ctx context.Context) error
}

const (
	reportIn    = 10 * time.Second // how long storing one may take
	storeAgain  = 100 * time.Millisecond
	storeLatest = 5 * time.Second
)

func (r *reports) add(next report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, next)
	if !r.running {
		r.running = true
		r.c.s.running.Add(1)
		r.c.s.hands.do(r.run)
	}
}

func (r *reports) run() {
	defer r.c.s.running.Done()
	for {
		r.mu.Lock()
		if len(r.waiting) == 0 {
			r.running = false
			r.mu.Unlock()
			return
		}
		next := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.mu.Unlock()
		r.c.shielded(func() { r.store(next) })
	}
}

// store tells one, again and again until it is stored, refused for good, or the server closes.
func (r *reports) store(next report) {
	s := r.c.s
	for wait := storeAgain; ; wait = min(2*wait, storeLatest) {
		ctx, cancel := context.WithTimeout(s.closing, reportIn)
		err := next.tell(ctx)
		cancel()
		if err == nil {
			return
		}
		var refused *comms.Error
		final := errors.As(err, &refused) && refused.Code != comms.Unavailable && refused.Code != comms.Internal && refused.Code != comms.Limited
		if final || next.once || s.closing.Err() != nil {
			s.log.Error("what became of a call could not be stored", "report", next.what, "err", err)
			return
		}
		s.log.Warn("what became of a call is not stored yet", "report", next.what, "err", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.closing.Done():
			timer.Stop()
		}
	}
}

func (c *liveCall) tellRinging() {
	id := c.id
	switch t := c.transfer; {
	case t == nil:
	case t.id != c.id: // a telephone's transfer, which is a call of its own
		id = t.id
	case t.joins == uuid.Nil:
		return
	default:
		id = t.joins
	}
	c.reports.add(report{what: "ringing", once: true, tell: func(ctx context.Context) error { return c.s.rules.CallRinging(ctx, id) }})
}

func (c *liveCall) tellAnswered(id uuid.UUID) {
	c.reports.add(report{what: "answered", tell: func(ctx context.Context) error { return c.s.rules.CallAnswered(ctx, id) }})
}

// tellEnd tells how the call ended, once the rules have named it: what they never named they know nothing of.
func (c *liveCall) tellEnd() {
	if c.id != uuid.Nil && !c.kept {
		c.tellEndOf(c.id, c.ended)
	}
}

func (c *liveCall) tellEndOf(id uuid.UUID, e call.End) {
	c.reports.add(report{what: "ended", tell: func(ctx context.Context) error { return c.s.rules.CallEnded(ctx, id, e) }})
}

// tellTransfer tells what became of an ordered transfer: empty: the new side answered.
func (c *liveCall) tellTransfer(id uuid.UUID, why call.Why) {
	c.reports.add(report{what: "transferred", tell: func(ctx context.Context) error { return c.s.rules.CallTransferred(ctx, id, why) }})
}
