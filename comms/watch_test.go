package comms_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
)

// follower reads a log as a door does: first what was missed, then what comes, dropping what it has.
type follower struct {
	w    *comms.Watcher
	mu   sync.Mutex
	last int64
	live []*comms.Event
	got  []int64
	wake chan struct{}
}

func follow(ctx context.Context, svc *comms.Service, watch comms.Watch) (*follower, error) {
	w, err := svc.OpenWatch(ctx, watch)
	if err != nil {
		return nil, err
	}
	f := &follower{w: w, last: w.After(), wake: make(chan struct{}, 1)}
	w.Start(func(events []*comms.Event) {
		f.mu.Lock()
		f.live = append(f.live, events...)
		f.mu.Unlock()
		select {
		case f.wake <- struct{}{}:
		default:
		}
	})
	return f, nil
}

// until reads on until n events were seen.
func (f *follower) until(ctx context.Context, n int) error {
	for more := true; more; {
		var events []*comms.Event
		var err error
		if events, more, err = f.w.Missed(ctx, f.last, 3); err != nil {
			return err
		}
		f.take(events)
	}
	for len(f.got) < n {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d events: %w", len(f.got), n, ctx.Err())
		}
		f.mu.Lock()
		events := f.live
		f.live = nil
		f.mu.Unlock()
		f.take(events)
	}
	return nil
}

func (f *follower) take(events []*comms.Event) {
	for _, e := range events {
		if e.ID > f.last {
			f.got, f.last = append(f.got, e.ID), e.ID
		}
	}
}

// TestWatchMissesNothing: followers join at random places in the log, with and without filters, while writers write to several accounts at once.
func TestWatchMissesNothing(t *testing.T) {
	onBoth(t, func(w *world) {
		const writers, each, followers = 6, 25, 12
		a, b := w.side(writers), w.side(1)
		w.send(b, a.numbers[0], "before")
		start := w.log(a)[0].Cursor()
		var wg sync.WaitGroup
		total := writers * each * 2 // own to own: sent and received
		for i := range writers {
			from := &side{ctx: a.ctx, account: a.account, numbers: a.numbers[i:]}
			wg.Go(func() {
				for k := range each {
					w.send(from, a.numbers[(i+k)%writers], "x")
					w.send(from, b.numbers[0], "noise") // a third event for a, and one for b
				}
			})
		}
		total += writers * each
		logs := make([]*follower, followers)
		for i := range followers {
			wg.Go(func() {
				for range rand.IntN(20) { // joins somewhere on the way
					w.send(b, b.numbers[0], "noise")
				}
				f, err := follow(a.ctx, w.svc, comms.Watch{After: start})
				if err != nil {
					t.Error(err)
					return
				}
				defer f.w.Close()
				if err := f.until(t.Context(), total); err != nil {
					t.Error(err)
				}
				logs[i] = f
			})
		}
		wg.Wait()
		var want []int64
		for _, e := range w.log(a)[1:] {
			want = append(want, e.ID)
		}
		for i, f := range logs {
			if f == nil || fmt.Sprint(f.got) != fmt.Sprint(want) {
				t.Errorf("follower %d saw something else than the log of %d events", i, len(want))
			}
		}
	})
}

func TestWatchSeesOtherProcesses(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		other := &world{TB: t, svc: newWorld(t, w.store).svc, store: w.store} // rules of another process on the same database
		w.running()
		f, err := follow(b.ctx, w.svc, comms.Watch{Kinds: []comms.Kind{comms.MessageReceived}})
		if err != nil {
			t.Fatal(err)
		}
		defer f.w.Close()
		w.send(a, b.numbers[0], "ours")
		other.send(a, b.numbers[0], "theirs")
		w.send(a, b.numbers[0], "ours")
		other.send(a, b.numbers[0], "theirs, and nothing of ours after it")
		if err := f.until(t.Context(), 4); err != nil {
			t.Error(err)
		}
	})
}

func TestWatchRefusals(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		w.send(a, b.numbers[0], "x")
		messagesOnly := comms.WithActor(t.Context(), &comms.Actor{AccountID: a.account, Scopes: comms.ReadMessages})
		for name, c := range map[string]struct {
			ctx   context.Context
			watch comms.Watch
			want  string
		}{
			"nobody":               {t.Context(), comms.Watch{}, "UNAUTHENTICATED"},
			"a number's id":        {comms.AsNumber(t.Context(), a.numbers[0].ID), comms.Watch{}, "UNAUTHENTICATED"},
			"all with one scope":   {messagesOnly, comms.Watch{}, "FORBIDDEN  SCOPE"},
			"mixed with one scope": {messagesOnly, comms.Watch{Kinds: []comms.Kind{comms.MessageSent, comms.NumberCreated}}, "FORBIDDEN  SCOPE"},
			"messages":             {messagesOnly, comms.Watch{Kinds: []comms.Kind{comms.MessageSent}}, ""},
			"another's number":     {a.ctx, comms.Watch{NumberIDs: ids(b)}, "NOT_FOUND numberIds"},
			"own number":           {a.ctx, comms.Watch{NumberIDs: ids(a)}, ""},
			"no cursor":            {a.ctx, comms.Watch{After: "yesterday"}, "INVALID after BAD_CURSOR"},
			"the future":           {a.ctx, comms.Watch{After: "ezzzzz"}, "INVALID after BAD_CURSOR"},
			"the beginning":        {a.ctx, comms.Watch{After: "e0"}, ""},
		} {
			watch, err := w.svc.OpenWatch(c.ctx, c.watch)
			if got := refusal(err); got != c.want {
				t.Errorf("%s: %q, want %q (%v)", name, got, c.want, err)
			}
			if err == nil {
				watch.Close()
			}
		}
	})
}

func TestEventsKeepCredentialsToThemselves(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		m := w.send(a, b.numbers[0], "x")
		if _, err := w.svc.MarkDelivered(b.ctx, []int64{m.ID}); err != nil {
			t.Fatal(err)
		}
		for _, s := range []struct{ of, other *side }{{a, b}, {b, a}} {
			log := w.log(s.of)
			if len(log) != 2 {
				t.Fatalf("%d events", len(log))
			}
			for _, e := range log {
				row, err := w.store.Read().Event.Get(t.Context(), e.ID)
				if err != nil {
					t.Fatal(err)
				}
				if theirs := s.other.numbers[0].ID.String(); strings.Contains(string(row.Fact), theirs) {
					t.Errorf("%s holds the id of the other side's number: %s", e.Kind, row.Fact)
				}
				if e.NumberID != s.of.numbers[0].ID {
					t.Errorf("%s happened to %v", e.Kind, e.NumberID)
				}
			}
		}
	})
}

func ids(s *side) []uuid.UUID {
	var out []uuid.UUID
	for _, n := range s.numbers {
		out = append(out, n.ID)
	}
	return out
}
