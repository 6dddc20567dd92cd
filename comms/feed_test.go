package comms_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
	"switchboard/internal/house"
)

// told collects live events alone.
type told struct {
	mu   sync.Mutex
	ids  []int64
	wake chan struct{}
}

func listen(w *comms.Watcher) (from int64, to *told) {
	to = &told{wake: make(chan struct{}, 1)}
	from = w.Start(func(events []*comms.Event) {
		to.mu.Lock()
		for _, e := range events {
			to.ids = append(to.ids, e.ID)
		}
		to.mu.Unlock()
		select {
		case to.wake <- struct{}{}:
		default:
		}
	})
	return from, to
}

// until waits until the event was told, and answers all that were.
func (l *told) until(ctx context.Context, id int64) ([]int64, error) {
	for {
		l.mu.Lock()
		ids := l.ids
		l.mu.Unlock()
		if len(ids) > 0 && ids[len(ids)-1] >= id {
			return ids, nil
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return nil, fmt.Errorf("after %v: %w", ids, ctx.Err())
		}
	}
}

// running does what time demands until the test ends.
func (w *world) running() {
	ctx, stop := context.WithCancel(w.Context())
	var ended sync.WaitGroup
	ended.Go(func() { w.svc.Run(ctx) })
	w.Cleanup(func() { stop(); ended.Wait() })
}

// Another process writes between any two statements of opening a watch: what comes behind the place that Start names is told live.
func TestNothingFallsBetweenStatements(t *testing.T) {
	spied(t, func(w *world, s *spy) {
		a, b := w.side(1), w.side(1)
		other := &world{TB: t, svc: newWorld(t, w.store).svc, store: w.store}
		other.send(a, b.numbers[0], "there")
		s.sees = func(query string, _ []any) error {
			if strings.Contains(query, "events") {
				other.send(a, b.numbers[0], "in between")
			}
			return nil
		}
		watch, err := w.svc.OpenWatch(b.ctx, comms.Watch{})
		s.sees = nil
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		from, live := listen(watch)
		w.running()
		w.send(a, b.numbers[0], "ours")
		var want []int64
		for _, e := range w.log(b) {
			if e.ID > from {
				want = append(want, e.ID)
			}
		}
		got, err := live.until(t.Context(), want[len(want)-1])
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("behind %d it told %v of %v, %v", from, got, want, err)
		}
		if watch.After() < from {
			t.Errorf("from now on means from %d, but %d is the past already", watch.After(), from)
		}
	})
}

// A subscriber who comes while others are still being told of something isn't told of it: it happened before he came.
func TestFromNowOn(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.side(1)
		first, err := w.svc.OpenWatch(a.ctx, comms.Watch{})
		if err != nil {
			t.Fatal(err)
		}
		held, letGo := make(chan struct{}), make(chan struct{})
		var once sync.Once
		first.Start(func([]*comms.Event) { once.Do(func() { close(held); <-letGo }) })
		var sending sync.WaitGroup
		sending.Go(func() { // whoever sends tells of it, and so is held up as well
			if _, err := w.svc.SendMessage(a.ctx, comms.SendMessage{From: a.numbers[0].ID, To: []string{a.numbers[0].Number}, Text: "held"}); err != nil {
				t.Error(err)
			}
		})
		<-held
		w.send(a, a.numbers[0], "before")
		log := w.log(a)
		second, err := w.svc.OpenWatch(a.ctx, comms.Watch{})
		if err != nil {
			t.Fatal(err)
		}
		if newest := log[len(log)-1].ID; second.After() != newest {
			t.Errorf("it begins behind %d, the newest is %d", second.After(), newest)
		}
		close(letGo)
		sending.Wait()
		first.Close()
		second.Close()
	})
}

// Who sends a message has told those who watch for it before it returns: no goroutine is woken for that. A crowd of watchers is told by another.
func TestWhoSendsTells(t *testing.T) {
	w := newWorld(t, house.SQLite(t))
	a, b := w.side(1), w.side(1)
	told := make(chan int64, 16)
	for n := range 8 {
		watch, err := w.svc.OpenWatch(b.ctx, comms.Watch{Kinds: []comms.Kind{comms.MessageReceived}})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		watch.Start(func(events []*comms.Event) { told <- events[0].Message.ID })
		sent := w.send(a, b.numbers[0], "hello")
		if n == 0 && len(told) != 1 {
			t.Error("nobody was told when the verb returned")
		}
		for range n + 1 {
			if got := <-told; got != sent.ID {
				t.Fatalf("told of %d, not %d", got, sent.ID)
			}
		}
	}
}

// A look into the log that failed is made again, also when nothing more happens.
func TestFailedLookIsMadeAgain(t *testing.T) {
	spied(t, func(w *world, s *spy) {
		a, b := w.side(1), w.side(1)
		other := &world{TB: t, svc: newWorld(t, w.store).svc, store: w.store}
		var failures atomic.Int64
		s.sees = func(query string, _ []any) error {
			if strings.Contains(query, "fact") && strings.HasPrefix(query, "SELECT") && failures.Add(1) <= 2 {
				return errors.New("the disk is gone for a moment")
			}
			return nil
		}
		watch, err := w.svc.OpenWatch(b.ctx, comms.Watch{})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		_, live := listen(watch)
		w.running()
		other.send(a, b.numbers[0], "theirs")
		log := other.log(b)
		if _, err := live.until(t.Context(), log[0].ID); err != nil {
			t.Error(err)
		}
	})
}

// Another process writes for very many accounts at once: those that are watched are noticed among them.
func TestManyAccountsAtOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("last@example.com")
		last := uuid.MustParse("ffffffff-ffff-4fff-bfff-ffffffffffff")
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return second(tx.ExecContext(ctx, fmt.Sprintf("UPDATE accounts SET id = '%s' WHERE id = '%s'", last, c.Account.ID)))
		})
		watch, err := w.svc.OpenWatch(comms.WithActor(t.Context(), &comms.Actor{AccountID: last, Scopes: 1<<16 - 1}), comms.Watch{})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		_, live := listen(watch)
		w.running()
		w.change(func(ctx context.Context, tx *ent.Client) error {
			if err := tx.Event.Create().SetAccountID(last).SetKind("account.updated").SetFact([]byte("{}")).Exec(ctx); err != nil {
				return err
			}
			for range 21 {
				rows := make([]*ent.EventCreate, 500)
				for i := range rows {
					rows[i] = tx.Event.Create().SetAccountID(uuid.New()).SetKind("account.updated").SetFact([]byte("{}"))
				}
				if err := tx.Event.CreateBulk(rows...).Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if _, err := live.until(t.Context(), 1); err != nil {
			t.Error(err)
		}
	})
}

// The retention decides by the clock, not by when the log is swept: a cursor is refused once something behind it is too old, and one that
// was accepted can be read from in peace.
func TestRetentionByTheClock(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.side(1)
		week := 7 * 24 * time.Hour
		w.send(a, a.numbers[0], "x")
		w.send(a, a.numbers[0], "y")
		age := func(by time.Duration) {
			w.change(func(ctx context.Context, tx *ent.Client) error {
				return second(tx.ExecContext(ctx, fmt.Sprintf("UPDATE events SET created_at = %d", clock.Now().Add(-by))))
			})
		}
		age(week - time.Minute)
		log := w.log(a)
		watch, err := w.svc.OpenWatch(a.ctx, comms.Watch{After: log[0].Cursor()})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		if err := w.svc.Sweep(t.Context(), clock.Now().Add(2*time.Minute)); err != nil {
			t.Fatal(err)
		}
		if events, _, err := watch.Missed(a.ctx, watch.After(), 10); err != nil || len(events) != len(log)-1 {
			t.Errorf("a cursor was accepted, and then %d of %d events were there (%v)", len(events), len(log)-1, err)
		}
		if err := w.svc.Sweep(t.Context(), clock.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := watch.Missed(a.ctx, watch.After(), 10); refusal(err) != "INVALID after CURSOR_EXPIRED" {
			t.Errorf("it was trimmed since, and that is told: %v", err)
		}
		before, err := w.svc.LogCursor(a.ctx)
		if err != nil {
			t.Fatal(err)
		}
		w.send(a, a.numbers[0], "z")
		age(week + time.Second)
		_, err = w.svc.OpenWatch(a.ctx, comms.Watch{After: before})
		if refusal(err) != "INVALID after CURSOR_EXPIRED" {
			t.Errorf("before any sweep: %v", err)
		}
		after, err := w.svc.LogCursor(a.ctx)
		if err != nil {
			t.Fatal(err)
		}
		newest, err := w.svc.OpenWatch(a.ctx, comms.Watch{After: after})
		if err != nil {
			t.Fatalf("nothing is behind the newest: %v", err)
		}
		newest.Close()
	})
}

// A list of kinds is a set, however long it was written.
func TestKindsAreASet(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.side(1)
		w.send(a, a.numbers[0], "x")
		kinds := make([]comms.Kind, 70_000)
		for i := range kinds {
			kinds[i] = []comms.Kind{comms.MessageSent, comms.MessageReceived}[i%2]
		}
		watch, err := w.svc.OpenWatch(a.ctx, comms.Watch{Kinds: kinds})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		if events, _, err := watch.Missed(a.ctx, 0, 10); err != nil || len(events) != 2 || len(watch.Kinds) != 2 {
			t.Errorf("%d events, %d kinds, %v", len(events), len(watch.Kinds), err)
		}
	})
}

// Who leaves twice takes nobody with him.
func TestCloseTwice(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.side(1)
		leaving, err := w.svc.OpenWatch(a.ctx, comms.Watch{})
		if err != nil {
			t.Fatal(err)
		}
		staying, err := w.svc.OpenWatch(a.ctx, comms.Watch{})
		if err != nil {
			t.Fatal(err)
		}
		defer staying.Close()
		_, live := listen(staying)
		leaving.Close()
		leaving.Close()
		w.send(a, a.numbers[0], "x")
		if _, err := live.until(t.Context(), 2); err != nil {
			t.Error(err)
		}
	})
}
