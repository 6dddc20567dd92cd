package house

import (
	"log/slog"
	"sync"
	"testing"

	"switchboard/internal/db"
)

// Stores runs fn once on each of the two databases, as the subtests "sqlite" and "postgres". What open gives is fresh, migrated and closed
// when its test ends.
func Stores(t *testing.T, fn func(t *testing.T, open func(t *testing.T) *db.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, func(t *testing.T) *db.Store { return SQLite(t) }) })
	t.Run("postgres", func(t *testing.T) { fn(t, func(t *testing.T) *db.Store { return PostgresStore(t) }) })
}

// SQLite is a fresh store in a folder of its own.
func SQLite(t testing.TB) *db.Store {
	t.Helper()
	return open(t, db.Options{Data: t.TempDir()})
}

// template is the migrated database that PostgreSQL copies for each store, which takes a tenth of migrating.
var template struct {
	sync.Mutex
	name string
}

// PostgresStore is a fresh store on PostgreSQL.
func PostgresStore(t testing.TB) *db.Store {
	t.Helper()
	return open(t, db.Options{URL: fresh(t, migrated(t))})
}

// migrated is the name of the template, made at its first use.
func migrated(t testing.TB) string {
	t.Helper()
	base, err := server()
	if err != nil {
		t.Fatal("a PostgreSQL server for the test: ", err)
	}
	template.Lock()
	defer template.Unlock()
	if template.name == "" {
		name := databaseName()
		administer(t, base, "CREATE DATABASE "+name+" TEMPLATE template0")
		s, err := db.Open(t.Context(), db.Options{URL: at(t, base, name), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatalf("migrating the template: %v", err)
		}
		if err := s.Close(); err != nil { // a database that is in use can't be copied
			t.Fatalf("closing the template: %v", err)
		}
		template.name = name
	}
	return template.name
}

func open(t testing.TB, o db.Options) *db.Store {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("opening the store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}
