package call

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/maskparty"
	"switchboard/ent/number"
	"switchboard/internal/clock"
)

// race runs fn n times at once and counts the outcomes by their refusal.
func race(n int, fn func(i int) error) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	outcomes, start := map[string]int{}, make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			err := fn(i)
			mu.Lock()
			defer mu.Unlock()
			outcomes[refusal(err)]++
		})
	}
	close(start)
	wg.Wait()
	return outcomes
}

var others = []string{"+8613900000001", "+8613900000002", "+8613900000003", "+8613900000004", "+8613900000005", "+8613900000006", "+8613900000007", "+8613900000008"}

func TestOneOfManyGetsTheNumber(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x := w.x["+8617118230000"]
		got := race(len(others), func(i int) error {
			_, err := w.calls.MaskNumbers(w.ctx, MaskNumbers{Kind: "axb", First: ann, Second: others[i], NumberID: x.ID})
			return err
		})
		if got[""] != 1 || got["CONFLICT numberId NO_NUMBER_FREE"] != len(others)-1 {
			t.Error(got)
		}
	})
}

// Eight want a number for the same party; there are four in the pool, so four get one each.
func TestEachGetsAnotherNumber(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		got := race(len(others), func(i int) error {
			_, err := w.calls.MaskNumbers(w.ctx, MaskNumbers{Kind: "axb", First: ann, Second: others[i], ApplicationID: w.app.ID})
			return err
		})
		if got[""] != 4 || got["CONFLICT numberId NO_NUMBER_FREE"] != 4 {
			t.Error(got)
		}
		var numbers []uuid.UUID
		err := w.store.Read().MaskParty.Query().Where(maskparty.Party(ann)).Unique(true).Select(maskparty.FieldNumberID).Scan(t.Context(), &numbers)
		if err != nil || len(numbers) != 4 {
			t.Error(numbers, err)
		}
	})
}

// The rules look first, but the database has the last word.
func TestTheDatabaseKeepsPartiesUnique(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x := w.x["+8617118230000"]
		pair := w.mask(MaskNumbers{Kind: "axb", First: ann, Second: bob, NumberID: x.ID})
		exten := w.mask(MaskNumbers{Kind: "axe", First: cleo, NumberID: x.ID, Extension: "12"})
		for name, row := range map[string]struct {
			party string
			ext   *string
		}{"party": {bob, nil}, "extension": {dan, new("12")}} {
			err := w.store.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
				return tx.MaskParty.Create().SetMaskID(exten.ID).SetNumberID(x.ID).SetParty(row.party).SetNillableExtension(row.ext).Exec(ctx)
			}, nil)
			if !ent.IsConstraintError(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.unmask(pair)
		w.mask(MaskNumbers{Kind: "axb", First: bob, Second: dan, NumberID: x.ID}) // the freed row stays, and its place is free
	})
}

func TestRetryTaken(t *testing.T) {
	runs, other := 0, errors.New("another")
	if err := retryTaken(func() error { runs++; return errTaken }); refusal(err) != "CONFLICT numberId" || runs != 10 {
		t.Error(err, runs)
	}
	runs = 0
	err := retryTaken(func() error {
		if runs++; runs == 3 {
			return other
		}
		return errTaken
	})
	if !errors.Is(err, other) || runs != 3 {
		t.Error(err, runs)
	}
}

func TestAreaCodes(t *testing.T) {
	for e164, want := range map[string]string{
		"+862151860000": "021", "+861051860000": "010", "+8657151860001": "0571", "+8617118230000": "", "+8613800000001": "", "+33123456789": "", "+86": "", "+8610": "",
	} {
		if got := AreaCode(&comms.Number{Number: e164}); got != want {
			t.Errorf("%s: %q, want %q", e164, got, want)
		}
	}
	if got := AreaCode(&comms.Number{Number: "+862151860000", AreaCode: "0512"}); got != "0512" {
		t.Error(got)
	}
	masksOnBoth(t, func(w *masking) {
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Number.UpdateOneID(w.x["+8617118230009"].ID).SetAreaCode("0755").Exec(ctx)
		})
		for code, want := range map[string]string{"021": "+862151860000", "21": "+862151860000", "0571": "+8657151860001", "755": "+8617118230009", "0755": "+8617118230009",
			"171": "", "0": "", "010": "", "2": "", "1": "", "x": "", "0512": "", "%": ""} {
			m, err := w.calls.MaskNumbers(w.ctx, MaskNumbers{Kind: "axb", First: ann, Second: bob, AreaCode: code})
			if (err == nil) != (want != "") || err == nil && m.Mask.NumberID != w.x[want].ID {
				t.Errorf("%s: %+v %v", code, m, err)
			}
			if err == nil {
				w.unmask(m.Mask)
			}
		}
	})
}

// Numbers that are both shown and called come first; before those that are not, one for which a telephone rings.
func TestBestNumberFirst(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		w.change(func(ctx context.Context, tx *ent.Client) error {
			if err := tx.Number.UpdateOneID(w.x["+862151860000"].ID).SetAbility(number.AbilityDisplay).Exec(ctx); err != nil {
				return err
			}
			if err := tx.Number.UpdateOneID(w.x["+8657151860001"].ID).SetAbility(number.AbilityService).Exec(ctx); err != nil {
				return err
			}
			// One number fewer, which would be as good as the first.
			if err := tx.Number.Update().Where(number.Number("+8617118230009")).SetDisabled(true).Exec(ctx); err != nil {
				return err
			}
			phone, err := tx.SipNumber.Create().SetAccountID(w.app.AccountID).SetNumber("2000").SetPasswordSealed([]byte("x")).SetCreatedAt(clock.Now()).Save(ctx)
			if err != nil {
				return err
			}
			return tx.Ring.Create().SetSipNumberID(phone.ID).SetNumber("+8617118230000").Exec(ctx)
		})
		for i, want := range []string{"+8617118230001", "+8617118230000", "+862151860000", "+8657151860001"} {
			m := w.mask(MaskNumbers{Kind: "axb", First: ann, Second: others[i]})
			if got := w.numberOf(m.NumberID).Number; got != want {
				t.Errorf("the %d. is %s, want %s", i+1, got, want)
			}
		}
	})
}
