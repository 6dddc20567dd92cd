package call

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
)

// polyglot speaks English alone.
type polyglot struct{}

func (polyglot) Speaks(lang string) bool { return lang == "" || strings.HasPrefix(lang, "en") }

func TestPlaceCall(t *testing.T) {
	exchangesWith(t, Options{Voice: polyglot{}}, func(x *exchange) {
		x.unlimited()
		from := func(e164 string) uuid.UUID { return x.number[e164].ID }
		for _, c := range []struct {
			in               PlaceCall
			verdict, records string
		}{
			{PlaceCall{From: from(desk), To: shop}, `2000,2001,2002 as "+8657151860001", 3000 as "+862151860000"`,
				`+862151860000 outgoing "+8657151860001" dialling; +8657151860001 incoming "+862151860000" dialling`},
			{PlaceCall{From: from(quiet), To: "+999000000001"}, `nobody, world:+999000000001 as "+8617118230003"`,
				`+8617118230003 outgoing "+999000000001" dialling`},
			{PlaceCall{From: from(quiet), To: outsider, First: "2001", UserData: "u"},
				`2001 as "+8617118230003", trunk:+8613900000009 as "+8617118230003"`, `+8617118230003 outgoing "2001" then +8613900000009 dialling`},
			{PlaceCall{From: from(quiet), To: shop, First: outsider},
				`trunk:+8613900000009 as "+8617118230003", 3000 as "+8617118230003"`,
				`+8617118230003 outgoing "+8613900000009" then +8657151860001 dialling; +8657151860001 incoming "+8617118230003" dialling`},
			{PlaceCall{From: from(desk), To: outsider, Message: "hello", Lang: "en-GB"}, `nobody, trunk:+8613900000009 as "+862151860000", hears "hello"`,
				`+862151860000 outgoing "+8613900000009" dialling`},
			{PlaceCall{To: "2003", Message: "hello"}, `nobody, 2003 as "` + x.first() + `", hears "hello"`, x.first() + ` outgoing "2003" dialling`},
		} {
			placed, err := x.calls.PlaceCall(x.alice, c.in)
			if err != nil {
				t.Errorf("%+v: %v", c.in, err)
				continue
			}
			v := x.engine.dialled[len(x.engine.dialled)-1]
			if got := x.words(v); got != c.verdict {
				t.Errorf("%+v: %s, want %s", c.in, got, c.verdict)
			}
			if got := x.records(v.Call); got != c.records {
				t.Errorf("%+v: %s, want\n%s", c.in, got, c.records)
			}
			if placed.Replayed || placed.Call.Direction != call.DirectionOutgoing || placed.Call.UserData != c.in.UserData || placed.Call.DialledAt == nil {
				t.Errorf("%+v", placed.Call)
			}
		}
		v := placeIt(x, PlaceCall{From: from(desk), To: shop, RingFor: 20 * time.Second, MaxDuration: time.Minute})
		if v.First.RingFor != 20*time.Second || v.Second.RingFor != 20*time.Second || v.MaxDuration != time.Minute {
			t.Errorf("%+v", v)
		}
	})
}

// first is alice's number that is shown where none is named: her oldest that may be.
func (x *exchange) first() string {
	n, err := x.calls.displayable(x.Context(), comms.ActorOf(x.alice).AccountID)
	x.must(err)
	return n.Number
}

func placeIt(x *exchange, in PlaceCall) *Verdict {
	x.Helper()
	_, err := x.calls.PlaceCall(x.alice, in)
	x.must(err)
	return x.engine.dialled[len(x.engine.dialled)-1]
}

func TestPlaceCallRefusals(t *testing.T) {
	exchangesWith(t, Options{Voice: polyglot{}}, func(x *exchange) {
		good := PlaceCall{From: x.number[desk].ID, To: outsider}
		_, err := x.calls.MaskNumbers(x.alice, MaskNumbers{Kind: "axe", First: ann, NumberID: x.number[quiet].ID})
		x.must(err)
		for _, c := range []struct {
			change func(in *PlaceCall)
			want   string
		}{
			{func(in *PlaceCall) { in.To = " " }, "INVALID to"},
			{func(in *PlaceCall) { in.To = "alice" }, "NOT_FOUND to"},
			{func(in *PlaceCall) { in.To = "110" }, "NOT_FOUND to"},
			{func(in *PlaceCall) { in.To = "+12025550123" }, "FORBIDDEN to"},
			{func(in *PlaceCall) { in.To = shown }, "FORBIDDEN to"},
			{func(in *PlaceCall) { in.To = quiet }, "NOT_FOUND to"}, // an extension is needed
			{func(in *PlaceCall) { in.From = uuid.Nil }, "INVALID from"},
			{func(in *PlaceCall) { in.From = uuid.New() }, "NOT_FOUND from"},
			{func(in *PlaceCall) { in.From = x.number[shop].ID }, "NOT_FOUND from"},
			{func(in *PlaceCall) { in.From = x.number[hotline].ID }, "FORBIDDEN from"},
			{func(in *PlaceCall) { in.First, in.Message = "2000", "hello" }, "INVALID first"},
			{func(in *PlaceCall) { in.First = "alice" }, "NOT_FOUND to"},
			{func(in *PlaceCall) { in.Message = strings.Repeat("x", 2001) }, "INVALID message"},
			{func(in *PlaceCall) { in.Message, in.Lang = "salut", "fr" }, "UNAVAILABLE  NO_VOICE"},
			{func(in *PlaceCall) { in.RingFor = 14 * time.Second }, "INVALID ringFor"},
			{func(in *PlaceCall) { in.RingFor = 181 * time.Second }, "INVALID ringFor"},
			{func(in *PlaceCall) { in.MaxDuration = 5 * time.Hour }, "INVALID maxDuration"},
			{func(in *PlaceCall) { in.UserData = strings.Repeat("x", 1025) }, "INVALID userData"},
			{func(in *PlaceCall) { in.ClientKey = "\xff" }, "INVALID clientKey"},
		} {
			in := good
			c.change(&in)
			if _, err := x.calls.PlaceCall(x.alice, in); refusal(err) != c.want {
				t.Errorf("%+v: %v, want %s", in, err, c.want)
			}
		}
		reader := comms.WithActor(t.Context(), &comms.Actor{AccountID: comms.ActorOf(x.alice).AccountID, Scopes: comms.ReadRecords})
		if _, err := x.calls.PlaceCall(reader, good); refusal(err) != "FORBIDDEN  SCOPE" {
			t.Error(err)
		}
		if n := len(x.told(x.alice)); n != 0 || len(x.engine.dialled) != 0 || len(x.calls.live.calls) != 0 {
			t.Errorf("%d events of calls that there are not", n)
		}
	})
}

// What becomes of a call that can't be made is a record, not an error.
func TestPlacedCallsThatFail(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		_, err := x.svc.BlockNumber(x.robin, comms.BlockNumber{Number: desk})
		x.must(err)
		placed, err := x.calls.PlaceCall(x.alice, PlaceCall{From: x.number[desk].ID, To: shop})
		if err != nil || placed.Call.Status != call.StatusEnded || *placed.Call.Outcome != call.OutcomeBlocked || len(x.engine.dialled) != 0 {
			t.Errorf("blocked: %+v, %v", placed, err)
		}
		for fault, want := range map[error]string{errors.New("no socket"): "failed", &comms.Error{Code: comms.Unavailable}: "overload"} {
			x.engine.refuse["dial"] = fault
			placed, err = x.calls.PlaceCall(x.alice, PlaceCall{From: x.number[desk].ID, To: outsider})
			if err != nil || *placed.Call.Outcome != call.OutcomeFailed || placed.Call.Reason != want {
				t.Errorf("%v: %+v, %v", fault, placed, err)
			}
		}
		for to, want := range map[string]Why{"+12025550123": WhyNotAllowed, "+999999999999": WhyNoSuch, shown: WhyNotAllowed} {
			placed, err = x.calls.PlaceCall(x.alice, PlaceCall{From: x.number[desk].ID, To: to, ClientKey: to, Anyhow: true})
			if err != nil || placed.Replayed || *placed.Call.Outcome != call.OutcomeFailed || placed.Call.Reason != string(want) {
				t.Errorf("%s: %+v, %v", to, placed, err)
			}
		}
		row, err := x.calls.PlaceFor(t.Context(), PlaceMasked{AccountID: x.number[quiet].AccountID, X: x.number[quiet], First: ann, Second: "+12025550123"})
		if err != nil || *row.Outcome != call.OutcomeFailed || row.Reason != string(WhyNotAllowed) || row.Peer != ann || row.Second != "+12025550123" {
			t.Errorf("%+v, %v", row, err)
		}
		if len(x.calls.live.calls) != 0 {
			t.Error("a call is held that was never made")
		}
	})
}

// Both sides of a call through a mask see the mask's number and nothing of each other; what is told of it is that of a click-to-call.
func TestPlaceFor(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		mask, app := uuid.New(), uuid.New()
		row, err := x.calls.PlaceFor(t.Context(), PlaceMasked{AccountID: x.number[shown].AccountID, ApplicationID: app, MaskID: mask,
			X: x.number[shown], First: ann, Second: bob, Record: true, UserData: "trip"})
		x.must(err)
		v := x.engine.dialled[0]
		if got := x.words(v); got != `2004 as "+8617118230002", trunk:+8613800000002 as "+8617118230002"` {
			t.Error(got)
		}
		if row.Peer != ann || row.Second != bob || !row.Record || row.UserData != "trip" || *row.MaskID != mask || *row.ApplicationID != app ||
			row.Direction != call.DirectionOutgoing {
			t.Errorf("%+v", row)
		}
		x.must(x.calls.CallAnswered(t.Context(), v.Call))
		x.calls.orders.Wait()
		if got := x.engine.asked(); got != "record" {
			t.Errorf("ordered %q", got)
		}
		recordings, err := x.calls.RecordingsOfCalls(x.alice, []uuid.UUID{row.ID})
		if err != nil || len(recordings[row.ID]) != 1 || recordings[row.ID][0].Status != "recording" {
			t.Errorf("%+v, %v", recordings, err)
		}
	})
}

// The same key is the same call, also at the same time.
func TestPlacedOnce(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		for _, in := range []PlaceCall{{From: x.number[desk].ID, To: outsider, ClientKey: "c1"},
			{From: x.number[desk].ID, To: outsider, IdempotencyKey: "k1"}} {
			var wg sync.WaitGroup
			var mu sync.Mutex
			made, replayed := map[uuid.UUID]int{}, 0
			for range 6 {
				wg.Go(func() {
					placed, err := x.calls.PlaceCall(x.alice, in)
					x.check(err)
					mu.Lock()
					defer mu.Unlock()
					if made[placed.Call.ID]++; placed.Replayed {
						replayed++
					}
				})
			}
			wg.Wait()
			if len(made) != 1 || replayed != 5 {
				t.Errorf("%+v: %v, %d replayed", in, made, replayed)
			}
		}
		if len(x.engine.dialled) != 2 || len(x.calls.live.calls) != 2 {
			t.Errorf("%d are dialled, %d held", len(x.engine.dialled), len(x.calls.live.calls))
		}
		if _, err := x.calls.PlaceCall(x.robin, PlaceCall{From: x.number[shop].ID, To: outsider, ClientKey: "c1"}); err != nil {
			t.Errorf("another account's key: %v", err)
		}
		changed := PlaceCall{From: x.number[desk].ID, To: shop, IdempotencyKey: "k1"}
		if _, err := x.calls.PlaceCall(x.alice, changed); refusal(err) != "CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED" {
			t.Error(err)
		}
	})
}

// However many ask at once, no more calls than allowed get through; ending one makes room.
// The same request again is the same call, also where no more are allowed.
func TestPlacedAgainAtTheLimit(t *testing.T) {
	exchangesWith(t, Options{Limits: Limits{AtOnce: 1, FreeAtOnce: 1}}, func(x *exchange) {
		in := PlaceCall{From: x.number[quiet].ID, To: "+999000000001", IdempotencyKey: "once"}
		first, err := x.calls.PlaceCall(x.alice, in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := x.calls.PlaceCall(x.alice, in)
		if err != nil || !again.Replayed || again.Call.ID != first.Call.ID {
			t.Errorf("%+v, %v", again, err)
		}
		in.To = "+999000000002"
		if _, err := x.calls.PlaceCall(x.alice, in); comms.AsError(err).Reason != comms.ReasonKeyReused {
			t.Errorf("another request under the key: %v", err)
		}
	})
}

func TestLimits(t *testing.T) {
	exchangesWith(t, Options{Limits: Limits{AtOnce: 5, FreeAtOnce: 3, PerMinute: 8}}, func(x *exchange) {
		var mu sync.Mutex
		through := func(n int, from, to string) (out []*Verdict) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					v, err := x.calls.RouteCall(t.Context(), RouteCall{Phone: x.phone[from], Dialled: to})
					x.check(err)
					mu.Lock()
					defer mu.Unlock()
					if v.Refuse == nil {
						out = append(out, v)
					}
				})
			}
			wg.Wait()
			return out
		}
		if got := through(8, "3000", outsider); len(got) != 3 {
			t.Errorf("%d calls of a free account", len(got))
		}
		got := through(8, "2000", outsider)
		if len(got) != 5 {
			t.Errorf("%d calls of a paying one", len(got))
		}
		for _, v := range got {
			x.must(x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyHungUp}))
		}
		if got := through(8, "2000", outsider); len(got) != 3 {
			t.Errorf("%d more in the same minute", len(got))
		}
		if n, err := x.calls.CountCalls(x.robin, CallFilter{}); err != nil || n != 3 {
			t.Errorf("what a limit refuses is not recorded: %d, %v", n, err)
		}
		_, err := x.calls.PlaceCall(x.alice, PlaceCall{From: x.number[desk].ID, To: outsider})
		if e := comms.AsError(err); e == nil || e.Code != comms.Limited || e.RetryAfter == 0 {
			t.Error(err)
		}
	})
}

// A number takes so many calls at once, whoever calls, and not one more.
func TestConcurrency(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		first := x.route(outsider, desk)
		x.route("3000", desk)
		v := x.route(outsider, desk)
		if got := x.words(v); got != "refused busy" {
			t.Fatal(got)
		}
		x.must(x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyBusy, Status: 486, Cause: 17}))
		x.must(x.calls.CallEnded(t.Context(), first.Call, End{Why: WhyNoAnswer}))
		if got := x.words(x.route(outsider, desk)); !strings.HasPrefix(got, "2000") {
			t.Error(got)
		}
	})
}
