package db_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// Some errors (a full disk) make SQLite roll back the transaction by itself, as this trigger does. What the change went on to write
// would then be committed at once, statement by statement.
func TestNothingRunsAfterAFailedStatement(t *testing.T) {
	s := house.SQLite(t)
	for _, before := range [][]db.Func{nil, {put("neighbour")}} {
		told := 0
		errs := together(t, s, append(before, func(ctx context.Context, tx *ent.Client) error {
			if _, err := tx.ExecContext(ctx, "CREATE TEMP TRIGGER full BEFORE INSERT ON settings WHEN NEW.name = 'x' BEGIN SELECT RAISE(ROLLBACK, 'no space'); END"); err != nil {
				return err
			}
			return errors.Join(put("x")(ctx, tx), put("y")(ctx, tx))
		}), count(&told))
		for _, err := range errs {
			wantError(t, err, "no space")
		}
		if got := names(t, s); len(got) != 0 || told != 0 {
			t.Errorf("rows %q, told %d times", got, told)
		}
	}
}

// An INSERT that returns its id fails as its row is read: ent says so, and a change that doesn't listen fails all the same.
func TestFailureOfARow(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		err := s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
			for range 2 {
				_ = tx.IdempotencyKey.Create().SetScope("s").SetKey("k").SetVerb("v").SetDigest([]byte("d")).SetResult([]byte("r")).
					SetCreatedAt(1).Exec(ctx)
			}
			return nil
		}, nil)
		wantError(t, err, "a statement of the change failed")
		n, err := s.Read().IdempotencyKey.Query().Count(t.Context())
		must(t, err)
		if n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// Another process may hold the database for longer than anybody waits: trying again helps.
func TestHeldByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	s, err := db.Open(t.Context(), db.Options{Data: dir, Logger: silent})
	must(t, err)
	defer s.Close()
	must(t, s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
		_, err := tx.ExecContext(ctx, "PRAGMA busy_timeout = 1") // of the writer's connection, from here on
		return err
	}, nil))
	other, err := sql.Open("sqlite3", filepath.Join(dir, "switchboard.db")+"?_txlock=immediate")
	must(t, err)
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	must(t, err)
	err = s.Change(t.Context(), put("x"), nil)
	var again interface{ Temporary() bool }
	if !errors.As(err, &again) || !again.Temporary() {
		t.Errorf("error %v, want one that says to try again", err)
	}
	must(t, tx.Rollback())
	must(t, s.Change(t.Context(), put("y"), nil))
	if got := names(t, s); !slices.Equal(got, []string{"y"}) {
		t.Errorf("rows %q", got)
	}
}
