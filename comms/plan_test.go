package comms_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
)

// Every statement finds its rows by an index, on both databases: no table is read from end to end, however large it grows.
func TestEveryStatementSeeks(t *testing.T) {
	spied(t, func(w *world, s *spy) {
		a, b := w.owner("together0@example.com"), w.owner("together1@example.com")
		w.owner("together2@example.com")
		w.owner("together3@example.com")
		operator, err := w.svc.OperatorToken(a.ctx)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		verb, statements := "", map[string]statement{}
		polled := make(chan struct{})
		s.sees = func(query string, args []any) error {
			mu.Lock()
			defer mu.Unlock()
			if _, ok := statements[query]; !ok {
				statements[query] = statement{verb, slices.Clone(args)}
				if strings.Contains(query, "AS news") {
					close(polled)
				}
			}
			return nil
		}
		watch, err := w.svc.OpenWatch(a.ctx, comms.Watch{})
		if err != nil {
			t.Fatal(err)
		}
		w.running()
		<-polled
		watch.Close()
		if _, err := w.svc.ClaimOperator(a.ctx, operator); err != nil {
			t.Fatal(err)
		}
		for _, v := range append(verbs, reads...) {
			mu.Lock()
			verb = v.name
			mu.Unlock()
			if err := v.do(w, turn{me: a, other: b, dice: rand.New(rand.NewPCG(1, 1)), word: "word"}); err != nil {
				t.Errorf("%s: %v", v.name, err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if len(statements) < 100 {
			t.Errorf("only %d statements were seen", len(statements))
		}
		for query, at := range statements {
			plan := w.plan(query, at.args)
			if why := scan(query, plan); why != "" {
				t.Errorf("%s: %s\n%s\n%s", at.verb, why, query, plan)
			}
		}
	})
}

// statement is one that was seen first in a verb.
type statement struct {
	verb string
	args []any
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

// scan is the line of a plan that reads a whole table, or more of an index than the statement's limit.
func scan(query, plan string) string {
	if firstRows.MatchString(query) && !strings.Contains(plan, "\n") {
		return ""
	}
	for line := range strings.Lines(plan) {
		line = strings.TrimSpace(line)
		if !small.MatchString(line) && (strings.HasPrefix(line, "SCAN ") || strings.Contains(line, "Seq Scan")) {
			return line
		}
	}
	return ""
}

var (
	// firstRows are statements that take rows from the end of a list. In the order of an index there is nothing else in the plan.
	firstRows = regexp.MustCompile(`^SELECT [^()]* FROM .(events|accounts). ORDER BY [^()]* LIMIT \d+$`)
	// small is what may be read from end to end: the rows of the statement itself; the few settings, operators and open sessions; the news since the
	// last poll; groups and pools, which an operator writes by hand, when a number is deleted.
	small = regexp.MustCompile(`VALUES CLAUSE|CONSTANT ROW|account_operator|session_open|(SCAN|Scan on) (settings|news|number_group_numbers|application_pool)$`)
)

// reads are what is asked without a change, each in the ways that make another statement.
var reads = []struct {
	name string
	do   func(w *world, c turn) error
}{
	{"messages", func(w *world, c turn) error {
		past := clock.From(time.Now().Add(-time.Hour))
		page, err := w.svc.Messages(c.me.ctx, comms.MessageFilter{Direction: comms.Received}, comms.Page{First: new(1)})
		if err != nil {
			return err
		}
		at := &page.Cursors[0]
		for _, f := range []comms.MessageFilter{{}, {Direction: comms.Received}, {Direction: comms.SentOut}, {NumberIDs: ids(c.me)},
			{Peer: c.other.numbers[0].Number, Delivered: new(bool)}, {Since: past, Until: clock.Now()}, {Delivered: new(true), Kind: "text"}} {
			for _, p := range []comms.Page{{}, {Last: new(5)}, {After: at}, {Before: at, Last: new(5)}} {
				if _, err := w.svc.Messages(c.me.ctx, f, p); err != nil {
					return err
				}
			}
			if _, err := w.svc.CountMessages(c.me.ctx, f); err != nil {
				return err
			}
		}
		m, err := w.svc.Message(c.me.ctx, page.Items[0].ID)
		if err != nil {
			return err
		}
		return second(w.svc.OpenData(w.Context(), comms.OpenData{Number: m.ToNumberID, DataID: m.DataID}))
	}},
	{"lists", func(w *world, c turn) error {
		token, err := w.svc.CreateApiToken(c.me.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount})
		if err != nil {
			return err
		}
		numbers, err := w.svc.Numbers(c.me.ctx, comms.Page{First: new(1)})
		if err != nil {
			return err
		}
		at := numbers.Cursors[0]
		for _, p := range []comms.Page{{}, {Last: new(5)}, {After: &at}, {Before: &at}} {
			swap := func(list byte) comms.Page {
				return comms.Page{First: p.First, Last: p.Last, After: of(list, p.After), Before: of(list, p.Before)}
			}
			err := errors.Join(second(w.svc.Numbers(c.me.ctx, p)), second(w.svc.ApiTokens(c.me.ctx, swap('t'))), second(w.svc.BlockedNumbers(c.me.ctx, swap('b'))),
				second(w.svc.Accounts(c.me.ctx, swap('a'))))
			if err != nil {
				return err
			}
		}
		return errors.Join(second(w.svc.AllNumbers(c.me.ctx)), second(w.svc.NumbersByID(c.me.ctx, ids(c.me))), second(w.svc.Sessions(c.me.ctx, 20)),
			second(w.svc.RevokeApiToken(c.me.ctx, token.Token.ID)))
	}},
	{"log", func(w *world, c turn) error {
		cursor, err := w.svc.LogCursor(c.me.ctx)
		if err != nil {
			return err
		}
		watch, err := w.svc.OpenWatch(c.me.ctx, comms.Watch{After: cursor, Kinds: []comms.Kind{comms.MessageSent}, NumberIDs: ids(c.me)})
		if err != nil {
			return err
		}
		defer watch.Close()
		if _, err := w.svc.OpenWatch(c.me.ctx, comms.Watch{CallID: c.me.numbers[0].ID}); !comms.IsCode(err, comms.NotFound) {
			return fmt.Errorf("a call that is none: %w", err)
		}
		call := w.toldCall(c.me.numbers[0], comms.CallQueued)
		one, err := w.svc.OpenWatch(c.me.ctx, comms.Watch{CallID: call, Kinds: comms.CallKinds()})
		if err != nil {
			return err
		}
		defer one.Close()
		_, _, err = one.Missed(c.me.ctx, 0, 10)
		_, _, err2 := watch.Missed(c.me.ctx, 0, 10)
		return errors.Join(err, err2)
	}},
	{"credentials", func(w *world, c turn) error {
		in := comms.Register{Email: "c@example.com", Password: "correct horse", IdempotencyKey: "k"}
		got, err := w.svc.Register(w.Context(), in)
		if err != nil {
			return err
		}
		ctx := comms.WithActor(w.Context(), &comms.Actor{AccountID: got.Account.ID, Scopes: 1<<16 - 1})
		token, err := w.svc.CreateApiToken(ctx, comms.CreateApiToken{Scopes: comms.ReadAccount})
		if err != nil {
			return err
		}
		return errors.Join(second(w.svc.Login(ctx, in.Email, in.Password)), second(w.svc.Me(ctx)), second(w.svc.ApiKey(ctx)),
			second(w.svc.Authenticate(ctx, comms.Presented{Bearer: got.Token})), second(w.svc.Authenticate(ctx, comms.Presented{Bearer: token.Value})),
			second(w.svc.Authenticate(ctx, comms.Presented{ApiKey: got.ApiKey})), second(w.svc.OperatorToken(ctx)),
			second(w.svc.SetAccountPlan(c.me.ctx, comms.SetAccountPlan{AccountID: got.Account.ID, Plan: "business"})))
	}},
}

// of turns a cursor of one list by time into one of another.
func of(list byte, cursor *string) *string {
	if cursor == nil {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*cursor)
	if err != nil {
		panic(err)
	}
	b[0] = list
	return new(base64.RawURLEncoding.EncodeToString(b))
}
