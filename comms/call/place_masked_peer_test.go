package call

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
)

// Whoever calls a masked number by way of this program learns no more than who dials it: not from the telephone that is rung first, not from
// the record of the call, its events, or one that is put through to it.
func TestMaskedPartyIsUnknownToWhoCalls(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		_, err := x.calls.MaskNumbers(x.alice, MaskNumbers{Kind: "axb", First: shop, Second: bob, NumberID: x.number[quiet].ID})
		x.must(err)
		for _, in := range []PlaceCall{{To: quiet}, {To: quiet, First: outsider}} {
			in.From = x.number[shop].ID
			placed, err := x.calls.PlaceCall(x.robin, in)
			x.must(err)
			v := x.engine.dialled[len(x.engine.dialled)-1]
			if v.Second == nil || v.Second.Number != bob {
				t.Fatalf("the mask leads to %+v", v.Second)
			}
			if v.First.ShownAs == bob || v.First.Number == bob {
				t.Errorf("the first side is shown %s", v.First.ShownAs)
			}
			x.must(x.calls.CallEnded(t.Context(), placed.Call.ID, End{Why: WhyHungUp}))
		}
		talk := x.route("3000", outsider)
		x.must(x.calls.CallAnswered(t.Context(), talk.Call))
		_, err = x.calls.Transfer(x.robin, Transfer{Call: talk.Call, To: quiet})
		x.must(err)
		x.must(x.calls.CallTransferred(t.Context(), talk.Call, ""))
		row, err := x.calls.Call(x.robin, talk.Call)
		x.must(err)
		if row.Second != quiet || !strings.Contains(x.engine.asked(), "transfer "+bob) {
			t.Errorf("the call is put through to %q", row.Second)
		}
		x.unseen(bob)
	})
}

// unseen fails where Robin's records or events name the number.
func (x *exchange) unseen(number string) {
	x.Helper()
	account := comms.ActorOf(x.robin).AccountID
	for _, r := range x.store.Read().Call.Query().Where(call.AccountID(account)).AllX(x.Context()) {
		if r.Peer == number || r.Second == number || r.MaskID != nil {
			x.Errorf("a record says %q, %q and mask %v", r.Peer, r.Second, r.MaskID)
		}
	}
	watch, err := x.svc.OpenWatch(x.robin, comms.Watch{After: "e0"})
	x.must(err)
	defer watch.Close()
	events, _, err := watch.Missed(x.robin, 0, 1000)
	x.must(err)
	for _, e := range events {
		if e.Call != nil && (e.Call.Peer == number || e.Call.Second == number) {
			x.Errorf("%s says %q, %q", e.Kind, e.Call.Peer, e.Call.Second)
		}
	}
	if account == uuid.Nil || len(events) == 0 {
		x.Error("nothing was looked at")
	}
}

// A party of a mask sees the number that is shown to it, and may block that one.
func TestShownNumberOfAMaskIsBlocked(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		_, err := x.calls.MaskNumbers(x.alice, MaskNumbers{Kind: "axyb", First: outsider, Second: shop, NumberID: x.number[quiet].ID,
			SecondNumberID: x.number[mobile].ID})
		x.must(err)
		if got := x.words(x.route(outsider, quiet)); got != `3000 as "`+mobile+`"` {
			t.Fatalf("before: %s", got)
		}
		_, err = x.svc.BlockNumber(x.robin, comms.BlockNumber{Number: mobile})
		x.must(err)
		if got := x.words(x.route(outsider, quiet)); got != "refused blocked" {
			t.Errorf("after: %s", got)
		}
	})
}

// A call both of whose sides are outside takes two places on the trunk.
func TestBothSidesTakeTheirPlaceOnATrunk(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		x.change(func(ctx context.Context, tx *ent.Client) error { return tx.Trunk.Update().SetConcurrency(1).Exec(ctx) })
		_, err := x.calls.PlaceCall(x.alice, PlaceCall{From: x.number[quiet].ID, To: outsider, First: "+8613900000008"})
		if refusal(err) != "LIMITED" {
			t.Errorf("%v", err)
		}
		if _, err := x.calls.PlaceCall(x.alice, PlaceCall{From: x.number[quiet].ID, To: outsider}); err != nil {
			t.Error(err)
		}
	})
}

// Numbers that this program draws are nobody's outside: a carrier's caller who shows one is not believed.
func TestNobodyOutsideHasADrawnNumber(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		drawn := "+999123456789"
		_, err := x.calls.MaskNumbers(x.alice, MaskNumbers{Kind: "axb", First: drawn, Second: bob, NumberID: x.number[quiet].ID})
		x.must(err)
		for dialled, want := range map[string]string{desk: `2000,2001,2002 as ""`, quiet: "refused stranger"} {
			if got := x.words(x.route(drawn, dialled)); got != want {
				t.Errorf("%s: %s, want %s", dialled, got, want)
			}
		}
	})
}
