package call

import (
	"context"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
)

// stand gives the account telephones: 2000 rings for one of its own numbers, 1001 and 1002 stand for two parties.
func (w *masking) stand() {
	w.Helper()
	_, err := w.svc.Provision(w.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{{Email: "rides@example.com",
		SipNumbers: []comms.ProvisionSipNumber{{Number: "2000", Rings: []string{"+862151860000"}}, {Number: "1001", Rings: []string{ann}}, {Number: "1002", Rings: []string{bob}}}}}})
	if err != nil {
		w.Fatal(err)
	}
}

func TestExplainRoute(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		w.stand()
		x, anybody, exten := w.x["+8617118230000"], w.x["+8617118230001"], w.x["+8657151860001"]
		w.mask(MaskNumbers{Kind: "axb", First: ann, Second: bob, NumberID: x.ID, Direction: "first", TTL: time.Hour, Record: true})
		w.unmask(w.mask(MaskNumbers{Kind: "axb", First: cleo, Second: dan, NumberID: x.ID}))
		w.mask(MaskNumbers{Kind: "ax", First: bob, NumberID: anybody.ID})
		w.mask(MaskNumbers{Kind: "axe", First: ann, NumberID: exten.ID, Extension: "12"})
		later := clock.Now().Add(2 * time.Hour)
		for name, c := range map[string]struct {
			in     ExplainRoute
			why    Why
			to, as string // of the second leg
			ask    bool
		}{
			"through the mask":      {in: ExplainRoute{From: ann, To: "17118230000"}, to: bob, as: x.Number},
			"by the telephone":      {in: ExplainRoute{From: "1001", To: x.Number}, to: bob, as: x.Number},
			"against it":            {in: ExplainRoute{From: bob, To: x.Number}, why: WhyDirection},
			"when it has ended":     {in: ExplainRoute{From: ann, To: x.Number, At: later}, why: WhyExpired},
			"by who was bound":      {in: ExplainRoute{From: cleo, To: x.Number}, why: WhyExpired},
			"by a stranger":         {in: ExplainRoute{From: "+8613911112222", To: x.Number}, why: WhyStranger},
			"withheld":              {in: ExplainRoute{To: x.Number}, why: WhyStranger},
			"anybody":               {in: ExplainRoute{From: cleo, To: anybody.Number}, to: bob, as: anybody.Number},
			"whose it is":           {in: ExplainRoute{From: bob, To: anybody.Number}, ask: true},
			"an extension":          {in: ExplainRoute{From: cleo, To: exten.Number}, ask: true},
			"an extension, dialled": {in: ExplainRoute{From: cleo, To: exten.Number + "*12"}, to: ann, as: exten.Number},
			"a wrong extension":     {in: ExplainRoute{From: cleo, To: exten.Number + "*13"}, why: WhyNoSuch},
			"a desk":                {in: ExplainRoute{From: cleo, To: "021 5186 0000"}, to: "+862151860000", as: cleo},
			"from the desk":         {in: ExplainRoute{From: "+862151860000", To: "1001"}, to: "1001", as: "+862151860000"},
			"from a number":         {in: ExplainRoute{From: x.Number, To: "1001"}, to: "1001", as: x.Number},
			"the test world":        {in: ExplainRoute{From: "2000", To: "+999000000001"}, to: "+999000000001", as: "+862151860000"},
			"no such":               {in: ExplainRoute{From: "2000", To: "abc"}, why: WhyNoSuch},
		} {
			e, err := w.calls.ExplainRoute(w.ctx, c.in)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			why, to, as := Why(""), "", ""
			if e.Refuse != nil {
				why = e.Refuse.Why
			}
			if e.Second != nil {
				to, as = e.Second.Number, e.Second.ShownAs
			}
			if why != c.why || to != c.to || as != c.as || (e.Ask != nil) != c.ask || len(e.Steps) == 0 || e.Record != (c.to == bob && c.as == x.Number) {
				t.Errorf("%s: %s", name, asJSON(t, e))
			}
		}
		if n, err := w.store.Read().Call.Query().Count(t.Context()); n != 0 || err != nil {
			t.Errorf("explaining left %d traces, %v", n, err)
		}
	})
}

// What placeCall refuses to place is not explained as if it were put through.
func TestExplainWhatCannotBePlaced(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		w.stand()
		from := w.x["+8617118230009"]
		for want, change := range map[Why]func(*ent.NumberUpdateOne){
			WhyNotAllowed: func(n *ent.NumberUpdateOne) { n.SetAbility("service").SetDisabled(false) },
			WhyDisabled:   func(n *ent.NumberUpdateOne) { n.SetAbility("both").SetDisabled(true) },
		} {
			w.change(func(ctx context.Context, tx *ent.Client) error {
				n := tx.Number.UpdateOneID(from.ID)
				change(n)
				return n.Exec(ctx)
			})
			for _, to := range []string{"1001", "+999000000001", "+862151860000", "+8617118239000", cleo} {
				e, err := w.calls.ExplainRoute(w.ctx, ExplainRoute{From: from.Number, To: to})
				if err != nil || e.Refuse == nil || e.Refuse.Why != want || len(e.Steps) != 2 {
					t.Errorf("%s to %s: %s, %v", want, to, asJSON(t, e), err)
				}
				if _, err := w.calls.PlaceCall(w.ctx, PlaceCall{From: from.ID, To: to}); err == nil {
					t.Errorf("%s: a call to %s was placed", want, to)
				}
			}
		}
	})
}

// What other accounts do with their numbers is not explained: neither whom their masks reach nor whom they block.
func TestExplainTellsNothingOfOthers(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		w.stand()
		theirs, stranger := w.x["+8617118239000"], w.as("stranger@example.com")
		if _, err := w.calls.MaskNumbers(stranger, MaskNumbers{Kind: "ax", First: cleo, NumberID: theirs.ID}); err != nil {
			t.Fatal(err)
		}
		before, err := w.calls.ExplainRoute(w.ctx, ExplainRoute{From: "2000", To: theirs.Number})
		if err != nil || before.Second == nil || before.Second.Number != theirs.Number || before.Second.ShownAs != "+862151860000" || strings.Contains(asJSON(t, before), cleo) {
			t.Errorf("%s, %v", asJSON(t, before), err)
		}
		if _, err := w.svc.BlockNumber(stranger, comms.BlockNumber{Number: "+862151860000"}); err != nil {
			t.Fatal(err)
		}
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Number.UpdateOneID(theirs.ID).SetDisabled(true).Exec(ctx)
		})
		after, err := w.calls.ExplainRoute(w.ctx, ExplainRoute{From: "2000", To: theirs.Number})
		if err != nil || strings.Join(after.Steps, "\n") != strings.Join(before.Steps, "\n") || after.Refuse != nil {
			t.Errorf("%s, %v", asJSON(t, after), err)
		}
		for _, c := range []struct {
			ctx  context.Context
			in   ExplainRoute
			want string
		}{
			{w.ctx, ExplainRoute{From: cleo, To: theirs.Number}, "NOT_FOUND from"}, {w.ctx, ExplainRoute{From: cleo, To: dan}, "NOT_FOUND from"},
			{stranger, ExplainRoute{From: "2000", To: dan}, "NOT_FOUND from"}, {stranger, ExplainRoute{From: ann, To: dan}, "NOT_FOUND from"},
			{w.ctx, ExplainRoute{From: "x", To: dan}, "INVALID from"}, {t.Context(), ExplainRoute{To: dan}, "UNAUTHENTICATED"},
		} {
			if _, err := w.calls.ExplainRoute(c.ctx, c.in); refusal(err) != c.want {
				t.Errorf("%+v: %v, want %s", c.in, err, c.want)
			}
		}
	})
}
