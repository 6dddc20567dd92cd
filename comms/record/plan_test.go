package record

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

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/callrecord"
	"switchboard/internal/db"
)

// watched is a store that notes each statement.
type watched struct {
	*db.Store
	mu   sync.Mutex
	seen map[string][]any   // a statement, and the arguments that it came with first
	then func(query string) // after each that reads; nil: nothing
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
	if d.to.seen[query] == nil {
		d.to.seen[query] = append([]any{}, args...)
	}
}

func (d *noting) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	d.note(query, args)
	return d.Client.ExecContext(ctx, query, args...)
}

func (d *noting) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	d.note(query, args)
	rows, err := d.Client.QueryContext(ctx, query, args...)
	if d.to.then != nil {
		d.to.then(query)
	}
	return rows, err
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

// taken are the statements since the last time.
func (w *watched) taken() map[string][]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := maps.Clone(w.seen)
	clear(w.seen)
	return seen
}

// plan is what the database would do, a line a step.
func (o *office) plan(query string, args []any) (lines []string) {
	o.Helper()
	err := o.store.Change(o.Context(), func(ctx context.Context, tx *ent.Client) error {
		explain, columns := "EXPLAIN ", 1
		if o.store.Dialect() == "sqlite3" {
			explain, columns = "EXPLAIN QUERY PLAN ", 4
		} else if _, err := tx.ExecContext(ctx, "SET LOCAL enable_seqscan = off"); err != nil { // the tables are small
			return err
		}
		rows, err := tx.QueryContext(ctx, explain+query, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			to := []any{new(any), new(any), new(any), &line}[4-columns:]
			if err := rows.Scan(to...); err != nil {
				return err
			}
			lines = append(lines, strings.TrimSpace(line))
		}
		return rows.Err()
	}, nil)
	if err != nil {
		o.Fatal(err)
	}
	return lines
}

// For each filter, in each way to ask: every statement finds its rows by an index or by their ids, and none sorts a page by time,
// where durations are rare and where they are not; `go test -v -run Plans` shows the plans.
func TestPlansOfEachFilter(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		w := &watched{Store: o.store, seen: map[string][]any{}}
		var err error
		if o.svc, err = comms.New(comms.Options{Store: w, Contents: o.contents, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4}); err != nil {
			t.Fatal(err)
		}
		o.records = o.process()
		_, add := some(newDice(), 700, "r")
		o.add(o.aliceID, add...)
		o.ours(&comms.Call{NumberID: &o.own.ID, Direction: "incoming", Peer: people[1]})
		o.block(people[3])
		shown := map[string]bool{}
		look := func(what string) { t.Helper(); o.plansAreGood(w.taken(), what, shown) }
		w.taken()
		for name, q := range filters() {
			many := o.process() // to which no duration is rare
			many.rare = -1
			for _, s := range []*Service{many, o.records} {
				page, err := s.Records(o.alice, q, comms.Page{First: new(3)})
				_, err2 := s.RecordsAt(o.alice, q, 100, 500)
				_, err3 := s.CountRecords(o.alice, q)
				err4 := s.EachRecord(o.alice, q, func([]*Row) error { return nil })
				if err != nil || err2 != nil || err3 != nil || err4 != nil {
					t.Fatal(name, err, err2, err3, err4)
				}
				if page.HasNext {
					if _, err := s.Records(o.alice, q, comms.Page{First: new(3), After: &page.Cursors[2]}); err != nil {
						t.Fatal(name, err)
					}
				}
				look(name)
			}
		}
		if _, err := o.svc.DeleteNumber(o.alice, o.own.ID); err != nil {
			t.Fatal(err)
		}
		look("deleting a number")
	})
}

// plansAreGood looks at the plan of each statement.
func (o *office) plansAreGood(statements map[string][]any, what string, shown map[string]bool) {
	o.Helper()
	if len(statements) < 3 {
		o.Errorf("%s: only %d statements", what, len(statements))
	}
	for query, args := range statements {
		if strings.HasPrefix(query, "INSERT") || strings.HasPrefix(query, "SELECT pg_advisory") {
			continue
		}
		plan := o.plan(query, args)
		all := strings.Join(plan, "\n")
		if strings.Contains(all, "USE TEMP B-TREE FOR ORDER BY") && strings.Contains(all, byTime) {
			o.Errorf("%s: a page is sorted\n%s\n%s", what, query, all)
		}
		for _, line := range plan {
			inOrder := strings.Contains(query, "LIMIT") && strings.HasSuffix(line, "USING INDEX "+byTime+" (account_id=?)") // to the end of the page
			if wholeTable.MatchString(line) && !inOrder {
				o.Errorf("%s: %s\n%s", what, line, query)
			}
		}
		if !shown[query] {
			shown[query] = true
			o.Logf("%s: %.200s\n    %s", what, query, strings.Join(plan, "\n    "))
		}
	}
}

// wholeTable is a step that reads a table from end to end, or all that an account has; groups and pools are written by hand, and few.
var wholeTable = regexp.MustCompile(`^SCAN (calls|call_records|record_tallies|accounts|blocks|numbers|recordings)\b|Seq Scan on (calls|call_records|record_tallies|` +
	`accounts|blocks|numbers|recordings)\b|call_records USING .*\(account_id=\?\)|recordings USING .*\(account_id=\?\)`)

// What costs ten times as much to look at must be ten times rarer: who is on a call does not stand in the index of durations.
func TestHowFewAreFew(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.records.rare = 50
		var add []NewRecord
		for i := range 6 { // six are few to be found in the index, and many to be read
			add = append(add, NewRecord{ForeignID: fmt.Sprint(i), Calling: desk, Called: people[i%2], Direction: Outgoing, StartedAt: day, Duration: 600})
		}
		o.add(o.aliceID, add...)
		few := func(q Search) bool {
			o.Helper()
			f, err := o.records.permitted(o.alice, &q)
			if err != nil {
				o.Fatal(err)
			}
			is, err := o.records.few(o.Context(), f)
			if err != nil {
				o.Fatal(err)
			}
			return is
		}
		long, longer := Search{MinDuration: new(600)}, Search{MinDuration: new(601)}
		if !few(long) || few(Search{}) {
			o.Error("six that are found in the index are not few, or all are")
		}
		long.Numbers, longer.Numbers = people[:1], people[:1]
		if few(long) || !few(longer) {
			o.Error("six that must be read for who is on them are few, or none are not")
		}
		o.block(people[3])
		if long.Numbers = nil; few(long) {
			o.Error("six that must be read for what is blocked are few")
		}
		if n, err := o.records.CountRecords(o.alice, Search{MinDuration: new(600), From: new(day), Numbers: people[1:2]}); err != nil || n != 3 {
			o.Errorf("%d are counted (%v)", n, err)
		}
	})
}

// Records that go while all are read are not the end of them.
func TestWhatGoesWhileAllAreRead(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		w := &watched{Store: o.store, seen: map[string][]any{}}
		var err error
		if o.svc, err = comms.New(comms.Options{Store: w, Contents: o.contents, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4}); err != nil {
			t.Fatal(err)
		}
		o.records = o.process()
		_, add := some(newDice(), 2*batch+100, "r")
		o.add(o.aliceID, add...)
		gone := 0
		w.then = func(query string) { // the newest goes whenever ids have been found
			if gone == 6 || !strings.HasPrefix(query, "SELECT id, started_at") {
				return
			}
			gone++
			err := o.store.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
				newest := callrecord.ID(tx.CallRecord.Query().Order(callrecord.ByStartedAt(entsql.OrderDesc()), callrecord.ByID(entsql.OrderDesc())).FirstIDX(ctx))
				_, err := tx.CallRecord.Delete().Where(newest).Exec(ctx)
				return err
			}, nil)
			if err != nil {
				t.Error(err)
			}
		}
		read := 0
		err = o.records.EachRecord(o.alice, Search{}, func(rows []*Row) error { read += len(rows); return nil })
		if err != nil || read < len(add)-gone || gone != 6 {
			t.Errorf("of %d %d were read and %d went (%v)", len(add), read, gone, err)
		}
	})
}
