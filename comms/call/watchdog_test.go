package call

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// What no report ends the watchdog does, once it is overdue and not before; each call once.
func TestWatch(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		x.unlimited()
		now := clock.Now()
		ringing, talking, refused := x.route("3000", desk), x.route(outsider, desk), x.route(outsider, shown)
		x.must(x.calls.CallRinging(t.Context(), ringing.Call))
		x.must(x.calls.CallAnswered(t.Context(), talking.Call))
		fine := func(ids ...uuid.UUID) {
			t.Helper()
			for _, id := range ids {
				if n, err := x.store.Read().Call.Query().Where(call.ConversationID(id), call.EndedAtIsNil()).Count(t.Context()); err != nil || n == 0 {
					t.Errorf("it is ended too early: %v", err)
				}
			}
		}
		over := func(id uuid.UUID, want string) {
			t.Helper()
			for _, row := range x.store.Read().Call.Query().Where(call.ConversationID(id)).AllX(t.Context()) {
				if row.EndedAt == nil || row.Reason != want {
					t.Errorf("%+v, want %s", row, want)
				}
			}
		}
		x.must(x.calls.Watch(t.Context(), now.Add(20*time.Second)))
		fine(ringing.Call, talking.Call, refused.Call)
		x.must(x.calls.Watch(t.Context(), now.Add(40*time.Second)))
		fine(ringing.Call, talking.Call)
		over(refused.Call, "not_allowed")
		x.must(x.calls.Watch(t.Context(), now.Add(95*time.Second)))
		fine(talking.Call)
		over(ringing.Call, "no_answer")
		x.must(x.calls.Watch(t.Context(), now.Add(4*time.Hour+35*time.Second)))
		over(talking.Call, "too_long")
		if got := x.engine.asked(); got != "hang up not_allowed; hang up no_answer; hang up too_long" {
			t.Errorf("ordered %q", got)
		}
		for id, n := range x.ends() {
			if n != 1 {
				t.Errorf("%s ended %d times", id, n)
			}
		}
	})
}

// An end that could not be written down, because the database was away, is written down later: the first one that was reported.
func TestWatchTriesAgain(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		v := x.route("3000", desk)
		away, leave := context.WithCancel(t.Context())
		leave()
		if err := x.calls.CallEnded(away, v.Call, End{Why: WhyDeclined, Status: 603, Cause: 21}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if l := x.calls.live.load; len(l.numbers)+len(l.accounts) != 0 {
			t.Errorf("it still takes up room: %+v", l)
		}
		x.must(x.calls.Watch(t.Context(), clock.Now()))
		row, err := x.calls.Call(x.robin, v.Call)
		if err != nil || *row.Outcome != call.OutcomeMissed || row.SipStatus != 603 || row.Cause != 21 || len(x.calls.live.calls) != 0 {
			t.Errorf("%+v, %v", row, err)
		}
	})
}

// Records that live though no process holds their call are ended: this node's soon, another's when no call can last as long.
func TestOrphans(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		orphan := func(node string, ago time.Duration) uuid.UUID {
			id := uuid.New()
			x.change(func(ctx context.Context, tx *ent.Client) error {
				return tx.Call.Create().SetID(id).SetConversationID(id).SetAccountID(x.number[desk].AccountID).SetNumberID(x.number[desk].ID).
					SetPeer(outsider).SetDirection(call.DirectionIncoming).SetNode(node).SetCreatedAt(clock.Now().Add(-ago)).Exec(ctx)
			})
			return id
		}
		lost, fresh := orphan("test", time.Minute), orphan("test", time.Second)
		elsewhere, dead := orphan("other", time.Hour), orphan("other", 5*time.Hour)
		x.must(x.calls.Watch(t.Context(), clock.Now()))
		x.must(x.calls.Watch(t.Context(), clock.Now()))
		for id, want := range map[uuid.UUID]string{lost: "lost", fresh: "", elsewhere: "", dead: "lost"} {
			if row, err := x.calls.Call(x.alice, id); err != nil || row.Reason != want {
				t.Errorf("%q, want %q; %v", row.Reason, want, err)
			}
		}
		if got := fmt.Sprint(x.told(x.alice)); got != "[ended:failed ended:failed]" {
			t.Error(got)
		}
	})
}

// What was live when a process died its next start ends, once, and says so; it leaves what other processes hold.
func TestRestart(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		ringing, talking, over := x.route("3000", desk), x.route(outsider, desk), x.route(outsider, shop)
		x.must(x.calls.CallRinging(t.Context(), ringing.Call))
		x.must(x.calls.CallAnswered(t.Context(), talking.Call))
		x.must(x.calls.CallEnded(t.Context(), over.Call, End{Why: WhyBusy}))
		x.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Call.Update().Where(call.ConversationID(talking.Call)).SetAnsweredAt(clock.Now().Add(-time.Minute)).Exec(ctx)
		})
		elsewhere := uuid.New()
		x.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Call.Create().SetID(elsewhere).SetConversationID(elsewhere).SetAccountID(x.number[desk].AccountID).SetPeer("").
				SetDirection(call.DirectionIncoming).SetNode("other").Exec(ctx)
		})
		for range 2 {
			x.start(Options{})
			x.must(x.calls.Restart(t.Context()))
		}
		for id, want := range map[uuid.UUID]string{x.recordOf(x.alice, ringing.Call): "failed restart", talking.Call: "answered restart", elsewhere: ""} {
			row, err := x.calls.Call(x.alice, id)
			x.must(err)
			got := row.Reason
			if row.Outcome != nil {
				got = string(*row.Outcome) + " " + got
			}
			if got != want || row.ID == talking.Call && row.Duration < 60 {
				t.Errorf("%s after %d s, want %s", got, row.Duration, want)
			}
		}
		for id, n := range x.ends() {
			if n != 1 {
				t.Errorf("%s ended %d times", id, n)
			}
		}
		if got := fmt.Sprint(x.told(x.robin)); got != "[dialled dialled rang ended:busy missed from "+outsider+" ended:failed]" {
			t.Error(got)
		}
	})
}

// With a number its calls go: those that are live are hung up, and the other side is told that they are over, once.
func TestDeletedNumber(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		v := x.route("3000", desk)
		x.must(x.calls.CallAnswered(t.Context(), v.Call))
		_, err := x.svc.DeleteNumber(x.alice, x.number[desk].ID)
		x.must(err)
		x.calls.orders.Wait()
		if got := x.engine.asked(); got != "hang up deleted" {
			t.Errorf("ordered %q", got)
		}
		x.must(x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyHungUp}))
		row, err := x.calls.Call(x.robin, v.Call)
		if err != nil || row.Reason != "deleted" || *row.Outcome != call.OutcomeAnswered {
			t.Errorf("%+v, %v", row, err)
		}
		for _, firm := range []context.Context{x.alice, x.robin} {
			if got := strings.Join(x.told(firm), " "); got != "dialled answered ended:answered" {
				t.Error(got)
			}
		}
		if n, err := x.calls.CountCalls(x.alice, CallFilter{}); err != nil || n != 0 {
			t.Errorf("%d records are left, %v", n, err)
		}
	})
}

// Another process deletes the number: this one notices when it looks.
func TestNumberDeletedElsewhere(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		x.route(outsider, desk)
		other, err := comms.New(comms.Options{Store: x.store, Secret: []byte(strings.Repeat("\a", 32)), Node: "other", HashCost: 4})
		x.must(err)
		_, err = other.DeleteNumber(x.alice, x.number[desk].ID)
		x.must(err)
		x.must(x.calls.Watch(t.Context(), clock.Now()))
		if len(x.calls.live.calls) != 1 {
			t.Error("a call that has just begun is taken for one whose records are gone")
		}
		x.must(x.calls.Watch(t.Context(), clock.Now().Add(31*time.Second)))
		if got := x.engine.asked(); got != "hang up deleted" || len(x.calls.live.calls) != 0 {
			t.Errorf("ordered %q", got)
		}
	})
}

// Run ends with its context, and not before what it started.
func TestRunEnds(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { x.calls.Run(ctx); close(ended) }()
		end()
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Error("it goes on")
		}
	})
}
