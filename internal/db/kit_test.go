package db_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"entgo.io/ent/dialect"

	"switchboard/ent"
	"switchboard/ent/setting"
	"switchboard/internal/db"
)

// put makes a row with that name.
func put(name string) db.Func {
	return func(ctx context.Context, tx *ent.Client) error {
		return tx.Setting.Create().SetID(name).SetValue([]byte("v")).Exec(ctx)
	}
}

// names lists the rows.
func names(t *testing.T, s *db.Store) []string {
	t.Helper()
	ids, err := s.Read().Setting.Query().Order(setting.ByID()).IDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError fails the test unless err is want (or says it, where want is a text).
func wantError(t *testing.T, err error, want any) {
	t.Helper()
	switch want := want.(type) {
	case error:
		if !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	case string:
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

// until waits for something that other goroutines are about to bring about.
func until(t *testing.T, what func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !what() {
		if ctx.Err() != nil {
			t.Fatal("it never came about")
		}
		runtime.Gosched()
	}
}

// hold occupies everything that changes run on, until the function that it returns is called; that tells how those changes ended.
func hold(t *testing.T, s *db.Store) (letGo func() error) {
	t.Helper()
	n := 1
	if s.Dialect() == dialect.Postgres {
		n = db.WriteConnections
	}
	var inside, ended sync.WaitGroup
	gate := make(chan struct{})
	errs := make([]error, n)
	for i := range n {
		inside.Add(1)
		ended.Go(func() {
			entered := sync.OnceFunc(inside.Done) // it may run again
			errs[i] = s.Change(t.Context(), func(context.Context, *ent.Client) error { entered(); <-gate; return nil }, nil)
		})
	}
	inside.Wait()
	return func() error {
		close(gate)
		ended.Wait()
		return errors.Join(errs...)
	}
}

func newAccount(tx *ent.Client, email string) *ent.AccountCreate {
	return tx.Account.Create().SetEmail(email).SetPasswordHash("h").SetAPIKeyHash([]byte(email)).SetAPIKeySealed([]byte("s"))
}
