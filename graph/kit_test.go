package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// kit is the rules over a real store, and the schema over the rules, without a transport.
type kit struct {
	testing.TB
	svc   *comms.Service
	calls *call.Service
	sip   *engine
	exec  *executor.Executor
	log   *bytes.Buffer
	named int
}

// person is an account with its numbers; ctx carries it as the caller.
type person struct {
	ctx     context.Context
	email   string
	account *comms.Account
	token   string
	numbers []*comms.Number
}

func newKit(t testing.TB, store *db.Store) *kit {
	t.Helper()
	contents, err := content.Open(content.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := comms.New(comms.Options{Store: store, Contents: contents, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	archive, err := content.OpenArchive(content.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	calls := call.New(svc, call.Options{Archive: archive, Voice: speaker{}, Recordings: folder,
		Limits: call.Limits{PerMinute: 1_000_000}})
	k := over(t, newSchema(svc, calls))
	k.svc, k.calls, k.sip = svc, calls, &engine{folder: folder}
	calls.Attach(k.sip)
	return k
}

// over is the kit with a schema of the test's own.
func over(t testing.TB, schema graphql.ExecutableSchema) *kit {
	k := &kit{TB: t, log: &bytes.Buffer{}}
	k.exec = executor.New(schema)
	k.exec.SetQueryCache(graphql.MapCache[*ast.QueryDocument]{})
	k.exec.SetErrorPresenter(presenter(slog.New(slog.NewTextHandler(k.log, nil))))
	k.exec.SetRecoverFunc(recoverPanic)
	return k
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, fn func(k *kit)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newKit(t, open(t))) })
}

// must ends the test where a step that only prepares it fails.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (k *kit) person(numbers int) *person {
	k.Helper()
	k.named++
	p := &person{email: fmt.Sprintf("p%d@example.com", k.named)}
	c := must(k.svc.Register(k.Context(), comms.Register{Email: p.email, Password: "correct horse"}))(k)
	p.account, p.token = c.Account, c.Token
	actor := must(k.svc.Authenticate(k.Context(), comms.Presented{Bearer: c.Token}))(k)
	p.ctx = comms.WithActor(k.Context(), actor)
	for i := range numbers {
		q := must(k.svc.AskCaptcha(p.ctx))(k)
		token, _, err := k.svc.SolveCaptcha(p.ctx, comms.SolveCaptcha{A: q.A, B: q.B, Answer: q.A + q.B})
		if err != nil {
			k.Fatal(err)
		}
		n := must(k.svc.CreateNumber(p.ctx, comms.CreateNumber{Alias: fmt.Sprint("line ", i), PIN: "1234", CaptchaToken: token.String()}))(k)
		p.numbers = append(p.numbers, n.Number)
	}
	return p
}

// with is the person's context with an API token that may only do this.
func (k *kit) with(p *person, scopes comms.Scope) context.Context {
	k.Helper()
	t := must(k.svc.CreateApiToken(p.ctx, comms.CreateApiToken{Scopes: scopes, TTL: time.Hour}))(k)
	return comms.WithActor(k.Context(), must(k.svc.Authenticate(k.Context(), comms.Presented{Bearer: t.Value}))(k))
}

func (k *kit) send(from *person, to *comms.Number, text string) *comms.Message {
	k.Helper()
	sent := must(k.svc.SendMessage(from.ctx, comms.SendMessage{From: from.numbers[0].ID, To: []string{to.Number}, Text: text}))(k)
	return sent.Messages[0]
}

type reply struct {
	Data   json.RawMessage
	Errors gqlerror.List
}

// ask executes one operation; a subscription gives its first item.
func (k *kit) ask(ctx context.Context, query string, variables map[string]any) reply {
	k.Helper()
	ctx = graphql.StartOperationTrace(ctx)
	op, errs := k.exec.CreateOperationContext(ctx, &graphql.RawParams{Query: query, Variables: variables})
	if errs != nil {
		return reply{Errors: errs}
	}
	next, ctx := k.exec.DispatchOperation(ctx, op)
	r := next(ctx)
	if r == nil {
		return reply{}
	}
	return reply{Data: r.Data, Errors: r.Errors}
}

// get executes an operation that must succeed, and decodes its data.
func (k *kit) get(ctx context.Context, query string, variables map[string]any, into any) {
	k.Helper()
	r := k.ask(ctx, query, variables)
	if len(r.Errors) > 0 {
		k.Fatalf("%s: %v\n%s", query, r.Errors, k.log)
	}
	if err := json.Unmarshal(r.Data, into); err != nil {
		k.Fatalf("%s: %v: %s", query, err, r.Data)
	}
}
