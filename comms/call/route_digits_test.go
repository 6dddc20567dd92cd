package call

import (
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
)

// Calls through masks of each kind, from the first digit to the records.
func TestCallsThroughMasks(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		x.unlimited()
		mask := func(in MaskNumbers) *comms.Mask {
			t.Helper()
			m, err := x.calls.MaskNumbers(x.alice, in)
			x.must(err)
			return m.Mask
		}
		axb := mask(MaskNumbers{Kind: "axb", First: ann, Second: bob, NumberID: x.number[quiet].ID, Record: true, UserData: "ride 7"})
		one := mask(MaskNumbers{Kind: "axb", First: cleo, Second: dan, NumberID: x.number[quiet].ID, Direction: "second"})
		mask(MaskNumbers{Kind: "axyb", First: ann, Second: cleo, NumberID: x.number[shown].ID, SecondNumberID: x.number[hotline].ID})
		for _, c := range []struct{ from, dialled, verdict, records string }{
			{bob, quiet, `2004 as "+8617118230003"`, `+8617118230003 incoming "+8613800000002" then +8613800000001 dialling`},
			{"2004", "17118230003", `trunk:+8613800000002 as "+8617118230003"`, `+8617118230003 incoming "+8613800000001" then +8613800000002 dialling`},
			{dan, quiet, `trunk:+8613800000003 as "+8617118230003"`, `+8617118230003 incoming "+8613800000004" then +8613800000003 dialling`},
			{cleo, quiet, "refused direction", `+8617118230003 incoming "+8613800000003" queued`},
			{outsider, quiet, "refused stranger", `+8617118230003 incoming "+8613900000009" queued`},
			{"", quiet, "refused stranger", `+8617118230003 incoming "" queued`},
			{"3000", quiet, "refused stranger", `+8617118230003 incoming "+8657151860001" queued; +8657151860001 outgoing "+8617118230003" queued`},
			{cleo, hotline, `2004 as "+8617118230002"`, `+8617118230001 incoming "+8613800000003" then +8613800000001 dialling`},
			{"2004", shown, `trunk:+8613800000003 as "+8617118230001"`, `+8617118230002 incoming "+8613800000001" then +8613800000003 dialling`},
		} {
			v := x.route(c.from, c.dialled)
			if got := x.words(v); got != c.verdict {
				t.Errorf("%s dials %s: %s, want %s", c.from, c.dialled, got, c.verdict)
			}
			if got := x.records(v.Call); got != c.records {
				t.Errorf("%s dials %s is recorded as\n%s, want\n%s", c.from, c.dialled, got, c.records)
			}
		}
		v := x.route(bob, quiet)
		row, err := x.calls.Call(x.alice, v.Call)
		if err != nil || !row.Record || row.UserData != "ride 7" || *row.MaskID != axb.ID {
			t.Errorf("%+v, %v", row, err)
		}
		_, err = x.calls.UnmaskNumbers(x.alice, one.ID)
		x.must(err)
		if got := x.words(x.route(dan, quiet)); got != "refused mask_expired" {
			t.Error(got)
		}
	})
}

func TestCallsToExtensions(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		_, err := x.calls.MaskNumbers(x.alice, MaskNumbers{Kind: "axe", First: ann, NumberID: x.number[quiet].ID, Extension: "12", Record: true,
			UserData: "12 is ann"})
		x.must(err)
		digits := func(v *Verdict, text string) *Verdict {
			t.Helper()
			next, err := x.calls.RouteDigits(t.Context(), v.Call, text)
			x.must(err)
			if next.Call != v.Call {
				t.Errorf("another call")
			}
			return next
		}
		if got := x.words(x.route(bob, quiet+"*12")); got != `2004 as "+8617118230003"` {
			t.Error(got)
		}
		v := x.route(bob, quiet) // the second of the two calls that the number takes: it doesn't stand in its own way
		if v.Ask == nil {
			t.Fatal(x.words(v))
		}
		if got := x.words(digits(v, "13")); got != "ask 8" {
			t.Error("a wrong extension: ", got)
		}
		if got := x.words(digits(v, "12")); got != `2004 as "+8617118230003"` {
			t.Error(got)
		}
		if got := x.records(v.Call); got != `+8617118230003 incoming "+8613800000002" then +8613800000001 dialling` {
			t.Error(got)
		}
		row, err := x.calls.Call(x.alice, v.Call)
		if err != nil || !row.Record || row.UserData != "12 is ann" || row.MaskID == nil {
			t.Errorf("%+v, %v", row, err)
		}
		if _, err := x.calls.RouteDigits(t.Context(), v.Call, "12"); refusal(err) != "CONFLICT call" {
			t.Error(err)
		}
		x.must(x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyHungUp}))
		if _, err := x.calls.RouteDigits(t.Context(), v.Call, "12"); refusal(err) != "CONFLICT call" {
			t.Error(err)
		}
		v = x.route(bob, quiet)
		for _, text := range []string{"", "99", "98"} {
			v = digits(v, text)
		}
		if got := x.words(v); got != "refused no_such" {
			t.Error(got)
		}
	})
}

// The party of an AX mask dials X and says whom it calls; whoever dials X reaches the party.
func TestCallOutThroughAX(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		_, err := x.calls.MaskNumbers(x.alice, MaskNumbers{Kind: "ax", First: ann, NumberID: x.number[quiet].ID})
		x.must(err)
		if got := x.words(x.route(bob, quiet)); got != `2004 as "+8617118230003"` {
			t.Error(got)
		}
		v := x.route("2004", quiet)
		if v.Ask == nil {
			t.Fatal(x.words(v))
		}
		next, err := x.calls.RouteDigits(t.Context(), v.Call, "13900000009")
		x.must(err)
		if got := x.words(next); got != `trunk:+8613900000009 as "+8617118230003"` {
			t.Error(got)
		}
		if got := x.records(v.Call); got != `+8617118230003 incoming "+8613800000001" then +8613900000009 dialling` {
			t.Error(got)
		}
		if next, err = x.calls.RouteDigits(t.Context(), x.secondAsk(t), "057151860001"); err != nil || x.words(next) != `3000 as "+8617118230003"` {
			t.Errorf("%+v, %v", next, err)
		}
	})
}

func (x *exchange) secondAsk(t *testing.T) uuid.UUID {
	t.Helper()
	x.unlimited()
	return x.route("2004", quiet).Call
}

// Whoever hangs up while his digits are looked at has hung up.
func TestDigitsAfterTheEnd(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		_, err := x.calls.MaskNumbers(x.alice, MaskNumbers{Kind: "axe", First: ann, NumberID: x.number[quiet].ID, Extension: "12"})
		x.must(err)
		v := x.route(bob, quiet)
		other := New(x.svc, Options{}) // the end is written, but this process hasn't heard of it yet
		x.must(other.CallEnded(t.Context(), v.Call, End{Why: WhyCancelled}))
		next, err := x.calls.RouteDigits(t.Context(), v.Call, "12")
		if err != nil || next.Refuse == nil || next.Refuse.Why != WhyCancelled || len(x.calls.live.calls) != 0 {
			t.Errorf("%+v, %v", next, err)
		}
		if l := x.calls.live.load; len(l.numbers) != 0 {
			t.Errorf("it is still counted: %+v", l)
		}
	})
}
