package call

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// The table has a line for each report, and whatever status a call is in it can end, once.
func TestSteps(t *testing.T) {
	order := []call.Status{call.StatusQueued, call.StatusDialling, call.StatusRinging, call.StatusAnswered, call.StatusEnded}
	for _, r := range []report{wasDialled, hasRung, wasAnswered, hasEnded} {
		s, ok := steps[r]
		if !ok {
			t.Fatalf("no line for report %d", r)
		}
		for _, from := range s.from {
			if slices.Index(order, from) >= slices.Index(order, s.to) {
				t.Errorf("%s leads back to %s", from, s.to)
			}
		}
		if slices.Contains(s.from, call.StatusEnded) {
			t.Errorf("a call that has ended becomes %s", s.to)
		}
	}
	if len(steps[hasEnded].from) != len(order)-1 {
		t.Errorf("only %v can end", steps[hasEnded].from)
	}
}

// Every word for an end makes the same of a call that nobody answered, and nothing of one that was.
func TestOutcomes(t *testing.T) {
	at := clock.Now()
	incoming := []*comms.Call{{Direction: call.DirectionOutgoing}, {Direction: call.DirectionIncoming}}
	outgoing := incoming[:1]
	for why, want := range map[Why]string{
		WhyHungUp: "failed failed", WhyNoAnswer: "missed missed", WhyBusy: "busy busy", WhyDeclined: "missed missed",
		WhyCancelled: "cancelled cancelled", WhyUnreachable: "missed failed", WhyNoSuch: "failed failed", WhyDisabled: "failed failed",
		WhyBlocked: "blocked blocked", WhyStranger: "blocked blocked", WhyExpired: "blocked blocked", WhyDirection: "blocked blocked",
		WhyNotAllowed: "failed failed", WhyTooMany: "failed failed", WhyOverload: "failed failed", WhyNoMedia: "failed failed",
		WhyNoVoice: "failed failed", WhyTooLong: "failed failed", WhyLost: "failed failed", WhyRestart: "failed failed",
		WhyStopping: "failed failed", WhyDeleted: "failed failed", WhyFailed: "failed failed", "a new word": "failed failed",
	} {
		got := fmt.Sprint(becomes(incoming, End{Why: why}, at).outcome, " ", becomes(outgoing, End{Why: why}, at).outcome)
		if got != want {
			t.Errorf("%s: %s, want %s", why, got, want)
		}
		then := at.Add(-90_700_000_000)
		if b := becomes([]*comms.Call{{AnsweredAt: &then}}, End{Why: why}, at); b.outcome != call.OutcomeAnswered || b.seconds != 90 {
			t.Errorf("%s after 90.7 s: %+v", why, b)
		}
	}
}

// Whatever is reported of calls in whatever order, doubled, late, several at once: each record ends exactly once, no status is told after a
// later one, and what is told last is what is stored.
func TestAnyOrderOfReports(t *testing.T) {
	exchangesWith(t, Options{Limits: Limits{PerMinute: 10_000, AtOnce: 10_000, FreeAtOnce: 10_000}}, func(x *exchange) {
		x.unlimited()
		const conversations = 40
		dice := rand.New(rand.NewPCG(3, 14))
		var wg sync.WaitGroup
		for range conversations {
			v := x.route("3000", desk)
			if v.Second == nil {
				t.Fatalf("%+v", v.Refuse)
			}
			reports := []func() error{
				func() error { return x.calls.CallRinging(t.Context(), v.Call) },
				func() error { return x.calls.CallRinging(t.Context(), v.Call) },
				func() error { return x.calls.CallAnswered(t.Context(), v.Call) },
				func() error { return x.calls.CallAnswered(t.Context(), v.Call) },
				func() error { return x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyHungUp}) },
				func() error { return x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyBusy}) },
				func() error { return x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyCancelled}) },
			}
			dice.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
			together := dice.IntN(3) == 0
			wg.Go(func() {
				var inner sync.WaitGroup
				for _, r := range reports {
					if together {
						inner.Go(func() { x.check(r()) })
					} else {
						x.check(r())
					}
				}
				inner.Wait()
			})
		}
		wg.Wait()
		ends := x.ends()
		if len(ends) != 2*conversations {
			t.Errorf("%d records have ended, want %d", len(ends), 2*conversations)
		}
		for id, n := range ends {
			if n != 1 {
				t.Errorf("%s ended %d times", id, n)
			}
		}
		x.inOrder(x.alice)
		x.inOrder(x.robin)
		if held := len(x.calls.live.calls); held != 0 {
			t.Errorf("%d calls are still held", held)
		}
		if l := x.calls.live.load; len(l.accounts)+len(l.numbers)+len(l.trunks) != 0 {
			t.Errorf("still counted: %+v", l)
		}
	})
}

// inOrder checks that each call's events stand in the order of the table, with what was so then.
func (x *exchange) inOrder(firm context.Context) {
	x.Helper()
	watch, err := x.svc.OpenWatch(firm, comms.Watch{After: "e0", Kinds: comms.CallKinds()})
	x.must(err)
	defer watch.Close()
	events, _, err := watch.Missed(firm, 0, 10_000)
	x.must(err)
	last := map[uuid.UUID]*comms.Event{}
	for _, e := range events {
		if before := last[e.Call.ID]; before != nil {
			if slices.Index(comms.CallKinds(), e.Kind) <= slices.Index(comms.CallKinds(), before.Kind) || e.At < before.At {
				x.Errorf("%s: %s after %s", e.Call.ID, e.Kind, before.Kind)
			}
		}
		last[e.Call.ID] = e
	}
	for id, e := range last {
		row, err := x.calls.Call(firm, id)
		x.must(err)
		if e.Kind != comms.CallEnded || row.Status != e.Call.Status || *row.Outcome != *e.Call.Outcome || row.Reason != e.Call.Reason ||
			*row.EndedAt != e.At {
			x.Errorf("told %s %+v, stored %+v", e.Kind, e.Call, row)
		}
	}
}

// A call that nobody took leaves one notice with each number that was called, in the log where the end is; an answered one leaves none.
func TestMissedCalls(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		end := func(v *Verdict, why Why) {
			x.must(x.calls.CallEnded(t.Context(), v.Call, End{Why: why, Status: 480, Cause: 18}))
		}
		v := x.route("3000", desk)
		x.must(x.calls.CallRinging(t.Context(), v.Call))
		end(v, WhyNoAnswer)
		end(v, WhyHungUp)
		v = x.route("", desk)
		end(v, WhyCancelled)
		v = x.route(outsider, desk)
		x.must(x.calls.CallAnswered(t.Context(), v.Call))
		end(v, WhyHungUp)
		v = x.route(outsider, quiet)
		end(v, v.Refuse.Why)
		if got, want := fmt.Sprint(x.told(x.alice)), "[dialled rang ended:missed missed from "+shop+" dialled ended:cancelled missed from  "+
			"dialled answered ended:answered queued ended:missed missed from "+outsider+"]"; got != want {
			t.Errorf("%s, want\n%s", got, want)
		}
		if got := fmt.Sprint(x.told(x.robin)); got != "[dialled rang ended:missed]" {
			t.Error(got)
		}
		took, err := x.svc.TakeMessages(t.Context(), comms.TakeMessages{Numbers: ids(x.number[desk])})
		if err != nil || len(took) != 2 || took[0].FromNumber != shop || took[0].Kind != "missed_call" || took[0].ToNumber != desk {
			t.Errorf("%v, %v", took, err)
		}
		again, err := x.svc.TakeMessages(t.Context(), comms.TakeMessages{Numbers: ids(x.number[desk])})
		if err != nil || len(again) != 0 {
			t.Errorf("again: %v, %v", again, err)
		}
		sent, err := x.svc.Messages(x.robin, comms.MessageFilter{}, comms.Page{})
		if err != nil || len(sent.Items) != 0 {
			t.Errorf("the caller has sent nothing: %v, %v", sent, err)
		}
		row, err := x.calls.Call(x.robin, v.Call)
		if refusal(err) != "NOT_FOUND id " && refusal(err) != "NOT_FOUND id" {
			t.Errorf("a stranger reads a record: %v, %v", row, err)
		}
	})
}
