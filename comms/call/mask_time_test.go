package call

import (
	"context"
	"sync"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/mask"
	"switchboard/internal/clock"
)

// An expired mask puts nobody through even while nobody has noticed; and it stands in nobody's way.
func TestExpiredMask(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x := w.x["+8617118230000"]
		m := w.mask(MaskNumbers{Kind: "axb", First: ann, Second: bob, NumberID: x.ID, TTL: time.Hour})
		if hit := w.at(x, ann, *m.ExpiresAt-1); hit.Mask == nil || hit.Ended {
			t.Errorf("a moment before: %+v", hit)
		}
		if hit := w.at(x, ann, *m.ExpiresAt); hit.Mask != nil || !hit.Ended || !hit.Masked {
			t.Errorf("at its end: %+v", hit)
		}
		if hit := w.at(x, cleo, *m.ExpiresAt); hit.Ended {
			t.Errorf("a stranger: %+v", hit)
		}
		w.expire(m, time.Minute)
		if kinds, _ := w.story(); kinds != "created" {
			t.Error(kinds)
		}
		again := w.mask(MaskNumbers{Kind: "axb", First: ann, Second: cleo, NumberID: x.ID})
		kinds, _ := w.story()
		if hit := w.at(x, ann, clock.Now()); hit.Peer != cleo || kinds != "created ended created" {
			t.Errorf("%+v, %s", hit, kinds)
		}
		if hit := w.at(x, bob, clock.Now()); !hit.Ended {
			t.Errorf("%+v", hit)
		}
		w.unmask(again)
		if hit := w.at(x, ann, clock.Now()); hit.Mask != nil || !hit.Ended {
			t.Errorf("%+v", hit)
		}
	})
}

func TestUnmask(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		m := w.mask(MaskNumbers{Kind: "ax", First: ann, UserData: "echo"})
		one := w.unmask(m)
		two := w.unmask(m)
		kinds, last := w.story()
		if one.EndedAt == nil || *one.EndedAt != *two.EndedAt || kinds != "created ended" || last.Mask.UserData != "echo" || *last.Mask.EndedAt != *one.EndedAt {
			t.Error(one, two, kinds, asJSON(t, last))
		}
		// One whose time had come ended then, not when somebody came to end it.
		late := w.mask(MaskNumbers{Kind: "ax", First: bob, TTL: time.Hour})
		w.expire(late, time.Minute)
		late = w.unmask(late)
		if *late.EndedAt != *late.ExpiresAt {
			t.Errorf("%+v", late)
		}
	})
}

// The end is told once, when it comes, however many processes look after it.
func TestEndIsToldOnce(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		told := make(chan *comms.Event, 10)
		watch, err := w.svc.OpenWatch(w.ctx, comms.Watch{Kinds: []comms.Kind{comms.MaskEnded}})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		watch.Start(func(events []*comms.Event) {
			for _, e := range events {
				told <- e
			}
		})
		ctx, stop := context.WithCancel(t.Context())
		var tending sync.WaitGroup
		defer tending.Wait()
		defer stop()
		for _, s := range []*Service{w.calls, New(w.svc, Options{})} {
			tending.Go(func() { s.tendMasks(ctx) })
		}
		m := w.mask(MaskNumbers{Kind: "axb", First: ann, Second: bob, TTL: 200 * time.Millisecond, UserData: "ride 7"})
		w.mask(MaskNumbers{Kind: "ax", First: cleo, TTL: time.Hour})
		last := w.mask(MaskNumbers{Kind: "ax", First: dan, TTL: 300 * time.Millisecond})
		for _, want := range []*comms.Mask{m, last} {
			select {
			case e := <-told:
				if e.Mask.ID != want.ID || *e.Mask.EndedAt != *want.ExpiresAt || e.At < *want.ExpiresAt || e.At.Sub(*want.ExpiresAt) > maskLook ||
					e.Mask.UserData != want.UserData {
					t.Errorf("%s", asJSON(t, e))
				}
			case <-time.After(20 * time.Second):
				t.Fatal("never told")
			}
		}
		if kinds, _ := w.story(); kinds != "created created created ended ended" {
			t.Error(kinds)
		}
	})
}

func TestOldMasksAreForgotten(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		live, fresh, old := w.mask(MaskNumbers{Kind: "ax", First: ann}), w.mask(MaskNumbers{Kind: "ax", First: bob}), w.mask(MaskNumbers{Kind: "ax", First: cleo})
		w.unmask(fresh)
		w.freedAgo(old, maskKeep)
		if err := w.calls.SweepMasks(t.Context(), clock.Now()); err != nil {
			t.Fatal(err)
		}
		left, err := w.store.Read().Mask.Query().Order(mask.ByCreatedAt()).IDs(t.Context())
		if err != nil || len(left) != 2 || left[0] != live.ID || left[1] != fresh.ID {
			t.Error(left, err)
		}
		if n, err := w.store.Read().MaskParty.Query().Count(t.Context()); err != nil || n != 2 {
			t.Error(n, err)
		}
	})
}

// A number that was freed is not drawn for a party that it served for somebody else until it has rested; named, it is taken at once; and
// the same two need not wait.
func TestRest(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x := w.x["+862151860000"]
		shanghai := func(kind, first, second string) error {
			m, err := w.calls.MaskNumbers(w.ctx, MaskNumbers{Kind: kind, First: first, Second: second, AreaCode: "021"})
			if err == nil {
				w.change(func(ctx context.Context, tx *ent.Client) error { return tx.Mask.DeleteOneID(m.Mask.ID).Exec(ctx) })
			}
			return err
		}
		old := w.unmask(w.mask(MaskNumbers{Kind: "axb", First: ann, Second: bob, NumberID: x.ID}))
		const resting = "CONFLICT numberId NO_NUMBER_FREE"
		for _, c := range []struct{ kind, first, second, want string }{
			{"axb", ann, cleo, resting}, {"axb", cleo, bob, resting}, {"ax", ann, "", resting}, {"axb", ann, bob, ""}, {"axb", bob, ann, ""}, {"axb", cleo, dan, ""}, {"ax", cleo, "", ""},
		} {
			if err := shanghai(c.kind, c.first, c.second); refusal(err) != c.want {
				t.Errorf("%+v: %v", c, err)
			}
		}
		w.unmask(w.mask(MaskNumbers{Kind: "axb", First: ann, Second: cleo, NumberID: x.ID})) // named
		w.freedAgo(old, defaultRest-time.Second)
		if err := shanghai("axb", bob, dan); refusal(err) != resting {
			t.Error(err)
		}
		w.freedAgo(old, defaultRest)
		if err := shanghai("axb", bob, dan); err != nil {
			t.Error(err)
		}
	})
}

// Who knows X as the way to somebody (AX) would reach somebody else: such a number rests for everybody.
func TestRestOfAnybody(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x := w.x["+862151860000"]
		old := w.unmask(w.mask(MaskNumbers{Kind: "ax", First: ann, NumberID: x.ID}))
		for _, kind := range []string{"ax", "axe"} {
			if _, err := w.calls.MaskNumbers(w.ctx, MaskNumbers{Kind: kind, First: bob, AreaCode: "21"}); refusal(err) != "CONFLICT numberId NO_NUMBER_FREE" {
				t.Error(kind, err)
			}
		}
		w.unmask(w.mask(MaskNumbers{Kind: "ax", First: ann, AreaCode: "21"})) // she herself need not wait
		w.freedAgo(old, defaultRest)
		w.change(func(ctx context.Context, tx *ent.Client) error {
			_, err := tx.Mask.Delete().Where(mask.IDNEQ(old.ID)).Exec(ctx)
			return err
		})
		w.mask(MaskNumbers{Kind: "ax", First: bob, AreaCode: "21"})
	})
}

// One whose mask on X has ended knows X as the way to somebody, but not for ever: a mask that is for anybody is for him too.
func TestEndedMaskRests(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x := w.x["+862151860000"]
		old := w.unmask(w.mask(MaskNumbers{Kind: "axb", First: ann, Second: bob, NumberID: x.ID}))
		w.mask(MaskNumbers{Kind: "ax", First: cleo, NumberID: x.ID})
		if hit := w.at(x, bob, clock.Now()); !hit.Ended || !hit.Rests || hit.Anybody == nil {
			t.Errorf("at once: %+v", hit)
		}
		if hit := w.at(x, bob, old.EndedAt.Add(defaultRest)); !hit.Ended || hit.Rests || hit.Anybody == nil {
			t.Errorf("when it has rested: %+v", hit)
		}
		w.freedAgo(old, defaultRest)
		if hit := w.at(x, bob, clock.Now()); !hit.Ended || hit.Rests {
			t.Errorf("later: %+v", hit)
		}
	})
}

// A deleted number ends its masks, and each end is told. Of an AXYB mask whose Y goes the row stays, ended.
func TestMasksOfADeletedNumber(t *testing.T) {
	masksOnBoth(t, func(w *masking) {
		x, y := w.x["+8617118230000"], w.x["+8617118230001"]
		gone := w.mask(MaskNumbers{Kind: "axb", First: cleo, Second: dan, NumberID: y.ID})
		half := w.mask(MaskNumbers{Kind: "axyb", First: ann, Second: bob, NumberID: x.ID, SecondNumberID: y.ID})
		w.unmask(w.mask(MaskNumbers{Kind: "ax", First: ann, NumberID: y.ID}))
		if _, err := w.svc.DeleteNumber(w.ctx, y.ID); err != nil {
			t.Fatal(err)
		}
		if kinds, _ := w.story(); kinds != "created created created ended ended ended" {
			t.Error(kinds)
		}
		if _, err := w.calls.Mask(w.ctx, gone.ID); refusal(err) != "NOT_FOUND id" {
			t.Error(err)
		}
		if w.reread(half).EndedAt == nil {
			t.Error("a mask whose second number is gone goes on")
		}
		if hit := w.at(x, ann, clock.Now()); hit.Mask != nil || !hit.Ended {
			t.Errorf("%+v", hit)
		}
	})
}
