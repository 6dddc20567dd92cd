package call

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/mask"
	"switchboard/internal/clock"
)

func TestPairSharesOneNumber(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x := w.x["+8617118230000"]
		m := w.mask(MaskNumbers{Kind: "AXB", First: "+86 138 0000 0001", Second: bob, NumberID: x.ID, Record: true, UserData: "ride 7"})
		if m.Kind != mask.KindAxb || m.First != ann || m.Second != bob || m.NumberID != x.ID || !m.Record || m.UserData != "ride 7" ||
			m.Direction != mask.DirectionBoth || m.ExpiresAt != nil || m.EndedAt != nil {
			t.Errorf("%+v", m)
		}
		other := w.mask(MaskNumbers{Kind: "axb", First: cleo, Second: dan, NumberID: x.ID}) // a pair without a party in common
		now := clock.Now()
		for caller, want := range map[string]string{ann: bob, bob: ann, cleo: dan, dan: cleo} {
			hit := w.at(x, caller, now)
			if hit.Mask == nil || hit.Peer != want || hit.ShownAs != x.Number || hit.Against || hit.Ended || !hit.Masked {
				t.Errorf("%s: %+v", caller, hit)
			}
		}
		for _, caller := range []string{"+8613900000000", ""} {
			if hit := w.at(x, caller, now); hit.Mask != nil || hit.Ended || hit.Anybody != nil || hit.Dial || !hit.Masked {
				t.Errorf("a stranger %q: %+v", caller, hit)
			}
		}
		kinds, last := w.story()
		if kinds != "created created" || last.Mask.ID != other.ID || last.NumberID != x.ID {
			t.Error(kinds, asJSON(t, last))
		}
	})
}

func TestDirections(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		for direction, against := range map[string]string{"both": "", "": "", "first": bob, "SECOND": ann} {
			m := w.mask(MaskNumbers{Kind: "axb", First: ann, Second: bob, Direction: direction})
			for _, caller := range []string{ann, bob} {
				hit := w.at(w.numberOf(m.NumberID), caller, clock.Now())
				if hit.Mask == nil || hit.Against != (caller == against) {
					t.Errorf("%s, %s: %+v", direction, caller, hit)
				}
			}
			w.unmask(m)
		}
	})
}

func (w *masking) numberOf(id uuid.UUID) *comms.Number {
	for _, n := range w.x {
		if n.ID == id {
			return n
		}
	}
	w.Fatal("no number ", id)
	return nil
}

// Each party of an AXYB mask dials a number of its own, and sees that one only.
func TestTwoNumbers(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x, y := w.x["+8617118230000"], w.x["+8617118230001"]
		w.mask(MaskNumbers{Kind: "axyb", First: ann, Second: bob, NumberID: x.ID, SecondNumberID: y.ID})
		now := clock.Now()
		if hit := w.at(x, ann, now); hit.Mask == nil || hit.Peer != bob || hit.ShownAs != y.Number {
			t.Errorf("%+v", hit)
		}
		if hit := w.at(y, bob, now); hit.Mask == nil || hit.Peer != ann || hit.ShownAs != x.Number {
			t.Errorf("%+v", hit)
		}
		for _, wrong := range []*maskHit{w.at(y, ann, now), w.at(x, bob, now)} {
			if wrong.Mask != nil || wrong.Ended || !wrong.Masked {
				t.Errorf("%+v", wrong)
			}
		}
		drawn := w.mask(MaskNumbers{Kind: "axyb", First: ann, Second: bob, ApplicationID: w.app.ID})
		if drawn.NumberID == *drawn.SecondNumberID || drawn.NumberID == x.ID || *drawn.SecondNumberID == y.ID {
			t.Errorf("%+v", drawn)
		}
	})
}

func TestAnybody(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x := w.x["+8617118230000"]
		m := w.mask(MaskNumbers{Kind: "ax", First: ann, NumberID: x.ID})
		if hit := w.at(x, ann, clock.Now()); hit.Mask == nil || hit.Mask.Kind != mask.KindAx || hit.Peer != "" || hit.ShownAs != x.Number {
			t.Errorf("she herself: %+v", hit)
		}
		for _, caller := range []string{bob, ""} {
			if hit := w.at(x, caller, clock.Now()); hit.Mask != nil || hit.Anybody == nil || hit.Anybody.ID != m.ID {
				t.Errorf("%q: %+v", caller, hit)
			}
		}
		for kind, first := range map[string]string{"ax": bob, "axe": bob} {
			if _, err := w.calls.MaskNumbers(w.ctx, MaskNumbers{Kind: kind, First: first, NumberID: x.ID}); refusal(err) != "CONFLICT numberId NO_NUMBER_FREE" {
				t.Error(kind, err)
			}
			if drawn := w.mask(MaskNumbers{Kind: kind, First: first}); drawn.NumberID == x.ID {
				t.Error(kind, "on a number that anybody calls to reach somebody else")
			}
		}
		w.mask(MaskNumbers{Kind: "axb", First: bob, Second: cleo, NumberID: x.ID}) // who is bound has a way of his own
		if hit := w.at(x, bob, clock.Now()); hit.Mask == nil || hit.Peer != cleo {
			t.Errorf("%+v", hit)
		}
	})
}

func TestExtensions(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x := w.x["+8617118230000"]
		one := w.mask(MaskNumbers{Kind: "axe", First: ann, NumberID: x.ID, Extension: "12"})
		two := w.mask(MaskNumbers{Kind: "axe", First: bob, NumberID: x.ID})
		if one.Extension != "12" || len(two.Extension) != 4 || strings.Trim(two.Extension, "0123456789") != "" {
			t.Error(one.Extension, two.Extension)
		}
		for ext, want := range map[string]string{"12": ann, two.Extension: bob, "13": "", "": ""} {
			m, err := w.calls.maskExtension(t.Context(), x, ext, clock.Now())
			if err != nil || (m == nil) != (want == "") || m != nil && m.First != want {
				t.Error(ext, m, err)
			}
		}
		if hit := w.at(x, cleo, clock.Now()); !hit.Dial || hit.Anybody != nil || hit.Mask != nil {
			t.Errorf("%+v", hit)
		}
		for want, in := range map[string]MaskNumbers{
			"CONFLICT extension":               {First: cleo, Extension: "12"},
			"CONFLICT numberId NO_NUMBER_FREE": {First: ann, Extension: "14"},
			"INVALID extension":                {First: cleo, Extension: "1#"},
		} {
			in.Kind, in.NumberID = "axe", x.ID
			if _, err := w.calls.MaskNumbers(w.ctx, in); refusal(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		w.unmask(one)
		if m, err := w.calls.maskExtension(t.Context(), x, "12", clock.Now()); m != nil || err != nil {
			t.Error(m, err)
		}
		w.mask(MaskNumbers{Kind: "axe", First: cleo, NumberID: x.ID, Extension: "12"})
	})
}

func TestMaskRefusals(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x, theirs := w.x["+8617118230000"], w.x["+8617118239000"]
		for name, c := range map[string]struct {
			in   MaskNumbers
			want string
		}{
			"no kind":          {MaskNumbers{First: ann, Second: bob}, "INVALID kind"},
			"no number":        {MaskNumbers{Kind: "axb", First: "ann", Second: bob}, "INVALID first"},
			"no second":        {MaskNumbers{Kind: "axb", First: ann}, "INVALID second"},
			"a second too":     {MaskNumbers{Kind: "ax", First: ann, Second: bob}, "INVALID second"},
			"one party":        {MaskNumbers{Kind: "axb", First: ann, Second: ann}, "INVALID second"},
			"direction":        {MaskNumbers{Kind: "axb", First: ann, Second: bob, Direction: "up"}, "INVALID direction"},
			"direction of AX":  {MaskNumbers{Kind: "ax", First: ann, Direction: "first"}, "INVALID direction"},
			"second number":    {MaskNumbers{Kind: "axb", First: ann, Second: bob, SecondNumberID: x.ID}, "INVALID secondNumberId"},
			"one number":       {MaskNumbers{Kind: "axyb", First: ann, Second: bob, NumberID: x.ID, SecondNumberID: x.ID}, "INVALID secondNumberId"},
			"extension":        {MaskNumbers{Kind: "ax", First: ann, Extension: "1"}, "INVALID extension"},
			"long extension":   {MaskNumbers{Kind: "axe", First: ann, Extension: "123456789"}, "INVALID extension"},
			"two ends":         {MaskNumbers{Kind: "ax", First: ann, TTL: time.Hour, ExpiresAt: clock.Now().Add(time.Hour)}, "INVALID ttl"},
			"negative":         {MaskNumbers{Kind: "ax", First: ann, TTL: -1}, "INVALID ttl"},
			"past":             {MaskNumbers{Kind: "ax", First: ann, ExpiresAt: clock.Now()}, "INVALID expiresAt"},
			"long user data":   {MaskNumbers{Kind: "ax", First: ann, UserData: strings.Repeat("x", 1025)}, "INVALID userData"},
			"bad user data":    {MaskNumbers{Kind: "ax", First: ann, UserData: "\xff"}, "INVALID userData"},
			"stranger's":       {MaskNumbers{Kind: "ax", First: ann, NumberID: theirs.ID}, "NOT_FOUND numberId"},
			"not in the pool":  {MaskNumbers{Kind: "ax", First: ann, NumberID: w.x["+8617118230009"].ID, ApplicationID: w.app.ID}, "NOT_FOUND numberId"},
			"their app":        {MaskNumbers{Kind: "ax", First: ann, ApplicationID: w.application("theirs").ID}, "NOT_FOUND applicationId"},
			"no such area":     {MaskNumbers{Kind: "ax", First: ann, AreaCode: "010"}, "CONFLICT numberId NO_NUMBER_FREE"},
			"itself":           {MaskNumbers{Kind: "ax", First: x.Number, NumberID: x.ID}, "INVALID numberId"},
			"a key too long":   {MaskNumbers{Kind: "ax", First: ann, IdempotencyKey: strings.Repeat("k", 256)}, "INVALID idempotencyKey"},
			"no second number": {MaskNumbers{Kind: "axyb", First: ann, Second: bob, SecondNumberID: theirs.ID}, "NOT_FOUND secondNumberId"},
		} {
			if _, err := w.calls.MaskNumbers(w.ctx, c.in); refusal(err) != c.want {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
		for want, a := range map[string]*comms.Actor{"UNAUTHENTICATED": nil, "FORBIDDEN  SCOPE": {AccountID: w.app.AccountID, Scopes: comms.ReadNumbers}} {
			ctx := comms.WithActor(t.Context(), a)
			if _, err := w.calls.MaskNumbers(ctx, MaskNumbers{Kind: "ax", First: ann}); refusal(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
			if _, err := w.calls.UnmaskNumbers(ctx, uuid.New()); refusal(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if kinds, _ := w.story(); kinds != "" {
			t.Error(kinds)
		}
	})
}

func TestSameRequestTwice(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		in := MaskNumbers{Kind: "axb", First: ann, Second: bob, TTL: time.Hour, IdempotencyKey: "k"}
		one, err := w.calls.MaskNumbers(w.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		two, err := w.calls.MaskNumbers(w.ctx, in)
		if err != nil || !two.Replayed || one.Replayed || asJSON(t, one.Mask) != asJSON(t, two.Mask) {
			t.Errorf("%+v %+v %v", one, two, err)
		}
		in.Second = cleo
		if _, err := w.calls.MaskNumbers(w.ctx, in); refusal(err) != "CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED" {
			t.Error(err)
		}
	})
}

func TestMaskLists(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		pair := w.mask(MaskNumbers{Kind: "axb", First: ann, Second: bob, ApplicationID: w.app.ID})
		two := w.mask(MaskNumbers{Kind: "axyb", First: ann, Second: cleo})
		any := w.mask(MaskNumbers{Kind: "ax", First: dan})
		over := w.unmask(w.mask(MaskNumbers{Kind: "ax", First: cleo}))
		for name, c := range map[string]struct {
			f    MaskFilter
			want []*comms.Mask
		}{
			"all":   {MaskFilter{}, []*comms.Mask{over, any, two, pair}},
			"party": {MaskFilter{Party: ann}, []*comms.Mask{two, pair}},
			"app":   {MaskFilter{ApplicationID: w.app.ID}, []*comms.Mask{pair}},
			"kinds": {MaskFilter{Kinds: []string{"AX", "axyb"}}, []*comms.Mask{over, any, two}},
			"live":  {MaskFilter{Live: new(true)}, []*comms.Mask{any, two, pair}},
			"ended": {MaskFilter{Live: new(false)}, []*comms.Mask{over}},
			"Y":     {MaskFilter{NumberIDs: []uuid.UUID{*two.SecondNumberID}, Kinds: []string{"axyb"}}, []*comms.Mask{two}},
		} {
			page, err := w.calls.Masks(w.ctx, c.f, comms.Page{})
			if err != nil {
				t.Fatal(name, err)
			}
			n, err := w.calls.CountMasks(w.ctx, c.f)
			if err != nil || n != len(c.want) || !slices.EqualFunc(page.Items, c.want, func(a, b *comms.Mask) bool { return a.ID == b.ID }) {
				t.Errorf("%s: %s, %d, %v", name, asJSON(t, page.Items), n, err)
			}
		}
		stranger := w.as("stranger@example.com")
		if page, err := w.calls.Masks(stranger, MaskFilter{}, comms.Page{}); err != nil || len(page.Items) != 0 {
			t.Error(page, err)
		}
		if _, err := w.calls.Mask(stranger, pair.ID); refusal(err) != "NOT_FOUND id" {
			t.Error(err)
		}
		if _, err := w.calls.UnmaskNumbers(stranger, pair.ID); refusal(err) != "NOT_FOUND id" {
			t.Error(err)
		}
		by, err := w.calls.MasksByID(w.ctx, []uuid.UUID{pair.ID, over.ID, uuid.New()})
		if err != nil || len(by) != 2 || by[pair.ID].First != ann {
			t.Error(by, err)
		}
		if by, err = w.calls.MasksByID(stranger, []uuid.UUID{pair.ID}); err != nil || len(by) != 0 {
			t.Error(by, err)
		}
	})
}
