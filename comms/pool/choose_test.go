package pool_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/pool"
	"switchboard/ent"
	entcall "switchboard/ent/call"
	"switchboard/ent/groupchoice"
	"switchboard/ent/number"
	"switchboard/internal/clock"
)

// call places a call with a group to a number of the test world, whom it is spoken to, and tells which number it shows.
func (f *firm) call(g *comms.NumberGroup, to int) string {
	f.Helper()
	shown, err := f.tryCall(call.PlaceCall{Group: g.ID, To: world(to)})
	if err != nil {
		f.Error(err)
	}
	return shown
}

func (f *firm) tryCall(in call.PlaceCall) (shown string, err error) {
	placed, err := f.calls.PlaceCall(f.owner, in)
	if err != nil {
		return "", err
	}
	row, err := f.store.Read().Call.Query().Where(entcall.ID(placed.Call.ID)).WithVirtual().Only(f.Context())
	if err != nil {
		return "", err
	}
	return row.Edges.Virtual.Number, nil
}

func world(n int) string { return fmt.Sprintf("+99900000000%d", n) }

// hangUp ends all calls.
func (f *firm) hangUp() {
	f.Helper()
	rows := f.store.Read().Call.Query().Where(entcall.EndedAtIsNil()).AllX(f.Context())
	for _, r := range rows {
		f.must(f.calls.CallEnded(f.Context(), r.ConversationID, call.End{Why: call.WhyHungUp, By: call.ByCaller}))
	}
}

func TestLeastRecentlyUsed(t *testing.T) {
	onBoth(t, func(f *firm) {
		g := f.group("lru", "least_recently_used", one, two, three, never)
		var got []string
		for range 7 {
			got = append(got, f.call(g, 1))
		}
		first := got[:3]
		if !slices.Equal(first, got[3:6]) || got[6] != first[0] || slices.Contains(got, never) {
			t.Errorf("%q", got)
		}
		// Another group that shares a number knows that it was shown just now.
		if shown := f.call(f.group("next", "least_recently_used", first[0], first[1]), 1); shown != first[1] {
			t.Errorf("%s after %q", shown, got)
		}
	})
}

func TestSticky(t *testing.T) {
	onBoth(t, func(f *firm) {
		g := f.group("sticky", "sticky", one, two, three)
		shown := map[int]string{}
		for round := range 3 {
			for _, to := range []int{1, 2, 3} {
				got := f.call(g, to)
				if round == 0 {
					shown[to] = got
				} else if got != shown[to] {
					t.Errorf("%d is shown %s, and was %s", to, got, shown[to])
				}
			}
		}
		if len(shown) != 3 || shown[1] == shown[2] || shown[2] == shown[3] || shown[1] == shown[3] {
			t.Errorf("not fair: %v", shown)
		}
		if got, err := f.tryCall(call.PlaceCall{Group: g.ID, To: "00 999 0000 00001"}); err != nil || got != shown[1] {
			t.Errorf("the same callee in another writing: %s, %v", got, err)
		}
		f.start() // it is remembered over a restart
		if got := f.call(g, 2); got != shown[2] {
			t.Errorf("%s after a restart, was %s", got, shown[2])
		}
		// Who was shown a number that may not be shown any more is shown another, and sticks to that.
		f.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Number.Update().Where(number.Number(shown[3])).SetDisabled(true).Exec(ctx)
		})
		instead := f.call(g, 3)
		if instead == shown[3] || f.call(g, 3) != instead {
			t.Errorf("%s is shown, which is switched off", instead)
		}
	})
}

// A number that has as many calls as it can take gives way to one that has not, but not to none, and not where a callee knows it.
func TestNumbersInUse(t *testing.T) {
	onBoth(t, func(f *firm) {
		lru, sticky := f.group("lru", "least_recently_used", one, two), f.group("sticky", "sticky", one, two)
		f.change(func(ctx context.Context, tx *ent.Client) error { return tx.Number.Update().SetConcurrency(1).Exec(ctx) })
		first, second := f.call(lru, 1), f.call(lru, 2)
		if first == second || f.call(lru, 3) != first || f.call(lru, 4) != second {
			t.Errorf("%s, %s, and then others", first, second)
		}
		f.hangUp()
		if got := []string{f.call(lru, 1), f.call(sticky, 5)}; got[0] != first || got[1] != second || f.call(sticky, 5) != second {
			t.Errorf("%q, and then another, where %s was shown last", got, second)
		}
		f.hangUp()
		if shown := f.call(sticky, 5); shown != second { // which makes the other the least recently used
			t.Errorf("%s", shown)
		}
		held := f.call(lru, 1)
		if shown := f.call(lru, 2); held != first || shown == held {
			t.Errorf("%s has a call, and %s is shown", held, shown)
		}
	})
}

// Who is never chosen, and what is said where nobody is left.
func TestNoNumberIsFree(t *testing.T) {
	onBoth(t, func(f *firm) {
		g := f.group("g", "least_recently_used", one, two, never)
		theirs, err := f.pools.CreateNumberGroup(f.stranger, pool.CreateNumberGroup{Name: "theirs", NumberIDs: f.ids(other)})
		f.must(err)
		try := func(in call.PlaceCall) string {
			in.To = world(3)
			_, err := f.calls.PlaceCall(f.owner, in)
			return refusal(err)
		}
		for _, c := range []struct {
			in   call.PlaceCall
			want string
		}{
			{call.PlaceCall{Group: f.group("empty", "").ID}, "CONFLICT group NO_NUMBER_FREE"},
			{call.PlaceCall{Group: f.group("service", "", never).ID}, "CONFLICT group NO_NUMBER_FREE"},
			{call.PlaceCall{Group: uuid.New()}, "NOT_FOUND group"},
			{call.PlaceCall{Group: theirs.Group.ID}, "NOT_FOUND group"},
			{call.PlaceCall{Group: g.ID, From: f.number[one]}, "INVALID from"},
			{call.PlaceCall{}, "INVALID from"},
		} {
			if got := try(c.in); got != c.want {
				t.Errorf("%+v: %s, want %s", c.in, got, c.want)
			}
		}
		f.change(func(ctx context.Context, tx *ent.Client) error { return tx.Number.Update().SetDisabled(true).Exec(ctx) })
		if got := try(call.PlaceCall{Group: g.ID}); got != "CONFLICT group NO_NUMBER_FREE" {
			t.Errorf("all are switched off: %s", got)
		}
	})
}

// What leads to no call, or to one that there is, spends no turn of a number.
func TestARefusalTakesNoTurn(t *testing.T) {
	onBoth(t, func(f *firm) {
		g := f.group("g", "sticky", one, two)
		if _, err := f.tryCall(call.PlaceCall{Group: g.ID, To: "+12025550123"}); refusal(err) != "FORBIDDEN to" {
			t.Error(err)
		}
		if n := f.store.Read().Number.Query().Where(number.ShownAtNotNil()).CountX(t.Context()); n != 0 {
			t.Errorf("%d numbers were shown", n)
		}
		in := call.PlaceCall{Group: g.ID, To: world(1), IdempotencyKey: "k", ClientKey: "c"}
		first, err := f.tryCall(in)
		f.must(err)
		for _, again := range []call.PlaceCall{in, {Group: g.ID, To: world(1), ClientKey: "c"}} {
			if got, err := f.tryCall(again); err != nil || got != first {
				t.Errorf("%s, %v, first %s", got, err, first)
			}
		}
		if n := f.store.Read().Number.Query().Where(number.ShownAtNotNil()).CountX(t.Context()); n != 1 {
			t.Errorf("%d numbers were shown", n)
		}
	})
}

// Calls at once, of two processes on one database: each number gets as many as any other, and a callee sees one number however often he is
// called at once.
func TestCallsAtOnceShareFairly(t *testing.T) {
	onBoth(t, func(f *firm) {
		lru, sticky := f.group("lru", "least_recently_used", one, two, three), f.group("sticky", "sticky", one, two, three)
		here, there := *f, *f
		there.start()
		counts, callees := map[string]int{}, map[string]bool{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 12 {
			from := []*firm{&here, &there}[i%2]
			all.Go(func() {
				shown := from.call(lru, 1)
				mu.Lock()
				defer mu.Unlock()
				counts[shown]++
			})
		}
		all.Wait()
		if counts[one] != 4 || counts[two] != 4 || counts[three] != 4 {
			t.Errorf("%v", counts)
		}
		for i := range 12 {
			from := []*firm{&here, &there}[i%2]
			all.Go(func() {
				shown := from.call(sticky, 5)
				mu.Lock()
				defer mu.Unlock()
				callees[shown] = true
			})
		}
		all.Wait()
		if len(callees) != 1 {
			t.Errorf("one callee sees %v", callees)
		}
	})
}

func TestWhatWasShownLongAgoIsForgotten(t *testing.T) {
	onBoth(t, func(f *firm) {
		g := f.group("g", "sticky", one)
		f.call(g, 1)
		f.call(g, 2)
		f.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.GroupChoice.Update().Where(groupchoice.Callee(world(1))).SetUsedAt(clock.Now().Add(-181 * 24 * time.Hour)).Exec(ctx)
		})
		f.must(f.pools.Sweep(t.Context(), clock.Now()))
		if left := f.store.Read().GroupChoice.Query().AllX(t.Context()); len(left) != 1 || left[0].Callee != world(2) {
			t.Errorf("%v", left)
		}
	})
}
