package call

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/ent/mask"
	"switchboard/ent/recording"
	"switchboard/internal/clock"
)

func TestAuthenticateApplication(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		app, err := w.calls.AuthenticateApplication(t.Context(), w.app.AppID, w.token)
		if err != nil || app.ID != w.app.ID {
			t.Fatal(app, err)
		}
		for name, c := range map[string][2]string{
			"another account's": {w.application("theirs").AppID, w.token}, "no token": {w.app.AppID, ""}, "no application": {"", w.token},
			"unknown": {"774e5e14a0874r725bfb90351f1e84f677", w.token}, "another token": {w.app.AppID, w.token[1:] + "0"}, "the key": {w.app.AppKey, w.token},
		} {
			if _, err := w.calls.AuthenticateApplication(t.Context(), c[0], c[1]); refusal(err) != "UNAUTHENTICATED" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestSignatureIsGoodOnce(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		spend := func(door, signed string) string { return refusal(w.calls.SpendSignature(t.Context(), door, signed)) }
		const spent = "FORBIDDEN signature"
		got := race(8, func(int) error { return w.calls.SpendSignature(t.Context(), "privacycall", "a") })
		if got[""] != 1 || got[spent] != 7 {
			t.Error(got)
		}
		if spend("privacycall", "a") != spent || spend("moor", "a") != "" || spend("privacycall", "b") != "" {
			t.Error("one door's signature, or another signature")
		}
		// A time stamp may be read in two zones eight hours apart: the signature must not be good again in the other one.
		if err := w.calls.SweepSignatures(t.Context(), clock.Now().Add(8*time.Hour+20*time.Minute)); err != nil || spend("privacycall", "a") != spent {
			t.Error(err)
		}
		if err := w.calls.SweepSignatures(t.Context(), clock.Now().Add(signatureKept)); err != nil {
			t.Error(err)
		}
		if n, err := w.store.Read().SpentSignature.Query().Count(t.Context()); err != nil || n != 0 {
			t.Error(n, err)
		}
	})
}

// bind binds two as the application does; it must work.
func (w *masking) bind(in BindCall) *Bound {
	w.Helper()
	b, err := w.tryBind(in)
	if err != nil {
		w.Fatalf("%+v: %v", in, err)
	}
	return b
}

func (w *masking) tryBind(in BindCall) (*Bound, error) {
	if in.Application == nil {
		in.Application = w.app
	}
	return w.calls.BindCall(AsApplication(w.Context(), in.Application), in)
}

// Any number of the pool is drawn (documented), also one that can only be shown.
func TestDrawnAtRandom(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Number.UpdateOneID(w.x["+8617118230001"].ID).SetAbility("display").Exec(ctx)
		})
		drawn := map[string]int{}
		for i := range 60 { // one of four is missing once in ten million runs
			drawn[w.bind(BindCall{Caller: fmt.Sprintf("+86138001%05d", i), Callee: fmt.Sprintf("+86138002%05d", i)}).Number.Number]++
		}
		if len(drawn) != 4 {
			t.Error(drawn)
		}
	})
}

func TestBind(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		from := clock.Now()
		b := w.bind(BindCall{Caller: ann, Callee: bob, VirtualNum: "+8617118230000", Direction: "first"})
		m := b.Mask
		if m.Kind != mask.KindAxb || m.First != ann || m.Second != bob || m.Direction != mask.DirectionFirst || !m.Record || *m.ApplicationID != w.app.ID ||
			b.Number.Number != "+8617118230000" || b.Renewed {
			t.Errorf("%+v", b)
		}
		if late := m.ExpiresAt.Sub(from); late < defaultBinding || late > defaultBinding+time.Minute {
			t.Error(late)
		}
		if b.Call == nil || *b.Call.MaskID != m.ID || *b.Call.ApplicationID != w.app.ID || *b.Call.NumberID != m.NumberID ||
			b.Call.Direction != call.DirectionOutgoing || b.Call.Peer != ann || b.Call.Second != bob {
			t.Errorf("%+v", b.Call)
		}
		at := clock.Now().Add(longestBinding - time.Second)
		if b := w.bind(BindCall{Caller: cleo, Callee: dan, ExpiresAt: at}); *b.Mask.ExpiresAt != at {
			t.Errorf("%+v", b.Mask)
		}
		for name, c := range map[string]struct {
			in   BindCall
			want string
		}{
			"too long":    {BindCall{TTL: longestBinding + 1}, "INVALID expiresAt"},
			"too late":    {BindCall{ExpiresAt: clock.Now().Add(longestBinding + time.Minute)}, "INVALID expiresAt"},
			"past":        {BindCall{ExpiresAt: from}, "INVALID expiresAt"},
			"negative":    {BindCall{TTL: -1}, "INVALID expiresAt"},
			"two ends":    {BindCall{TTL: 1, ExpiresAt: at}, "INVALID expiresAt"},
			"direction":   {BindCall{Direction: "x"}, "INVALID direction"},
			"not ours":    {BindCall{VirtualNum: "+8617118239000"}, "NOT_FOUND numberId"},
			"not pooled":  {BindCall{VirtualNum: "+8617118230009"}, "NOT_FOUND numberId"},
			"nowhere":     {BindCall{AreaCode: "010"}, "CONFLICT numberId NO_NUMBER_FREE"},
			"taken":       {BindCall{Callee: cleo, VirtualNum: "+8617118230000"}, "CONFLICT numberId NO_NUMBER_FREE"},
			"one":         {BindCall{Callee: ann}, "INVALID callee"},
			"their app":   {BindCall{Application: w.application("theirs"), VirtualNum: "+8617118230000"}, "NOT_FOUND numberId"},
			"bad caller":  {BindCall{Caller: "x"}, "INVALID caller"},
			"bad callee":  {BindCall{Callee: "x"}, "INVALID callee"},
			"other's app": {BindCall{Caller: ann, Callee: bob, VirtualNum: "+8617118230000", Application: w.application("other")}, "CONFLICT numberId NO_NUMBER_FREE"},
		} {
			if c.in.Caller == "" {
				c.in.Caller = ann
			}
			if c.in.Callee == "" {
				c.in.Callee = bob
			}
			if _, err := w.tryBind(c.in); refusal(err) != c.want {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
		ctx := AsApplication(t.Context(), w.application("theirs"))
		if _, err := w.calls.BindCall(ctx, BindCall{Application: w.app, Caller: ann, Callee: bob}); refusal(err) != "FORBIDDEN application" {
			t.Error(err)
		}
	})
}

func TestRenewal(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		one := w.bind(BindCall{Caller: ann, Callee: bob, Direction: "first", TTL: time.Minute})
		for _, c := range []struct {
			in        BindCall
			direction mask.Direction
		}{
			{BindCall{Caller: ann, Callee: bob, Direction: "first"}, mask.DirectionFirst},
			{BindCall{Caller: ann, Callee: bob, Direction: "first", VirtualNum: one.Number.Number}, mask.DirectionFirst},
			{BindCall{Caller: bob, Callee: ann, Direction: "first"}, mask.DirectionSecond},
			{BindCall{Caller: bob, Callee: ann, Direction: "second"}, mask.DirectionFirst},
			{BindCall{Caller: ann, Callee: bob}, mask.DirectionBoth},
		} {
			b := w.bind(c.in)
			if !b.Renewed || b.Mask.ID != one.Mask.ID || b.Mask.Direction != c.direction || b.Mask.ExpiresAt.Sub(*one.Mask.ExpiresAt) < 28*time.Minute ||
				b.Call.ID == one.Call.ID || b.Call.Peer != c.in.Caller {
				t.Errorf("%+v: %+v", c, b)
			}
		}
		if kinds, last := w.story(); kinds != "created updated updated updated updated updated" || last.Mask.Direction != mask.DirectionBoth {
			t.Error(kinds)
		}
		// Another number is another binding, and so is one that begins after the end.
		var another string
		for _, n := range []string{"+8617118230000", "+8617118230001"} {
			if n != one.Number.Number {
				another = n
			}
		}
		if b := w.bind(BindCall{Caller: ann, Callee: bob, VirtualNum: another}); b.Renewed || b.Mask.ID == one.Mask.ID {
			t.Errorf("%+v", b)
		}
		w.expire(one.Mask, time.Second)
		if b := w.bind(BindCall{Caller: ann, Callee: bob, VirtualNum: one.Number.Number}); b.Renewed || b.Mask.ID == one.Mask.ID {
			t.Errorf("%+v", b)
		}
	})
}

// The pool is used up party by party; what was freed is drawn again, the longest rested first, rather than refusing.
func TestPoolIsUsedUp(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		var bound []*Bound
		for i := range 4 {
			bound = append(bound, w.bind(BindCall{Caller: ann, Callee: others[i]}))
		}
		if _, err := w.tryBind(BindCall{Caller: others[4], Callee: ann}); refusal(err) != "CONFLICT numberId NO_NUMBER_FREE" {
			t.Error(err)
		}
		w.bind(BindCall{Caller: others[4], Callee: bob}) // a pair without a party in common shares a number
		for i, ago := range []time.Duration{3 * time.Minute, 5 * time.Minute, 2 * time.Minute} {
			w.freedAgo(bound[i].Mask, ago)
		}
		for _, want := range []int{1, 0, 2} {
			if b := w.bind(BindCall{Caller: ann, Callee: others[5+want]}); b.Number.ID != bound[want].Number.ID {
				t.Errorf("%d: %s", want, b.Number.Number)
			}
		}
		if _, err := w.tryBind(BindCall{Caller: ann, Callee: dan}); refusal(err) != "CONFLICT numberId NO_NUMBER_FREE" {
			t.Error(err)
		}
	})
}

func TestBindRaces(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		got := race(8, func(i int) error {
			_, err := w.tryBind(BindCall{Caller: ann, Callee: others[i]})
			return err
		})
		if got[""] != 4 || got["CONFLICT numberId NO_NUMBER_FREE"] != 4 {
			t.Error(got)
		}
		got = race(8, func(int) error {
			_, err := w.tryBind(BindCall{Caller: bob, Callee: cleo})
			return err
		})
		n, err := w.store.Read().Mask.Query().Where(mask.First(bob)).Count(t.Context())
		if got[""] != 8 || n != 1 || err != nil {
			t.Error(got, n, err)
		}
	})
}

func TestRecordingOf(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		b := w.bind(BindCall{Caller: ann, Callee: bob})
		ctx := AsApplication(t.Context(), w.app)
		of := func(app *comms.Application, id uuid.UUID) (*comms.Recording, string) {
			r, err := w.calls.RecordingOf(ctx, app, id)
			return r, refusal(err)
		}
		add := func(status recording.Status, at clock.Micros) (id uuid.UUID) {
			w.change(func(ctx context.Context, tx *ent.Client) error {
				r, err := tx.Recording.Create().SetAccountID(w.app.AccountID).SetCallID(b.Call.ID).SetStatus(status).SetCreatedAt(at).SetReadyAt(at).Save(ctx)
				if err == nil {
					id = r.ID
				}
				return err
			})
			return id
		}
		if _, why := of(w.app, b.Call.ID); why != "CONFLICT recording" {
			t.Error(why)
		}
		for _, status := range []recording.Status{recording.StatusRecording, recording.StatusFailed, recording.StatusDeleted} {
			add(status, clock.Now())
			if _, why := of(w.app, b.Call.ID); why != "CONFLICT recording" {
				t.Error(status, why)
			}
		}
		want := []uuid.UUID{add(recording.StatusReady, 1), add(recording.StatusReady, 2)}
		slices.Reverse(want)
		if r, why := of(w.app, b.Call.ID); why != "" || r.ID != want[0] {
			t.Error(r, why)
		}
		if _, why := of(w.app, uuid.New()); why != "NOT_FOUND call" {
			t.Error(why)
		}
		if _, why := of(w.application("other"), b.Call.ID); why != "NOT_FOUND call" {
			t.Error("another application of the account: ", why)
		}
		ctx = AsApplication(t.Context(), w.application("theirs"))
		if _, why := of(w.app, b.Call.ID); why != "NOT_FOUND call" {
			t.Error("another account: ", why)
		}
	})
}
