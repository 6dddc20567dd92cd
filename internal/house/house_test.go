package house_test

import (
	"context"
	"testing"

	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// Two stores of one test have nothing in common.
func TestStoresAreFresh(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		one, other := open(t), open(t)
		if err := one.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
			return tx.Setting.Create().SetID("x").SetValue([]byte("v")).Exec(ctx)
		}, nil); err != nil {
			t.Fatal(err)
		}
		for s, want := range map[*db.Store]int{one: 1, other: 0} {
			if n, err := s.Read().Setting.Query().Count(t.Context()); err != nil || n != want {
				t.Errorf("%d rows, want %d (%v)", n, want, err)
			}
		}
	})
}
