package comms_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// What fails once is done the next time: a database that stumbles as the program starts must not leave it without sweeps for its whole life.
func TestRunGoesOn(t *testing.T) {
	spied(t, func(w *world, s *spy) {
		c := w.register("a@example.com")
		left, err := w.svc.OpenSession(c.ctx, "opencloud")
		if err != nil {
			t.Fatal(err)
		}
		var failed atomic.Bool
		closing := regexp.MustCompile("^UPDATE .sessions. SET .closed_at.")
		s.sees = func(query string, _ []any) error {
			if closing.MatchString(query) && !failed.Swap(true) {
				return errors.New("the database is away for a moment")
			}
			return nil
		}
		next := &world{TB: t, store: w.store}
		next.svc, err = comms.New(comms.Options{Store: s, Secret: bytes.Repeat([]byte{7}, 32), Node: "spied", HashCost: 4,
			Limits: comms.Limits{Retention: time.Second}}) // it sweeps ten times a second
		if err != nil {
			t.Fatal(err)
		}
		next.running()
		for w.session(left.ID()).ClosedAt == nil {
			if t.Context().Err() != nil {
				t.Fatal("never closed")
			}
		}
		if !failed.Load() {
			t.Error("nothing failed")
		}
	})
}

// A session that could not be closed when its socket was, because the database was away, is closed later; one that is open stays so.
func TestUnclosedSession(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		var sessions []*comms.LiveSession
		for range 2 {
			l, err := w.svc.OpenSession(c.ctx, "graphql")
			if err != nil {
				t.Fatal(err)
			}
			sessions = append(sessions, l)
		}
		away, leave := context.WithCancel(t.Context())
		leave()
		if err := sessions[0].Close(away); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := w.svc.Sweep(t.Context(), clock.Now()); err != nil {
			t.Fatal(err)
		}
		if w.session(sessions[0].ID()).ClosedAt == nil || w.session(sessions[1].ID()).ClosedAt != nil {
			t.Error("the wrong one is closed")
		}
	})
}
