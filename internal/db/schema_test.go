package db_test

import (
	"io/fs"
	"testing"

	"switchboard/ent/migrate/migrations"
	"switchboard/internal/clock"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

func TestRevisions(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		want, err := fs.Glob(migrations.SQLite(), "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		got, err := open(t).Revisions(t.Context())
		if err != nil || len(got) != len(want) {
			t.Fatalf("%v, %v", got, err)
		}
		for i, r := range got {
			if r.Version != want[i] || r.AppliedAt <= 0 || r.AppliedAt > clock.Now() {
				t.Errorf("%+v, and the file is %s", r, want[i])
			}
		}
	})
}
