package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/ent"
	"switchboard/graph"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/legacy"
)

// scene is two accounts behind all doors at once.
type scene struct {
	*testing.T
	url        string
	store      *db.Store
	alice, bob *comms.Credentials
	hers, his  *comms.Number // full accounts: each has five numbers, of which these are the first
	captcha    string        // a captcha token that is good
	spent      string        // one that was used
	disabled   *comms.Number // of hers
	forged     string
}

func newScene(t *testing.T, store *db.Store) *scene {
	contents, err := content.Open(content.Options{Data: t.TempDir()})
	check(t, err)
	svc, err := comms.New(comms.Options{Store: store, Contents: contents, Secret: bytes.Repeat([]byte{9}, 32), HashCost: 4, Node: "doors"})
	check(t, err)
	calls := call.New(svc, call.Options{Recordings: t.TempDir()})
	mux := http.NewServeMux()
	mux.Handle("/query", graph.NewHandler(svc, graph.Options{Calls: calls, TempDir: t.TempDir()}))
	legacy.Mount(mux, svc, legacy.Options{Calls: calls})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s := &scene{T: t, url: server.URL, store: store}
	// {"alg":"none"}, {"sub":"..."}: what a forger tries first.
	s.forged = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiLCJleHAiOjQxMDI0NDQ4MDB9."
	s.alice, s.hers = s.account(svc, "alice@example.com")
	s.bob, s.his = s.account(svc, "bob@example.com")
	s.disabled = s.switchOff(svc)
	s.captcha = s.solve(svc)
	_, err = svc.BlockNumber(s.as(svc, s.bob), comms.BlockNumber{Number: s.hers.Number})
	check(t, err)
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cell is one refusal at one door: what is sent, and what must come back. Words in {braces} stand for things of the scene.
type cell struct {
	ask  string // METHOD path [credential], or a door's short form, then the body
	want string // status, then what the answer must hold
}

func gql(doc, want string) cell { return cell{"GRAPHQL alice " + doc, "200 " + want} }
func user(code, field string) string {
	return fmt.Sprintf(`{"code":"%s","field":"input.%s"`, code, field)
}

// refusals is the table: each thing that can be refused, at each door that can be asked for it.
var refusals = []struct {
	name  string
	doors map[string]cell
}{
	{"nobody asks", map[string]cell{
		"graphql":   {`GRAPHQL nobody { me { id } }`, `200 "code":"UNAUTHENTICATED"`},
		"opencloud": {"GET /api/user/me nobody", `401 {"error":`},
		"messaging": {`SEND {stranger} {his}`, `200 {"answer":10004,"error":"uuid error`},
	}},
	{"a forged token", map[string]cell{
		"graphql":   {`GRAPHQL forged { me { id } }`, `401 "code":"UNAUTHENTICATED"`},
		"opencloud": {"GET /api/user/me forged", `401 {"error":`},
	}},
	{"the email is taken", map[string]cell{
		"graphql":   gql(`mutation { register(input: {email: "BOB@example.com", password: "12345678"}) { userErrors { code field } } }`, user("EMAIL_TAKEN", "email")),
		"opencloud": {`POST /api/auth/register nobody {"email":"Bob@Example.com","password":"12345678"}`, `409 {"error":`},
	}},
	{"a wrong password", map[string]cell{
		"graphql":   gql(`mutation { login(input: {email: "bob@example.com", password: "12345679"}) { userErrors { code field } } }`, user("UNAUTHENTICATED", "password")),
		"opencloud": {`POST /api/auth/login nobody {"email":"bob@example.com","password":"12345679"}`, `401 {"error":`},
	}},
	{"a sixth number", map[string]cell{
		"graphql":   gql(`mutation { createNumber(input: {pin: "1234", captchaToken: "{captcha}"}) { userErrors { code } } }`, `"code":"NUMBER_LIMIT"`),
		"opencloud": {`POST /api/numbers alice {"alias":"six","pin":"1234","captchaToken":"{captcha}"}`, `409 {"error":`},
	}},
	{"a captcha token that was used", map[string]cell{
		"graphql":   gql(`mutation { createNumber(input: {pin: "1234", captchaToken: "{spent}"}) { userErrors { code field } } }`, user("CAPTCHA", "captchaToken")),
		"opencloud": {`POST /api/numbers alice {"alias":"x","pin":"1234","captchaToken":"{spent}"}`, `400 {"error":`},
	}},
	{"a wrong PIN", map[string]cell{
		"graphql":   gql(`mutation { changeNumberPin(input: {id: "{hersID}", currentPin: "9999", newPin: "5678"}) { userErrors { code field } } }`, user("WRONG_PIN", "currentPin")),
		"opencloud": {`PUT /api/numbers/{hersID}/pin alice {"currentPin":"9999","newPin":"5678"}`, `403 {"error":`},
	}},
	{"another's number", map[string]cell{
		"graphql":   gql(`mutation { deleteNumber(input: {id: "{hisID}"}) { userErrors { code field } } }`, user("NOT_FOUND", "id")),
		"opencloud": {`DELETE /api/numbers/{hisID} alice`, `404 {"error":`},
		"messaging": {`SEND {stranger} {his}`, `200 {"answer":10004,`},
	}},
	{"a receiver that is no number here", map[string]cell{
		"graphql":   gql(`mutation { sendMessage(input: {from: "{hersID}", to: ["+999555555555"], text: "x"}) { userErrors { code field } } }`, user("NOT_FOUND", "to")),
		"messaging": {`SEND {hersID} +999555555555`, `200 {"answer":10011,`},
	}},
	{"a receiver that refuses", map[string]cell{
		"graphql":   gql(`mutation { sendMessage(input: {from: "{hersID}", to: ["{his}"], text: "x"}) { userErrors { code field } } }`, user("BLOCKED", "to")),
		"messaging": {`SEND {hersID} {his}`, `200 {"answer":10011,`},
	}},
	{"a sender that is switched off", map[string]cell{
		"graphql":   gql(`mutation { sendMessage(input: {from: "{offID}", to: ["{his}"], text: "x"}) { userErrors { code field } } }`, user("DISABLED", "from")),
		"messaging": {`SEND {offID} {his}`, `200 {"answer":10010,`},
	}},
	{"a receiver that is no phone number", map[string]cell{
		"graphql":   gql(`mutation { sendMessage(input: {from: "{hersID}", to: ["now"], text: "x"}) { userErrors { code field } } }`, user("INVALID", "to")),
		"messaging": {`SEND {hersID} now`, `200 {"answer":10002,`},
	}},
	{"bytes that are no UTF-8", map[string]cell{
		"graphql":   {"POST /query alice {\"query\":\"{ me { id } } #\xff\"}", `400 "errors"`},
		"opencloud": {"POST /api/auth/login nobody {\"email\":\"\xff@example.com\",\"password\":\"12345678\"}", `400 {"error":`},
		"messaging": {"POST /message nobody {\"req\":\"\xff\"}", `200 {"answer":10002,`},
	}},
	{"half a body", map[string]cell{
		"graphql":   {`POST /query alice {"query":`, `400 "errors"`},
		"opencloud": {`POST /api/auth/login nobody {"email":`, `400 {"error":`},
		"messaging": {`POST /message nobody {"req":`, `200 {"answer":10002,`},
	}},
	{"a body without end", map[string]cell{
		"graphql":   {`POST /query alice {"query":"{large}"}`, `413 "BODY_LIMIT"`},
		"opencloud": {`POST /api/auth/login nobody {"email":"{large}"}`, `413 {"error":`},
		"messaging": {`POST /message nobody {"req":"get","uuid":["{large}"]}`, `{"answer":10002,`},
	}},
	{"the wrong method", map[string]cell{
		"graphql":   {`DELETE /query alice`, `405 "errors"`},
		"opencloud": {`DELETE /api/auth/login nobody`, `405 {"error":`},
		"messaging": {`GET /message nobody`, `405 {"answer":10002,`},
	}},
}

// busy is refused by every door alike when the store takes nothing more.
var busy = map[string]cell{
	"graphql":   gql(`mutation { updateNumber(input: {id: "{hersID}", alias: "x"}) { userErrors { code } } }`, `"code":"UNAVAILABLE"`),
	"opencloud": {`PUT /api/numbers/{hersID} alice {"alias":"x"}`, `503 {"error":`},
	"messaging": {`SEND {hersID} {his2}`, `200 {"answer":10009,`},
}

func TestRefusalsAtEveryDoor(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := newScene(t, open(t))
		before := s.rows()
		for _, r := range refusals {
			for door, c := range r.doors {
				s.try(r.name+" at "+door, c)
			}
		}
		if after := s.rows(); after != before {
			t.Errorf("refusals changed the store: %s, before %s", after, before)
		}
	})
}

func TestEveryDoorSaysThatItIsBusy(t *testing.T) {
	store, err := db.Open(t.Context(), db.Options{Data: t.TempDir(), MaxQueue: 1, Logger: slog.New(slog.DiscardHandler)})
	check(t, err)
	s := newScene(t, store)
	release, ended := make(chan struct{}), make(chan error, 2)
	started := make(chan struct{})
	go func() {
		ended <- store.Change(t.Context(), func(context.Context, *ent.Client) error { close(started); <-release; return nil }, nil)
	}()
	<-started
	go func() {
		ended <- store.Change(t.Context(), func(context.Context, *ent.Client) error { return nil }, nil)
	}()
	for store.Stats().QueueLen == 0 {
		runtime.Gosched()
	}
	for door, c := range busy {
		s.try("busy at "+door, c)
	}
	close(release)
	check(t, errors.Join(<-ended, <-ended, store.Close()))
}

func (s *scene) try(name string, c cell) {
	s.Helper()
	status, answer := s.ask(c.ask)
	want, holds, _ := strings.Cut(c.want, " ")
	if strings.HasPrefix(c.want, "{") {
		want, holds = strconv.Itoa(status), c.want
	}
	if strconv.Itoa(status) != want || !strings.Contains(answer, holds) {
		s.Errorf("%s: %d %.300s, want %s", name, status, answer, c.want)
	}
}

func (s *scene) ask(line string) (int, string) {
	s.Helper()
	line = strings.NewReplacer("{hersID}", s.hers.ID.String(), "{hisID}", s.his.ID.String(), "{his}", s.his.Number, "{his2}", s.his.Number,
		"{offID}", s.disabled.ID.String(), "{captcha}", s.captcha, "{spent}", s.spent, "{stranger}", uuid.NewString(),
		"{large}", strings.Repeat("x", 2<<20)).Replace(line)
	word, rest, _ := strings.Cut(line, " ")
	method, path, who, body := word, "", "", ""
	switch word {
	case "GRAPHQL":
		who, rest, _ = strings.Cut(rest, " ")
		method, path, body = "POST", "/query", `{"query":`+strconv.Quote(rest)+`}`
	case "SEND":
		from, to, _ := strings.Cut(rest, " ")
		method, path = "POST", "/message"
		body = fmt.Sprintf(`{"req":"send","uuid":%q,"callee":%q,"length":1}`, from, to) + "\x00x"
	default:
		path, rest, _ = strings.Cut(rest, " ")
		who, body, _ = strings.Cut(rest, " ")
	}
	req, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(body))
	check(s.T, err)
	req.Header.Set("Content-Type", "application/json")
	switch who {
	case "alice":
		req.Header.Set("Authorization", "Bearer "+s.alice.Token)
	case "forged":
		req.Header.Set("Authorization", "Bearer "+s.forged)
	}
	res, err := http.DefaultClient.Do(req)
	check(s.T, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	check(s.T, err)
	return res.StatusCode, string(b)
}

func (s *scene) as(svc *comms.Service, c *comms.Credentials) context.Context {
	s.Helper()
	a, err := svc.Authenticate(s.Context(), comms.Presented{Bearer: c.Token})
	check(s.T, err)
	return comms.WithActor(s.Context(), a)
}

// account registers one and fills it with its five numbers.
func (s *scene) account(svc *comms.Service, email string) (*comms.Credentials, *comms.Number) {
	s.Helper()
	c, err := svc.Register(s.Context(), comms.Register{Email: email, Password: "correct horse"})
	check(s.T, err)
	var first *comms.Number
	for range 5 {
		s.spent = s.solve(svc)
		n, err := svc.CreateNumber(s.as(svc, c), comms.CreateNumber{PIN: "1234", CaptchaToken: s.spent})
		check(s.T, err)
		if first == nil {
			first = n.Number
		}
	}
	return c, first
}

func (s *scene) solve(svc *comms.Service) string {
	s.Helper()
	q, err := svc.AskCaptcha(s.Context())
	check(s.T, err)
	token, _, err := svc.SolveCaptcha(s.Context(), comms.SolveCaptcha{A: q.A, B: q.B, Answer: q.A + q.B})
	check(s.T, err)
	return token.String()
}

// switchOff disables alice's last number, as an operator would.
func (s *scene) switchOff(svc *comms.Service) *comms.Number {
	s.Helper()
	all, err := svc.AllNumbers(s.as(svc, s.alice))
	check(s.T, err)
	last := all[len(all)-1]
	check(s.T, s.store.Change(s.Context(), func(ctx context.Context, tx *ent.Client) error {
		return tx.Number.UpdateOneID(last.ID).SetDisabled(true).Exec(ctx)
	}, nil))
	return last
}

// rows counts what a refusal must not change.
func (s *scene) rows() string {
	s.Helper()
	r := s.store.Read()
	var out []int
	for _, count := range []func(context.Context) (int, error){r.Account.Query().Count, r.Number.Query().Count, r.Message.Query().Count,
		r.Event.Query().Count, r.Block.Query().Count, r.ApiToken.Query().Count, r.Captcha.Query().Count} {
		n, err := count(s.Context())
		check(s.T, err)
		out = append(out, n)
	}
	return fmt.Sprint(out)
}
