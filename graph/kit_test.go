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
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
	"switchboard/comms/notice"
	"switchboard/comms/pool"
	"switchboard/comms/record"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// kit is the rules over a real store, and the schema over the rules, without a transport.
type kit struct {
	testing.TB
	svc      *comms.Service
	calls    *call.Service
	records  *record.Service
	carriers *carrier.Service
	pools    *pool.Service
	mails    *mail.Service
	notices  *notice.Service
	sip      *engine
	lines    *lines
	letters  *letters
	exec     *executor.Executor
	log      *bytes.Buffer
	named    int
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
	k := &kit{svc: svc, sip: &engine{folder: folder}, lines: &lines{}, letters: &letters{sent: make(chan mail.Envelope, 10)}}
	k.pools = pool.New(svc, pool.Options{})
	k.records = record.New(svc, record.Options{Contents: contents, RecordingLink: func(r *comms.Recording) string { path, _ := k.calls.RecordingLink(r); return path }})
	k.carriers = carrier.New(svc, k.records, carrier.Options{Carriers: map[string]carrier.Carrier{"ovh": k.lines}})
	k.mails = mail.New(svc, mail.Options{Sender: k.letters})
	k.notices = notice.New(svc, notice.Options{})
	k.calls = call.New(svc, call.Options{Archive: archive, Voice: speaker{}, Recordings: folder, Groups: k.pools, Ended: k.records.Ended,
		Limits: call.Limits{PerMinute: 1_000_000}})
	k.calls.Attach(k.sip)
	return k.over(t, newSchema(svc, k.rules(Options{})))
}

// rules are options with the rules of the kit.
func (k *kit) rules(o Options) Options {
	o.Calls, o.Records, o.Carriers, o.Pools, o.Mails, o.Notices = k.calls, k.records, k.carriers, k.pools, k.mails, k.notices
	return o
}

// over is a kit with a schema of the test's own, and without rules.
func over(t testing.TB, schema graphql.ExecutableSchema) *kit { return (&kit{}).over(t, schema) }

func (k *kit) over(t testing.TB, schema graphql.ExecutableSchema) *kit {
	k.TB, k.log = t, &bytes.Buffer{}
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
	if baseURL(ctx) == "" {
		ctx = WithBaseURL(ctx, "https://sb.example")
	}
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
