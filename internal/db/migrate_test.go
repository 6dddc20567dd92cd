package db_test

import (
	"context"
	"database/sql"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"ariga.io/atlas/sql/migrate"
	"entgo.io/ent/dialect"
	"github.com/google/uuid"

	"switchboard/ent"
	entmigrate "switchboard/ent/migrate"
	"switchboard/ent/migrate/migrations"
	"switchboard/internal/db"
	"switchboard/internal/entgen/diff"
	"switchboard/internal/house"
)

var silent = slog.New(slog.DiscardHandler)

// The migrations make the schema that ent wants: there is nothing to add to them.
func TestDrift(t *testing.T) {
	check := func(t *testing.T, p diff.Plan, files fs.FS) {
		p.Dir, p.Name, p.Tables = t.TempDir(), "drift", entmigrate.Tables
		must(t, os.CopyFS(p.Dir, files))
		written, err := diff.Write(t.Context(), p)
		must(t, err)
		if written {
			made, _ := filepath.Glob(filepath.Join(p.Dir, "*_drift.sql"))
			text, _ := os.ReadFile(made[0])
			t.Errorf("ent/schema has changed: go run ./internal/entgen diff NAME (or initial). It would write\n%s", text)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		dev, err := sql.Open("sqlite3", "file:drift?mode=memory&cache=shared&_fk=1")
		must(t, err)
		defer dev.Close()
		check(t, diff.Plan{Dialect: dialect.SQLite, Dev: dev}, migrations.SQLite())
	})
	t.Run("postgres", func(t *testing.T) {
		dev, err := sql.Open("pgx", house.Postgres(t))
		must(t, err)
		defer dev.Close()
		check(t, diff.Plan{Dialect: dialect.Postgres, Dev: dev}, migrations.Postgres())
	})
}

// with is a folder of migrations with more files, and a list that agrees.
func with(t *testing.T, dir fs.FS, more map[string]string) fstest.MapFS {
	t.Helper()
	all := fstest.MapFS{}
	names, err := fs.Glob(dir, "*.sql")
	must(t, err)
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		must(t, err)
		all[name] = &fstest.MapFile{Data: text}
	}
	for name, text := range more {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	names, err = fs.Glob(all, "*.sql")
	must(t, err)
	var files []migrate.File
	for _, name := range names {
		files = append(files, migrate.NewLocalFile(name, all[name].Data))
	}
	sums, err := migrate.NewHashFile(files)
	must(t, err)
	text, err := sums.MarshalText()
	must(t, err)
	all[migrate.HashFileName] = &fstest.MapFile{Data: text}
	return all
}

// database is one that is opened several times, by several versions of the program.
type database struct {
	options db.Options
	now     fs.FS  // the program's migrations
	change  string // a migration that adds accounts.motto, as Atlas writes it for that database
}

func databases(t *testing.T) map[string]database {
	return map[string]database{
		"sqlite": {db.Options{Data: t.TempDir(), Logger: silent}, migrations.SQLite(),
			// SQLite changes a table by copying it. With foreign keys on, dropping accounts would take or forbid what refers to it.
			"PRAGMA foreign_keys = off;\n" +
				"CREATE TABLE new_accounts AS SELECT *, 'none' AS motto FROM accounts;\n" +
				"DROP TABLE accounts;\n" +
				"ALTER TABLE new_accounts RENAME TO accounts;\n" +
				"CREATE UNIQUE INDEX accounts_id ON accounts (id);\n" +
				"PRAGMA foreign_keys = on;\n"},
		"postgres": {db.Options{URL: house.Postgres(t), Logger: silent}, migrations.Postgres(),
			"ALTER TABLE accounts ADD COLUMN motto text NOT NULL DEFAULT 'none; really';\n"},
	}
}

func (d database) open(t *testing.T, dir fs.FS) (*db.Store, error) {
	t.Helper()
	return db.Open(t.Context(), db.WithMigrations(d.options, dir))
}

func populate(t *testing.T, s *db.Store) {
	t.Helper()
	must(t, s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
		account, err := newAccount(tx, "a@example.org").Save(ctx)
		if err != nil {
			return err
		}
		return tx.Number.Create().SetAccount(account).SetNumber("+331").Exec(ctx)
	}, nil))
}

func holds(t *testing.T, s *db.Store) {
	t.Helper()
	number, err := s.Read().Number.Query().WithAccount().Only(t.Context())
	must(t, err)
	if number.Number != "+331" || number.Edges.Account == nil || number.Edges.Account.Email != "a@example.org" {
		t.Errorf("the number is %v of %v", number, number.Edges.Account)
	}
}

func motto(t *testing.T, s *db.Store) string {
	t.Helper()
	rows, err := s.Read().QueryContext(t.Context(), "SELECT motto FROM accounts")
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	var text string
	for rows.Next() {
		must(t, rows.Scan(&text))
	}
	return text
}

func TestMigratePopulated(t *testing.T) {
	for name, d := range databases(t) {
		t.Run(name, func(t *testing.T) {
			s, err := d.open(t, d.now)
			must(t, err)
			populate(t, s)
			must(t, s.Close())

			next := with(t, d.now, map[string]string{"9001_motto.sql": d.change})
			s, err = d.open(t, next)
			must(t, err)
			holds(t, s)
			if got := motto(t, s); !strings.HasPrefix(got, "none") {
				t.Errorf("motto %q", got)
			}
			wantError(t, s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
				return tx.Block.Create().SetAccountID(uuid.New()).SetNumber("+331").Exec(ctx)
			}, nil), "constraint") // foreign keys are on again
			must(t, s.Close())

			// Once more there is nothing to do; the program before it refuses.
			s, err = d.open(t, next)
			must(t, err)
			must(t, s.Close())
			_, err = d.open(t, d.now)
			wantError(t, err, db.ErrNewerSchema)

			if d.options.Data == "" {
				return
			}
			backups, err := filepath.Glob(filepath.Join(d.options.Data, "*.before-*"))
			must(t, err)
			if len(backups) != 1 {
				t.Fatalf("backups %q", backups)
			}
			old, err := db.Open(t.Context(), db.Options{URL: "sqlite:" + backups[0], Logger: silent})
			must(t, err)
			holds(t, old)
			if got := motto(t, old); !strings.Contains(got, "no such column") {
				t.Errorf("the backup's motto is %q", got)
			}
			must(t, old.Close())
		})
	}
}

// A migration that fails half-way leaves what was there, for the program before it.
func TestFailedMigration(t *testing.T) {
	for name, d := range databases(t) {
		t.Run(name, func(t *testing.T) {
			s, err := d.open(t, d.now)
			must(t, err)
			populate(t, s)
			must(t, s.Close())
			for what, text := range map[string]string{
				"a wrong statement": d.change + "SELECT nonsense;\n",
				"a dangling key":    d.change + "DELETE FROM accounts;\n",
			} {
				if _, err := d.open(t, with(t, d.now, map[string]string{"9001_motto.sql": text})); err == nil {
					t.Errorf("%s: it was applied", what)
				}
				s, err = d.open(t, d.now)
				must(t, err)
				holds(t, s)
				if got := motto(t, s); strings.HasPrefix(got, "none") {
					t.Errorf("%s: motto %q", what, got)
				}
				must(t, s.Close())
			}
		})
	}
}

func TestStrangeMigrations(t *testing.T) {
	for name, d := range databases(t) {
		t.Run(name, func(t *testing.T) {
			s, err := d.open(t, d.now)
			must(t, err)
			must(t, s.Close())

			edited := with(t, d.now, nil)
			edited["0001_initial.sql"] = &fstest.MapFile{Data: append([]byte("-- harmless\n"), edited["0001_initial.sql"].Data...)}
			_, err = d.open(t, with(t, edited, nil))
			wantError(t, err, "0001_initial.sql is not the one that made this database")

			// The list wasn't written again after an edit.
			next := with(t, d.now, map[string]string{"9001_motto.sql": d.change})
			next["9001_motto.sql"] = &fstest.MapFile{Data: []byte("DROP TABLE accounts;")}
			_, err = d.open(t, next)
			wantError(t, err, "differ from their atlas.sum")
		})
	}
}

// Two programs that start at the same time bring the schema forward once.
func TestOpenTogether(t *testing.T) {
	for name, d := range databases(t) {
		t.Run(name, func(t *testing.T) {
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					s, err := d.open(t, d.now)
					if err != nil {
						t.Error(err)
						return
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
		})
	}
}

// A second process may change the same file: a change waits for it.
func TestTwoWriters(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		s, err := db.Open(t.Context(), db.Options{Data: dir, Logger: silent})
		must(t, err)
		defer func() { must(t, s.Close()) }()
		group.Go(func() {
			for i := range 100 {
				if err := s.Change(t.Context(), put(name+string(rune('0'+i))), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	s, err := db.Open(t.Context(), db.Options{Data: dir, Logger: silent})
	must(t, err)
	if got := len(names(t, s)); got != 200 {
		t.Errorf("%d rows", got)
	}
	must(t, s.Close())
}

func TestURL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%e", "f.db")
	s, err := db.Open(t.Context(), db.Options{URL: "sqlite:" + path, Logger: silent})
	must(t, err)
	must(t, s.Change(t.Context(), put("x"), nil))
	must(t, s.Close())
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	for _, url := range []string{"mysql://localhost", "postgres://127.0.0.1:1/none", "sqlite:/proc/none/x.db"} {
		if _, err := db.Open(t.Context(), db.Options{URL: url, Logger: silent}); err == nil {
			t.Errorf("%s was opened", url)
		}
	}
}
