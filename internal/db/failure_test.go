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
// would then be committed at once, statement by statement. Those before it are done again.
func TestNothingRunsAfterAFailedStatement(t *testing.T) {
	s := house.SQLite(t)
	for _, before := range [][]db.Func{nil, {put("before")}} {
		told := 0
		errs := together(t, s, append(before, func(ctx context.Context, tx *ent.Client) error {
			if _, err := tx.ExecContext(ctx, "CREATE TEMP TRIGGER full BEFORE INSERT ON settings WHEN NEW.name = 'x' BEGIN SELECT RAISE(ROLLBACK, 'no space'); END"); err != nil {
				return err
			}
			return errors.Join(put("x")(ctx, tx), put("y")(ctx, tx))
		}), count(&told))
		must(t, errors.Join(errs[:len(before)]...))
		wantError(t, errs[len(before)], "no space")
		if got := names(t, s); len(got) != len(before) || told != len(before) {
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

// When the disk is full what is there is still what was acknowledged, and the store goes on once there is room.
func TestFullDisk(t *testing.T) {
	s := house.SQLite(t)
	pages := func(most string) db.Func {
		return func(ctx context.Context, tx *ent.Client) error {
			rows, err := tx.QueryContext(ctx, "PRAGMA max_page_count = "+most) // of the writer's connection, from here on
			if err != nil {
				return err
			}
			return rows.Close()
		}
	}
	must(t, s.Change(t.Context(), pages("1"), nil)) // no more than there are
	large := func(ctx context.Context, tx *ent.Client) error {
		return errors.Join(put("small")(ctx, tx), tx.Setting.Create().SetID("large").SetValue(make([]byte, 1<<20)).Exec(ctx))
	}
	var told []int
	errs := together(t, s, []db.Func{put("a"), large, put("b"), large, put("c")}, func(i int) { told = append(told, i) })
	var acknowledged []string
	for i, name := range []string{"a", "", "b", "", "c"} {
		if name == "" {
			wantError(t, errs[i], "full")
		} else if errs[i] == nil {
			acknowledged = append(acknowledged, name)
		}
	}
	if got := names(t, s); !slices.Equal(got, acknowledged) || len(told) != len(acknowledged) {
		t.Errorf("rows %q, acknowledged %q, told %d", got, acknowledged, len(told))
	}
	must(t, s.Change(t.Context(), pages("100000"), nil))
	must(t, s.Change(t.Context(), large, nil))
}

// Durable means on disk, whatever the server's default is.
func TestPostgresCommitsToDisk(t *testing.T) {
	url := house.Postgres(t)
	admin, err := sql.Open("pgx", url)
	must(t, err)
	defer admin.Close()
	_, err = admin.Exec("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$")
	must(t, err)
	s, err := db.Open(t.Context(), db.Options{URL: url, Logger: silent})
	must(t, err)
	defer s.Close()
	must(t, s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
		rows, err := tx.QueryContext(ctx, "SHOW synchronous_commit")
		if err != nil {
			return err
		}
		defer rows.Close()
		var mode string
		if !rows.Next() {
			return errors.New("no row")
		}
		if err := rows.Scan(&mode); err != nil || mode != "on" {
			t.Errorf("synchronous_commit is %q, %v", mode, err)
		}
		return nil
	}, nil))
}
