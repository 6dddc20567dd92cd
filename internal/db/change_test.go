package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

func TestChange(t *testing.T) {
	refusal := errors.New("refused")
	cases := []struct {
		name string
		fn   db.Func
		want any
	}{
		{"done", put("x"), nil},
		{"refused", func(ctx context.Context, tx *ent.Client) error {
			return errors.Join(put("x")(ctx, tx), refusal)
		}, refusal},
		{"panicked", func(ctx context.Context, tx *ent.Client) error {
			_ = put("x")(ctx, tx)
			panic("at the disco")
		}, "panicked: at the disco"},
		{"went on after a failed statement", func(ctx context.Context, tx *ent.Client) error {
			_ = put("x")(ctx, tx)
			_ = put("x")(ctx, tx)
			return nil
		}, "a statement of the change failed"},
		{"a failed statement keeps its kind", func(ctx context.Context, tx *ent.Client) error {
			err := put("there")(ctx, tx)
			if !ent.IsConstraintError(err) {
				t.Errorf("%v is no constraint error", err)
			}
			return err
		}, "constraint"},
	}
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				s := open(t)
				must(t, s.Change(t.Context(), put("there"), nil))
				told := 0
				err := s.Change(t.Context(), c.fn, func() { told++ })
				if c.want != nil {
					wantError(t, err, c.want)
					if got := names(t, s); !slices.Equal(got, []string{"there"}) || told != 0 {
						t.Errorf("it left %q and told %d times", got, told)
					}
					if st := s.Stats(); st.Changes != 1 || st.Failed != 1 {
						t.Errorf("stats %+v", st)
					}
					return
				}
				must(t, err)
				if got := names(t, s); !slices.Equal(got, []string{"there", "x"}) || told != 1 {
					t.Errorf("it left %q and told %d times", got, told)
				}
				// The store goes on after each of them.
				must(t, s.Change(t.Context(), put("after"), nil))
			})
		}
	})
}

// What ent does in several statements, and raw ones.
func TestEveryKindOfStatement(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		must(t, s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
			account, err := newAccount(tx, "a@example.org").Save(ctx)
			if err != nil {
				return err
			}
			numbers, err := tx.Number.CreateBulk(
				tx.Number.Create().SetAccount(account).SetNumber("+331"),
				tx.Number.Create().SetAccount(account).SetNumber("+332"),
			).Save(ctx)
			if err != nil {
				return err
			}
			// A row and its edges: ent opens a transaction for these.
			if err := tx.NumberGroup.Create().SetAccount(account).SetName("g").AddNumbers(numbers...).Exec(ctx); err != nil {
				return err
			}
			first, err := tx.Event.Create().SetAccountID(account.ID).SetKind("number.created").SetFact([]byte("{}")).Save(ctx)
			if err != nil {
				return err
			}
			second, err := tx.Event.Create().SetAccountID(account.ID).SetKind("number.created").SetFact([]byte("{}")).Save(ctx)
			if err != nil {
				return err
			}
			if second.ID <= first.ID {
				return fmt.Errorf("event %d after %d", second.ID, first.ID)
			}
			if _, err := tx.ExecContext(ctx, "UPDATE numbers SET alias = 'raw'"); err != nil {
				return err
			}
			rows, err := tx.QueryContext(ctx, "SELECT alias FROM numbers WHERE number = '+331'")
			if err != nil {
				return err
			}
			defer rows.Close()
			if !rows.Next() {
				return errors.New("no row")
			}
			var alias string
			if err := rows.Scan(&alias); err != nil || alias != "raw" {
				return fmt.Errorf("alias %q, %w", alias, err)
			}
			return nil
		}, nil))
		group, err := s.Read().NumberGroup.Query().WithNumbers().Only(t.Context())
		must(t, err)
		if len(group.Edges.Numbers) != 2 || group.Edges.Numbers[0].Alias != "raw" {
			t.Errorf("the group has %v", group.Edges.Numbers)
		}
	})
}

func TestStatementsStayInTheirChange(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		var kept *ent.Client
		var past context.Context
		must(t, s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
			kept, past = tx, ctx
			wantError(t, put("other context")(t.Context(), tx), db.ErrOutside)
			// One that was derived from the change's may end: the statement runs, and in its transaction.
			short, cancel := context.WithCancel(ctx)
			cancel()
			return put("derived")(short, tx)
		}, nil))
		wantError(t, put("kept")(past, kept), db.ErrOutside)
		must(t, s.Change(t.Context(), func(context.Context, *ent.Client) error {
			wantError(t, put("kept until the next")(past, kept), db.ErrOutside)
			return nil
		}, nil))
		if got := names(t, s); !slices.Equal(got, []string{"derived"}) {
			t.Errorf("rows %q", got)
		}
	})
}

func TestNoChangeInsideAChange(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		err := s.Change(t.Context(), func(ctx context.Context, _ *ent.Client) error { return s.Change(ctx, put("x"), nil) }, nil)
		wantError(t, err, db.ErrNested)
	})
}

func TestEndedContext(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		never := func(context.Context, *ent.Client) error { t.Error("it ran"); return nil }
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantError(t, s.Change(ctx, never, nil), context.Canceled)

		letGo := hold(t, s)
		ctx, cancel = context.WithCancel(t.Context())
		result := make(chan error)
		go func() { result <- s.Change(ctx, never, func() { t.Error("it told") }) }()
		until(t, func() bool { return s.Stats().QueueLen == 1 })
		cancel()
		wantError(t, <-result, context.Canceled) // while the writer is still busy
		must(t, letGo())

		// Once it has begun it is not interrupted.
		ctx, cancel = context.WithCancel(t.Context())
		must(t, s.Change(ctx, func(inner context.Context, tx *ent.Client) error {
			cancel()
			return put("x")(inner, tx)
		}, nil))
		if got := names(t, s); !slices.Equal(got, []string{"x"}) {
			t.Errorf("rows %q", got)
		}
	})
}

func TestBusy(t *testing.T) {
	const room = 3
	for name, options := range map[string]func(t *testing.T) db.Options{
		"sqlite": func(t *testing.T) db.Options { return db.Options{Data: t.TempDir(), MaxQueue: room, Logger: silent} },
		"postgres": func(t *testing.T) db.Options {
			return db.Options{URL: house.Postgres(t), MaxQueue: room, Logger: silent}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := db.Open(t.Context(), options(t))
			must(t, err)
			letGo := hold(t, s)
			var group sync.WaitGroup
			for i := range room {
				group.Go(func() {
					if err := s.Change(t.Context(), put(fmt.Sprint(i)), nil); err != nil {
						t.Error(err)
					}
				})
			}
			until(t, func() bool { return s.Stats().QueueLen == room })
			wantError(t, s.Change(t.Context(), put("one too many"), nil), db.ErrBusy)
			// Reads don't wait for any of this.
			if got := names(t, s); len(got) != 0 {
				t.Errorf("rows %q", got)
			}
			must(t, letGo())
			group.Wait()
			if got := names(t, s); !slices.Equal(got, []string{"0", "1", "2"}) {
				t.Errorf("rows %q", got)
			}
			if s.Stats().Busy != 1 {
				t.Errorf("stats %+v", s.Stats())
			}
			must(t, s.Close())
		})
	}
}

// Close lets what was accepted be done, and turns away what comes later.
func TestClose(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		letGo := hold(t, s)
		results := make(chan error)
		go func() { results <- s.Change(t.Context(), put("accepted"), nil) }()
		until(t, func() bool { return s.Stats().QueueLen == 1 })
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		late := func() error { return s.Change(t.Context(), put("late"), nil) }
		until(t, func() bool {
			ended, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() { result <- s.Change(ended, put("while closing"), nil) }()
			until(t, func() bool { return len(result) == 1 || s.Stats().QueueLen == 2 })
			cancel()
			return errors.Is(<-result, db.ErrClosed)
		})
		must(t, letGo())
		must(t, <-results)
		must(t, <-closed)
		wantError(t, late(), db.ErrClosed)
		must(t, s.Close())
	})
}

func TestReadRefusesChanges(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		if err := put("x")(t.Context(), s.Read()); err == nil {
			t.Error("a read wrote")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Read().Setting.Query().Count(ctx)
		wantError(t, err, context.Canceled)
	})
}

// A transaction of reads stays with the state that it began with.
func TestReadTransaction(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		tx, err := s.Read().Tx(t.Context())
		must(t, err)
		count := func() int {
			n, err := tx.Setting.Query().Count(t.Context())
			must(t, err)
			return n
		}
		before := count()
		must(t, s.Change(t.Context(), put("x"), nil))
		if got := count(); got != before {
			t.Errorf("%d rows, then %d", before, got)
		}
		must(t, tx.Rollback())
		if got := names(t, s); len(got) != 1 {
			t.Errorf("rows %q", got)
		}
	})
}

func TestCountStatements(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		ctx, n := db.CountStatements(t.Context())
		must(t, s.Change(ctx, func(ctx context.Context, tx *ent.Client) error {
			return errors.Join(put("a")(ctx, tx), put("b")(ctx, tx))
		}, nil))
		if n.Load() != 2 {
			t.Errorf("a change with two statements counts %d", n.Load())
		}
		names(t, s) // under another context
		if _, err := s.Read().Setting.Query().All(ctx); err != nil || n.Load() != 3 {
			t.Errorf("with a read it counts %d, %v", n.Load(), err)
		}
	})
}

// Changes that read, and write what they read, follow each other under a lock; whatever order they name the keys in.
func TestLock(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := open(t)
		must(t, s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
			return tx.Setting.Create().SetID("n").SetValue([]byte{0}).Exec(ctx)
		}, nil))
		a, b := uuid.New(), uuid.New()
		const each = 20
		var group sync.WaitGroup
		for i := range 4 {
			keys := []uuid.UUID{a, b, a}
			if i%2 == 0 {
				keys = []uuid.UUID{b, a}
			}
			group.Go(func() {
				for range each {
					if err := s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
						if err := s.Lock(ctx, tx, keys...); err != nil {
							return err
						}
						n, err := tx.Setting.Get(ctx, "n")
						if err != nil {
							return err
						}
						return tx.Setting.UpdateOne(n).SetValue([]byte{n.Value[0] + 1}).Exec(ctx)
					}, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		n, err := s.Read().Setting.Get(t.Context(), "n")
		must(t, err)
		if n.Value[0] != 4*each {
			t.Errorf("counted to %d of %d", n.Value[0], 4*each)
		}
	})
}
