package call

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/internal/clock"
	"switchboard/internal/db"
)

// watched is a store that notes each statement.
type watched struct {
	*db.Store
	mu   sync.Mutex
	seen map[string][]any // a statement, and the arguments that it came with first
	n    int
}

func (w *watched) Read() *ent.Client { return w.over(w.Store.Read()) }

func (w *watched) Change(ctx context.Context, fn db.Func, committed func()) error {
	return w.Store.Change(ctx, func(ctx context.Context, tx *ent.Client) error { return fn(ctx, w.over(tx)) }, committed)
}

func (w *watched) over(c *ent.Client) *ent.Client { return ent.NewClient(ent.Driver(&noting{c, w})) }

// noting is ent's way through a client of the store.
type noting struct {
	*ent.Client
	to *watched
}

func (d *noting) Dialect() string                        { return d.to.Dialect() }
func (d *noting) Close() error                           { return nil }
func (d *noting) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(d), nil }

func (d *noting) note(query string, args []any) {
	d.to.mu.Lock()
	defer d.to.mu.Unlock()
	if d.to.n++; d.to.seen[query] == nil {
		d.to.seen[query] = append([]any{}, args...)
	}
}

// forget begins anew; what still ends in the background notes on.
func (w *watched) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.n = map[string][]any{}, 0
}

// noted are the statements so far, and how often one was made.
func (w *watched) noted() (map[string][]any, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.seen), w.n
}

func (d *noting) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	d.note(query, args)
	return d.Client.ExecContext(ctx, query, args...)
}

func (d *noting) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	d.note(query, args)
	return d.Client.QueryContext(ctx, query, args...)
}

func (d *noting) Exec(ctx context.Context, query string, args, v any) error {
	res, err := d.ExecContext(ctx, query, args.([]any)...)
	if to, ok := v.(*sql.Result); ok && err == nil {
		*to = res
	}
	return err
}

func (d *noting) Query(ctx context.Context, query string, args, v any) error {
	rows, err := d.QueryContext(ctx, query, args.([]any)...)
	if err == nil {
		v.(*entsql.Rows).ColumnScanner = rows
	}
	return err
}

// overheard is an exchange whose statements are noted.
func overheard(t *testing.T, fn func(x *exchange, w *watched)) {
	exchangesOnBoth(t, func(x *exchange) {
		w := &watched{Store: x.store, seen: map[string][]any{}}
		var err error
		x.svc, err = comms.New(comms.Options{Store: w, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4})
		x.must(err)
		x.calls = New(x.svc, Options{Voice: polyglot{}, Recordings: x.TempDir()})
		x.calls.Attach(x.engine)
		fn(x, w)
	})
}

// Every statement of a call's life and of its lists finds its rows by an index, however many there are.
func TestEveryStatementOfACallSeeks(t *testing.T) {
	overheard(t, func(x *exchange, w *watched) {
		_, err := x.calls.MaskNumbers(x.alice, MaskNumbers{Kind: "axb", First: ann, Second: bob, NumberID: x.number[quiet].ID})
		x.must(err)
		w.forget()
		for _, c := range [][2]string{{"3000", desk}, {"2004", quiet}, {outsider, desk}, {"2000", "2001"}} {
			v := x.route(c[0], c[1])
			x.must(x.calls.CallRinging(t.Context(), v.Call))
			x.must(x.calls.CallAnswered(t.Context(), v.Call))
			x.must(x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyHungUp}))
		}
		x.must(x.calls.CallEnded(t.Context(), x.route(outsider, desk).Call, End{Why: WhyNoAnswer}))
		placed, err := x.calls.PlaceCall(x.alice, PlaceCall{From: x.number[desk].ID, To: shop, ClientKey: "k"})
		x.must(err)
		_, err = x.calls.PlaceCall(x.alice, PlaceCall{To: outsider, Message: "hello"})
		x.must(err)
		x.must(x.calls.Watch(t.Context(), clock.Now().Add(time.Minute)))
		x.must(x.calls.Restart(t.Context()))
		page, err := x.calls.Calls(x.alice, CallFilter{}, comms.Page{First: new(1)})
		x.must(err)
		for _, f := range []CallFilter{{}, {NumberIDs: ids(x.number[desk])}, {Peer: outsider, Live: new(true)}, {Outcome: []call.Outcome{"answered"}, Since: 1, Until: clock.Now()}} {
			for _, p := range []comms.Page{{}, {Last: new(5)}, {After: &page.Cursors[0]}, {Before: &page.Cursors[0], Last: new(5)}} {
				_, err := x.calls.Calls(x.alice, f, p)
				x.must(err)
			}
			_, err := x.calls.CountCalls(x.alice, f)
			x.must(err)
		}
		_, err = x.calls.CallsByID(x.alice, []uuid.UUID{placed.Call.ID})
		x.must(err)
		_, _, err = x.calls.CallHistory(x.alice, History{Status: "missed", Limit: 5, Offset: 1})
		x.must(err)
		x.seeks(w, 50)
	})
}

// seeks looks at the plans of all statements that were seen, which are so many at the least.
func (x *exchange) seeks(w *watched, least int) {
	x.Helper()
	noted, _ := w.noted()
	if len(noted) < least {
		x.Errorf("only %d statements were seen", len(noted))
	}
	for query, args := range noted {
		plan := x.plan(query, args)
		for line := range strings.Lines(plan) {
			if line = strings.TrimSpace(line); !fewRows.MatchString(line) && (strings.HasPrefix(line, "SCAN ") || strings.Contains(line, "Seq Scan")) {
				x.Errorf("%s\n%s\n%s", line, query, plan)
			}
		}
	}
}

// fewRows is what may be read from end to end: the statement's own rows; trunks, which an operator writes by hand; the index that holds live
// calls alone; the pools and groups, also written by hand.
var fewRows = regexp.MustCompile(`VALUES CLAUSE|CONSTANT ROW|call_live|recording_live|(SCAN|Scan on) trunks|application_pool|number_group_numbers`)

// plan is what the database would do.
func (x *exchange) plan(query string, args []any) string {
	x.Helper()
	var out []string
	x.change(func(ctx context.Context, tx *ent.Client) error {
		explain := "EXPLAIN QUERY PLAN "
		if x.store.Dialect() != dialect.SQLite {
			explain = "EXPLAIN "
			if _, err := tx.ExecContext(ctx, "SET LOCAL enable_seqscan = off"); err != nil { // the tables are small
				return err
			}
		}
		rows, err := tx.QueryContext(ctx, explain+query, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			to := []any{&line}
			if x.store.Dialect() == dialect.SQLite {
				to = []any{new(any), new(any), new(any), &line}
			}
			if err := rows.Scan(to...); err != nil {
				return err
			}
			out = append(out, line)
		}
		return rows.Err()
	})
	return strings.Join(out, "\n")
}

// Routing takes as many statements for a number that a hundred telephones ring for, among a thousand others, as for one.
func TestRoutingTakesAFixedNumberOfStatements(t *testing.T) {
	overheard(t, func(x *exchange, w *watched) {
		x.unlimited()
		count := func() int {
			w.forget()
			v := x.route("3000", desk)
			_, routed := w.noted()
			x.must(x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyHungUp}))
			return routed
		}
		before := count()
		x.change(func(ctx context.Context, tx *ent.Client) error {
			owner := x.number[desk].AccountID
			for i := range 100 {
				p, err := tx.SipNumber.Create().SetAccountID(owner).SetNumber(fmt.Sprint(5000 + i)).SetPasswordSealed([]byte{1}).Save(ctx)
				if err != nil {
					return err
				}
				if err := tx.Ring.Create().SetSipNumberID(p.ID).SetNumber(desk).Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if after := count(); after != before || after > 16 {
			t.Errorf("%d statements, and %d with a hundred telephones more", before, after)
		}
	})
}
