package call

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
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
		row, err := x.calls.Transfer(x.robin, Transfer{Call: talk.Call, To: quiet})
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
