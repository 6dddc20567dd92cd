package comms_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// with is the same store under other settings.
func (w *world) with(t comms.Throttle) *comms.Service {
	w.Helper()
	svc, err := comms.New(comms.Options{Store: w.store, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4, Throttle: t})
	if err != nil {
		w.Fatal(err)
	}
	return svc
}

// tokens puts API tokens into the store, many of them made in the same microsecond, and returns their ids in the order of the list.
func (w *world) tokens(account uuid.UUID, n int) []uuid.UUID {
	w.Helper()
	w.change(func(ctx context.Context, tx *ent.Client) error {
		for i := range n {
			err := tx.ApiToken.Create().SetAccountID(account).SetHash([]byte(fmt.Sprint(account, i))).SetScopes(nil).
				SetCreatedAt(clock.Micros(i / 3)).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
	rows, err := w.store.Read().ApiToken.Query().All(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	rows = slices.DeleteFunc(rows, func(t *comms.ApiToken) bool { return t.AccountID != account })
	slices.SortFunc(rows, func(a, b *comms.ApiToken) int {
		if d := a.CreatedAt - b.CreatedAt; d != 0 {
			return int(d)
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
	out := make([]uuid.UUID, n)
	for i, r := range rows {
		out[i] = r.ID
	}
	return out
}

// modelPage is the Relay specification's "Pagination algorithm" on a slice. What lies beyond a cursor counts for hasNextPage and
// hasPreviousPage, which it leaves to the server.
func modelPage(all []string, p comms.Page) (edges []string, next, previous bool) {
	from, to := 0, len(all)
	if p.After != nil {
		from = slices.Index(all, *p.After) + 1
	}
	if p.Before != nil {
		to = max(from, slices.Index(all, *p.Before))
	}
	if n := p.First; n != nil {
		to = min(to, from+*n)
	} else if n := p.Last; n != nil {
		from = max(from, to-*n)
	} else {
		to = min(to, from+50)
	}
	return all[from:to], to < len(all) || p.Before != nil, from > 0 // crossed cursors: nothing is between them
}

func TestPagesAgreeWithAModel(t *testing.T) {
	onBoth(t, func(w *world) {
		a, other, b := w.side(1), w.side(0), w.side(1)
		w.tokens(other.account, 5) // must never show
		tokens := w.tokens(a.account, 17)
		var messages []int64
		for i := range 13 {
			messages = append(messages, w.send(a, b.numbers[0], fmt.Sprint(i)).ID)
		}
		slices.Reverse(messages)
		checkPages(w, "oldest first, by time and id", tokens, func(p comms.Page) (*comms.PageOf[*comms.ApiToken], error) {
			return w.svc.ApiTokens(a.ctx, p)
		}, func(t *comms.ApiToken) any { return t.ID })
		checkPages(w, "newest first, by number", messages, func(p comms.Page) (*comms.PageOf[*comms.Message], error) {
			return w.svc.Messages(b.ctx, comms.MessageFilter{}, p)
		}, func(m *comms.Message) any { return m.ID })
	})
}

func checkPages[T, ID any](w *world, name string, ids []ID, read func(comms.Page) (*comms.PageOf[T], error), id func(T) any) {
	w.Helper()
	whole, err := read(comms.Page{})
	if err != nil || len(whole.Items) != len(ids) || whole.HasNext || whole.HasPrevious {
		w.Fatalf("%s: the whole: %+v, %v", name, whole, err)
	}
	for i, it := range whole.Items {
		if id(it) != any(ids[i]) {
			w.Fatalf("%s: item %d is %v, want %v", name, i, id(it), ids[i])
		}
	}
	cursors := whole.Cursors
	rapid.Check(w, func(t *rapid.T) {
		var p comms.Page
		size := rapid.IntRange(0, len(ids)+2)
		switch rapid.IntRange(0, 2).Draw(t, "direction") {
		case 1:
			n := size.Draw(t, "first")
			p.First = &n
		case 2:
			n := size.Draw(t, "last")
			p.Last = &n
		}
		if rapid.Bool().Draw(t, "has after") {
			p.After = &cursors[rapid.IntRange(0, len(ids)-1).Draw(t, "after")]
		}
		if rapid.Bool().Draw(t, "has before") {
			p.Before = &cursors[rapid.IntRange(0, len(ids)-1).Draw(t, "before")]
		}
		page, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		edges, next, previous := modelPage(cursors, p)
		if !slices.Equal(page.Cursors, edges) || len(page.Items) != len(edges) {
			t.Fatalf("got %d items %v, want %v", len(page.Items), page.Cursors, edges)
		}
		for i, it := range page.Items {
			if id(it) != any(ids[slices.Index(cursors, page.Cursors[i])]) {
				t.Fatalf("item %d has another's cursor", i)
			}
		}
		if page.HasNext != next || page.HasPrevious != previous {
			t.Fatalf("next %v, previous %v; want %v, %v", page.HasNext, page.HasPrevious, next, previous)
		}
	})
}

func TestPageRefusals(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.side(2)
		w.tokens(a.account, 3)
		n := func(i int) *int { return &i }
		s := func(s string) *string { return &s }
		tokens, err := w.svc.ApiTokens(a.ctx, comms.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			page comms.Page
			want string
		}{
			"both":         {comms.Page{First: n(1), Last: n(1)}, "INVALID last"},
			"negative":     {comms.Page{First: n(-1)}, "INVALID first"},
			"negative 2":   {comms.Page{Last: n(-1)}, "INVALID last"},
			"large":        {comms.Page{First: n(201)}, "INVALID first PAGE_SIZE_LIMIT"},
			"large 2":      {comms.Page{Last: n(201)}, "INVALID last PAGE_SIZE_LIMIT"},
			"empty cursor": {comms.Page{After: s("")}, "INVALID after BAD_CURSOR"},
			"rubbish":      {comms.Page{Before: s("rubbish!")}, "INVALID before BAD_CURSOR"},
			"cut":          {comms.Page{Before: s(tokens.Cursors[0][:20])}, "INVALID before BAD_CURSOR"},
			"other list's": {comms.Page{After: &tokens.Cursors[0]}, "INVALID after BAD_CURSOR"},
			"largest":      {comms.Page{Last: n(200)}, ""},
			"none":         {comms.Page{First: n(0)}, ""},
		} {
			if _, err := w.svc.Numbers(a.ctx, c.page); refusal(err) != c.want {
				t.Errorf("%s: %q, want %q", name, refusal(err), c.want)
			}
		}
		ctx, statements := db.CountStatements(a.ctx)
		if _, err := w.svc.Numbers(ctx, comms.Page{First: n(1)}); err != nil || statements.Load() != 1 {
			t.Errorf("%d statements for a page, %v", statements.Load(), err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	store := newWorld(f, house.SQLite(f))
	a := store.side(1)
	page, err := store.svc.Numbers(a.ctx, comms.Page{})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range append(page.Cursors, "", "e1", "bg", "!", strings.Repeat("A", 34)) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		if _, err := store.svc.Numbers(a.ctx, comms.Page{After: &cursor}); err != nil && refusal(err) != "INVALID after BAD_CURSOR" {
			t.Errorf("%q: %v", cursor, err)
		}
	})
}

func TestTrimmedLog(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(0), w.side(0)
		block := func(s *side, i int) {
			if _, err := w.svc.BlockNumber(s.ctx, comms.BlockNumber{Number: fmt.Sprint(1000000 + i)}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 5 {
			block(a, i)
		}
		block(b, 0)
		cursor := func(s *side) string {
			c, err := w.svc.LogCursor(s.ctx)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		watch := func(s *side, after string) string {
			watcher, err := w.svc.OpenWatch(s.ctx, comms.Watch{After: after})
			if err == nil {
				watcher.Close()
			}
			return refusal(err)
		}
		old, newest := cursor(a), cursor(b)
		w.change(func(ctx context.Context, tx *ent.Client) error { // all of it is eight days old
			return second(tx.ExecContext(ctx, fmt.Sprintf("UPDATE events SET created_at = %d", clock.Now().Add(-8*24*time.Hour))))
		})
		block(a, 7)
		if err := w.svc.Sweep(t.Context(), clock.Now()); err != nil {
			t.Fatal(err)
		}
		left := w.count(func(db *ent.Client) (int, error) { return db.Event.Query().Count(t.Context()) })
		if left != 1 {
			t.Errorf("%d events are left, want the new one", left)
		}
		for name, c := range map[string]struct {
			side  *side
			after string
			want  string
		}{
			"missed some": {a, "e1", "INVALID after CURSOR_EXPIRED"}, "missed nothing": {a, old, ""}, "all trimmed": {b, newest, ""},
			"from the start": {b, "e0", "INVALID after CURSOR_EXPIRED"}, "now": {a, cursor(a), ""},
		} {
			if got := watch(c.side, c.after); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
		if err := w.svc.Sweep(t.Context(), clock.Now().Add(30*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if left := w.count(func(db *ent.Client) (int, error) { return db.Event.Query().Count(t.Context()) }); left != 1 {
			t.Errorf("%d events are left: the newest of all must stay, or its id is given again", left)
		}
	})
}

// More than one batch: the sweep goes on until nothing old is left.
func TestTrimManyEvents(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.side(0)
		w.change(func(ctx context.Context, tx *ent.Client) error {
			for range 5 {
				rows := make([]*ent.EventCreate, 500)
				for i := range rows {
					rows[i] = tx.Event.Create().SetAccountID(a.account).SetKind("account.updated").SetFact([]byte("{}")).SetCreatedAt(1)
				}
				if err := tx.Event.CreateBulk(rows...).Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err := w.svc.Sweep(t.Context(), clock.Now()); err != nil {
			t.Fatal(err)
		}
		acc, err := w.store.Read().Account.Get(t.Context(), a.account)
		left := w.count(func(db *ent.Client) (int, error) { return db.Event.Query().Count(t.Context()) })
		if err != nil || left != 1 || acc.TrimmedTo == 0 {
			t.Errorf("%d left, trimmed to %d, %v", left, acc.TrimmedTo, err)
		}
	})
}
