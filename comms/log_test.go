package comms_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/event"
	"switchboard/internal/clock"
)

// kept is how many of the newest events the test's sweeps leave.
const kept = 300

// TestLogUnderEverything: two processes write to an account, its log is trimmed, and followers on both processes come, stop and resume at any
// place. Each sees every event behind its cursor once and in order, or is told that the cursor is too old.
func TestLogUnderEverything(t *testing.T) {
	onBoth(t, func(w *world) {
		const writers, each, followers = 6, 60, 8
		nodes := []*world{w, {TB: t, svc: newWorld(t, w.store).svc, store: w.store}}
		for _, n := range nodes {
			n.running()
		}
		a := w.side(writers)
		watch, err := w.svc.OpenWatch(a.ctx, comms.Watch{})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		_, live := listen(watch)
		finished := make(chan struct{})
		var writing, others sync.WaitGroup
		for i := range writers {
			from := &side{ctx: a.ctx, account: a.account, numbers: a.numbers[i:]}
			writing.Go(func() {
				for k := range each {
					nodes[(i+k)%2].send(from, a.numbers[(i+k)%writers], "x")
				}
			})
		}
		spans := make([][]span, followers)
		for i := range followers {
			dice := rand.New(rand.NewPCG(7, uint64(i)))
			others.Go(func() { spans[i] = nodes[i%2].comeAndGo(a, dice, finished) })
		}
		others.Go(func() { w.trimming(finished) })
		writing.Wait()
		close(finished)
		others.Wait()
		newest, err := w.store.Read().Event.Query().Aggregate(ent.Max(event.FieldID)).Int(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all, err := live.until(t.Context(), int64(newest))
		if err != nil || len(all) != writers*each*2 {
			t.Fatalf("%d events of %d, %v", len(all), writers*each*2, err)
		}
		for i, list := range spans {
			for _, s := range list {
				s.check(t, all, i)
			}
		}
	})
}

// span is what a follower saw between two of its pauses.
type span struct {
	after int64
	got   []int64
	last  bool // it went on to the end
}

func (s span) check(t *testing.T, all []int64, follower int) {
	t.Helper()
	var want []int64
	for _, id := range all {
		if id > s.after && (s.last || len(s.got) > 0 && id <= s.got[len(s.got)-1]) {
			want = append(want, id)
		}
	}
	if !slices.Equal(s.got, want) {
		t.Errorf("follower %d saw behind %d\n%v, want\n%v", follower, s.after, s.got, want)
	}
}

// comeAndGo follows the log in spans until the writers have finished, and then to its end.
func (w *world) comeAndGo(a *side, dice *rand.Rand, finished <-chan struct{}) []span {
	var spans []span
	cursor, last := "", false
	for !last {
		select {
		case <-finished:
			last = true
		default:
		}
		f, err := follow(a.ctx, w.svc, comms.Watch{After: cursor})
		if refusal(err) == "INVALID after CURSOR_EXPIRED" {
			cursor, last = "", false
			continue
		}
		if err != nil {
			w.Error(err)
			return spans
		}
		ctx, stop := context.WithTimeout(w.Context(), time.Duration(1+dice.IntN(30))*time.Millisecond)
		_ = f.until(ctx, 1+dice.IntN(60)) // whichever comes first
		stop()
		if last {
			err = f.until(w.Context(), 0) // what is there
			last = err == nil
			if err != nil && refusal(err) != "INVALID after CURSOR_EXPIRED" {
				w.Error(err)
				return spans
			}
		}
		f.w.Close()
		spans = append(spans, span{f.w.After(), f.got, last})
		cursor = (&comms.Event{ID: f.last}).Cursor()
	}
	return spans
}

// trimming removes all but the newest events, again and again, as if the others had grown old.
func (w *world) trimming(finished <-chan struct{}) {
	for {
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return second(tx.ExecContext(ctx, fmt.Sprintf("UPDATE events SET created_at = %d WHERE id <= (SELECT MAX(id) FROM events) - %d",
				clock.Now().Add(-8*24*time.Hour), kept)))
		})
		if err := w.svc.Sweep(w.Context(), clock.Now()); err != nil {
			w.Error(err)
		}
		select {
		case <-finished:
			return
		default:
		}
	}
}
