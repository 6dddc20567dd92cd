package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// together runs the changes in one commit and in that order: they come to wait one by one while the writer is held up by another.
func together(t *testing.T, s *db.Store, changes []db.Func, told func(i int)) []error {
	t.Helper()
	letGo := hold(t, s)
	errs := make([]error, len(changes))
	var group sync.WaitGroup
	for i, fn := range changes {
		group.Go(func() { errs[i] = s.Change(t.Context(), fn, func() { told(i) }) })
		until(t, func() bool { return s.Stats().QueueLen == i+1 })
	}
	_ = letGo() // it shares their commit, and its fate
	group.Wait()
	return errs
}

func count(n *int) func(int) { return func(int) { *n++ } }

// A change that fails, in whatever way, takes nothing of those with it that share its commit.
func TestNeighbours(t *testing.T) {
	s := house.SQLite(t)
	spoil := func(then db.Func) db.Func {
		return func(ctx context.Context, tx *ent.Client) error {
			return errors.Join(put("spoiled")(ctx, tx), then(ctx, tx))
		}
	}
	told := 0
	errs := together(t, s, []db.Func{
		put("a"),
		spoil(func(context.Context, *ent.Client) error { return errors.New("refused") }),
		put("b"),
		spoil(func(context.Context, *ent.Client) error { panic("lost") }),
		put("c"),
		spoil(put("spoiled")),
		spoil(func(context.Context, *ent.Client) error { runtime.Goexit(); return nil }),
		put("d"),
	}, count(&told))
	for i, want := range []any{nil, "refused", nil, "panicked: lost", nil, "UNIQUE", db.ErrExit, nil} {
		if want == nil {
			must(t, errs[i])
			continue
		}
		wantError(t, errs[i], want)
	}
	if got := names(t, s); !slices.Equal(got, []string{"a", "b", "c", "d"}) || told != 4 {
		t.Errorf("rows %q, told %d times", got, told)
	}
	// The one that ended the goroutine ends its commit too: the one that held the writer up, a, b, c; then d.
	st := s.Stats()
	if st.Commits != 2 || st.Changes != 5 || st.Failed != 4 || st.Batches[0] != 1 || st.Batches[2] != 1 {
		t.Errorf("stats %+v", st)
	}
}

// What a change does is done once more only where one behind it failed that had written something.
func TestDoneAgain(t *testing.T) {
	for name, c := range map[string]struct {
		fails db.Func
		runs  int
	}{
		"it only read": {func(ctx context.Context, tx *ent.Client) error {
			_, err := tx.Setting.Query().Count(ctx)
			return errors.Join(err, errors.New("refused"))
		}, 1},
		"it wrote": {func(ctx context.Context, tx *ent.Client) error {
			return errors.Join(put("spoiled")(ctx, tx), errors.New("refused"))
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := house.SQLite(t)
			told, runs := 0, 0
			first := func(ctx context.Context, tx *ent.Client) error { runs++; return put("a")(ctx, tx) }
			errs := together(t, s, []db.Func{first, c.fails, c.fails, put("b")}, count(&told))
			must(t, errors.Join(errs[0], errs[3]))
			wantError(t, errs[1], "refused")
			wantError(t, errs[2], "refused")
			if got := names(t, s); !slices.Equal(got, []string{"a", "b"}) || told != 2 || runs != c.runs {
				t.Errorf("rows %q, told %d times, ran %d times", got, told, runs)
			}
			if st := s.Stats(); st.Commits != 1 || st.Changes != 3 || st.Failed != 2 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

// The first change of a transaction has no savepoint.
func TestFirstFails(t *testing.T) {
	s := house.SQLite(t)
	for range 3 {
		wantError(t, s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
			return errors.Join(put("x")(ctx, tx), errors.New("refused"))
		}, nil), "refused")
	}
	must(t, s.Change(t.Context(), put("y"), nil))
	if got := names(t, s); !slices.Equal(got, []string{"y"}) {
		t.Errorf("rows %q", got)
	}
}

// Some errors make SQLite roll back everything, as this change does by itself. Those before it are done again, once; whoever lost his part then
// is told.
func TestLostTransaction(t *testing.T) {
	s := house.SQLite(t)
	told := 0
	errs := together(t, s, []db.Func{
		func(ctx context.Context, tx *ent.Client) error {
			return errors.Join(put("spoiled")(ctx, tx), errors.New("refused"))
		},
		put("a"),
		func(ctx context.Context, tx *ent.Client) error {
			_, err := tx.ExecContext(ctx, "ROLLBACK")
			return errors.Join(err, errors.New("no space"))
		},
		put("b"),
	}, count(&told))
	wantError(t, errs[0], "refused")
	wantError(t, errs[1], "the transaction was lost")
	wantError(t, errs[2], "no space")
	must(t, errs[3])
	if got := names(t, s); !slices.Equal(got, []string{"b"}) || told != 1 {
		t.Errorf("rows %q, told %d times", got, told)
	}
}

// A commit can fail when everything in it succeeded; here by a foreign key that is checked only then.
func TestFailedCommit(t *testing.T) {
	s := house.SQLite(t)
	told := 0
	errs := together(t, s, []db.Func{
		put("a"),
		func(ctx context.Context, tx *ent.Client) error {
			if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = on"); err != nil {
				return err
			}
			return tx.Block.Create().SetAccountID(uuid.New()).SetNumber("+331").Exec(ctx)
		},
	}, count(&told))
	wantError(t, errs[0], "committing: FOREIGN KEY")
	wantError(t, errs[1], "committing: FOREIGN KEY")
	if told != 0 {
		t.Errorf("told %d times", told)
	}
	must(t, s.Change(t.Context(), put("b"), nil))
	if got := names(t, s); !slices.Equal(got, []string{"b"}) {
		t.Errorf("rows %q", got)
	}
}

func TestPanickingCallback(t *testing.T) {
	s := house.SQLite(t)
	must(t, s.Change(t.Context(), put("a"), func() { panic("in the callback") }))
	must(t, s.Change(t.Context(), put("b"), nil))
	if got := names(t, s); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("rows %q", got)
	}
}

// Whatever becomes of single changes: what is there is what was acknowledged, and the callbacks ran once for each, in the order of
// the log.
func TestAnyMixture(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := house.SQLite(t)
			var told []int64 // by the writer alone
			acknowledged := make([][]int64, 16)
			var group sync.WaitGroup
			for client := range acknowledged {
				dice := rand.New(rand.NewPCG(seed, uint64(client)))
				group.Go(func() {
					for range 30 {
						var id int64
						fate := dice.IntN(5)
						err := s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) (err error) {
							id, err = logEvent(ctx, tx)
							switch fate {
							case 0:
								return errors.New("refused")
							case 1:
								panic("lost")
							}
							return err
						}, func() { told = append(told, id) })
						if (err == nil) != (fate > 1) {
							t.Errorf("fate %d: %v", fate, err)
						}
						if err == nil {
							acknowledged[client] = append(acknowledged[client], id)
						}
					}
				})
			}
			group.Wait()
			stored, err := s.Read().Event.Query().IDs(t.Context())
			must(t, err)
			slices.Sort(stored)
			all := slices.Sorted(slices.Values(slices.Concat(acknowledged...)))
			if !slices.Equal(stored, all) {
				t.Errorf("%d rows, %d acknowledged", len(stored), len(all))
			}
			if !slices.Equal(stored, told) {
				t.Errorf("told out of order, or not once each: %v", told)
			}
		})
	}
}

func logEvent(ctx context.Context, tx *ent.Client) (int64, error) {
	e, err := tx.Event.Create().SetAccountID(uuid.New()).SetKind("thing.done").SetFact([]byte("{}")).Save(ctx)
	if err != nil {
		return 0, err
	}
	return e.ID, nil
}

// A change that is alone is committed at once, and those that come together share the disk's flush.
func TestCommitsPerChange(t *testing.T) {
	s := house.SQLite(t)
	for i := range 50 {
		must(t, s.Change(t.Context(), put(fmt.Sprint("alone", i)), nil))
	}
	alone := s.Stats()
	if alone.Changes != 50 || alone.Commits != 50 {
		t.Errorf("alone: %+v", alone)
	}
	var group sync.WaitGroup
	for client := range 32 {
		group.Go(func() {
			for i := range 100 {
				if err := s.Change(t.Context(), put(fmt.Sprint(client, "/", i)), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	st := s.Stats()
	if ratio := float64(st.Commits-alone.Commits) / float64(st.Changes-alone.Changes); ratio >= 0.15 {
		t.Errorf("%.3f commits a change for 32 clients: %+v", ratio, st)
	}
}

// PostgreSQL may ask to run a change again.
func TestConflicts(t *testing.T) {
	s := house.PostgresStore(t)
	conflict := func(ctx context.Context, tx *ent.Client, code string) error {
		_, err := tx.ExecContext(ctx, "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '"+code+"'; END $$")
		return err
	}
	told, runs := 0, 0
	must(t, s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
		if err := put("x")(ctx, tx); err != nil {
			return err
		}
		switch runs++; runs {
		case 1:
			return conflict(ctx, tx, "40001")
		case 2:
			_ = conflict(ctx, tx, "40P01")
			return errors.New("in its own words")
		}
		return nil
	}, func() { told++ }))
	if got := names(t, s); !slices.Equal(got, []string{"x"}) || told != 1 || runs != 3 {
		t.Errorf("rows %q, told %d times, ran %d times", got, told, runs)
	}

	runs = 0
	err := s.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
		runs++
		return conflict(ctx, tx, "40001")
	}, nil)
	if runs < 2 || runs > 10 || err == nil || !strings.Contains(err.Error(), "again") {
		t.Errorf("it ran %d times: %v", runs, err)
	}
}
