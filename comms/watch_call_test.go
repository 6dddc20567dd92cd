package comms_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
)

// toldCall puts a call's steps into the log, past the rules of calls, which live in another room.
func (w *world) toldCall(n *comms.Number, steps ...comms.Kind) uuid.UUID {
	w.Helper()
	id := uuid.New()
	w.change(func(ctx context.Context, tx *ent.Client) error {
		for _, kind := range steps {
			err := tx.Event.Create().SetAccountID(n.AccountID).SetNumberID(n.ID).SetCallID(id).SetKind(string(kind)).SetCreatedAt(clock.Now()).
				SetFact(fmt.Appendf(nil, `{"call":{"id":%q}}`, id)).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return id
}

// The watch of one call begins with its first event, tells nothing of others, and knows when nothing can come.
func TestWatchOfOneCall(t *testing.T) {
	onBoth(t, func(w *world) {
		me, other := w.owner("a@example.com"), w.owner("b@example.com")
		whole := comms.CallKinds()
		ended := w.toldCall(me.numbers[0], whole...)
		w.toldCall(me.numbers[0], whole...)
		live := w.toldCall(me.numbers[0], whole[:2]...)

		open := func(call uuid.UUID, after string) *comms.Watcher {
			t.Helper()
			watch, err := w.svc.OpenWatch(me.ctx, comms.Watch{CallID: call, After: after})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(watch.Close)
			return watch
		}
		told := func(watch *comms.Watcher) (kinds []comms.Kind, cursors []string) {
			t.Helper()
			events, more, err := watch.Missed(t.Context(), watch.After(), 100)
			if err != nil || more {
				t.Fatal(more, err)
			}
			for i, e := range events {
				kinds, cursors = append(kinds, e.Kind), append(cursors, e.Cursor())
				if watch.Last(e) != (e.Kind == comms.CallEnded) || watch.Last(e) && i != len(events)-1 {
					t.Errorf("%s is the last: %v", e.Kind, watch.Last(e))
				}
			}
			return kinds, cursors
		}
		kinds, cursors := told(open(ended, ""))
		if !slices.Equal(kinds, whole) {
			t.Fatal(kinds)
		}
		for i, cursor := range cursors {
			watch := open(ended, cursor)
			if rest, _ := told(watch); !slices.Equal(rest, whole[i+1:]) || watch.Over() != (i == len(cursors)-1) {
				t.Errorf("after %s: %v, over %v", whole[i], rest, watch.Over())
			}
		}
		watch := open(live, "")
		if kinds, _ := told(watch); !slices.Equal(kinds, whole[:2]) || watch.Over() {
			t.Errorf("a live call: %v, over %v", kinds, watch.Over())
		}
		if _, err := w.svc.OpenWatch(other.ctx, comms.Watch{CallID: ended}); !comms.IsCode(err, comms.NotFound) {
			t.Errorf("another's call: %v", err)
		}
	})
}
