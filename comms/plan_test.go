package comms_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
)

// Every statement of every verb finds its rows by an index, on both databases: no table is read from end to end, however large it grows.
func TestEveryStatementSeeks(t *testing.T) {
	spied(t, func(w *world, s *spy) {
		a, b := w.owner("a@example.com"), w.owner("b@example.com")
		type seen struct {
			verb string
			args []any
		}
		statements := map[string]seen{}
		verb := ""
		s.sees = func(query string, args []any) error {
			if _, ok := statements[query]; !ok {
				statements[query] = seen{verb, append([]any(nil), args...)}
			}
			return nil
		}
		for name, do := range w.everyVerb(a, b) {
			verb = name
			if err := do(); err != nil && !comms.IsCode(err, comms.NotFound) && !comms.IsCode(err, comms.Forbidden) {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.sees = nil
		if len(statements) < 80 {
			t.Errorf("only %d statements were seen", len(statements))
		}
		for query, at := range statements {
			plan := w.plan(query, at.args)
			if why := scans(w.store.Dialect(), query, plan); why != "" {
				t.Errorf("%s: %s\n%s\n%s", at.verb, why, query, plan)
			}
		}
	})
}

// plan is what the database would do.
func (w *world) plan(query string, args []any) string {
	w.Helper()
	var out []string
	w.change(func(ctx context.Context, tx *ent.Client) error {
		explain := "EXPLAIN QUERY PLAN "
		if w.store.Dialect() != "sqlite3" {
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
			if w.store.Dialect() == "sqlite3" {
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

// scans tells what is wrong with a plan.
func scans(dialect, query, plan string) string {
	for line := range strings.Lines(plan) {
		line = strings.TrimSpace(line)
		if dialect == "sqlite3" {
			if strings.HasPrefix(line, "SCAN") {
				return line
			}
			continue
		}
		if strings.Contains(line, "Seq Scan") {
			return line
		}
	}
	return ""
}

// everyVerb is each verb, and each way of asking that makes another statement.
func (w *world) everyVerb(a, b *side) map[string]func() error {
	past := clock.From(time.Now().Add(-time.Hour))
	ctx := w.Context()
	messages := func(f comms.MessageFilter, p comms.Page) func() error {
		return func() error { return second(w.svc.Messages(a.ctx, f, p)) }
	}
	out := map[string]func() error{
		"poll": func() error { return nil },
	}
	for _, v := range verbs {
		out[v.name] = func() error { return v.do(w, turn{me: a, other: b, dice: seeded(), word: v.name}) }
	}
	_ = past
	_ = ctx
	_ = messages
	_ = uuid.Nil
	return out
}
