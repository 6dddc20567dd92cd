package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"switchboard/comms"
)

// The table of callers: what each field of a root answers the owner of the things in question, a stranger with an account of his own,
// somebody without a credential, and a token of the owner that has every scope but the one that it needs.
//
// An outcome is: a code (of a top-level error, or of the first user error), null, none (an empty list) or ok.

const everything = comms.Scope(1<<8 - 1)

type rootRow struct {
	field    string
	ask      string      // with variables of scene.variables
	needs    comms.Scope // 0: no credential
	owner    string
	stranger string
}

var rootRows = []rootRow{
	{"Query.me", `{ me { id email } }`, comms.ReadAccount, "ok", "ok"},
	{"Query.number", `query($number: ID!) { number(id: $number) { id number alias } }`, comms.ReadNumbers, "ok", "null"},
	{"Query.numbers", `{ numbers { nodes { id } } }`, comms.ReadNumbers, "ok", "ok"},
	{"Query.message", `query($message: ID!) { message(id: $message) { id text } }`, comms.ReadMessages, "ok", "null"},
	{"Query.messages", `{ messages { nodes { id text } totalCount } }`, comms.ReadMessages, "ok", "none"},
	{"Query.blockedNumbers", `{ blockedNumbers { nodes { id number } } }`, comms.ReadNumbers, "ok", "none"},
	{"Query.apiTokens", `{ apiTokens { nodes { id comment } } }`, comms.ReadAccount, "ok", "none"},
	{"Query.sessions", `{ sessions { id kind } }`, comms.ReadAccount, "ok", "none"},
	{"Query.captcha", `{ captcha { a b question } }`, 0, "ok", "ok"},
	{"Query.accounts", `{ accounts { nodes { id email } } }`, comms.ReadAccount, "FORBIDDEN", "FORBIDDEN"},

	{"Mutation.register", `mutation($fresh: String!) { register(input: {email: $fresh, password: "correct horse"}) { account { email } userErrors { code } } }`, 0, "ok", "ok"},
	{"Mutation.login", `mutation($email: String!) { login(input: {email: $email, password: "correct horse"}) { token userErrors { code } } }`, 0, "ok", "ok"},
	{"Mutation.setMatrixId", `mutation { setMatrixId(input: {matrixId: "@me:example.com"}) { account { id matrixId } userErrors { code } } }`, comms.WriteAccount, "ok", "ok"},
	{"Mutation.regenerateApiKey", `mutation { regenerateApiKey { apiKey userErrors { code } } }`, comms.WriteAccount, "ok", "ok"},
	{"Mutation.createApiToken", `mutation { createApiToken(input: {scopes: [MESSAGES_SEND]}) { apiToken { id } value userErrors { code } } }`, comms.WriteAccount, "ok", "ok"},
	{"Mutation.revokeApiToken", `mutation($token: ID!) { revokeApiToken(input: {id: $token}) { apiToken { id } userErrors { code } } }`, comms.WriteAccount, "ok", "NOT_FOUND"},
	{"Mutation.solveCaptcha", `mutation { solveCaptcha(input: {a: 1, b: 2, answer: 3}) { token userErrors { code } } }`, 0, "CAPTCHA", "CAPTCHA"},
	{"Mutation.createNumber", `mutation { createNumber(input: {pin: "1234", captchaToken: "none"}) { number { id } userErrors { code } } }`, comms.WriteNumbers, "CAPTCHA", "CAPTCHA"},
	{"Mutation.updateNumber", `mutation($number: ID!) { updateNumber(input: {id: $number, alias: "x"}) { number { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.changeNumberPin", `mutation($number: ID!) { changeNumberPin(input: {id: $number, currentPin: "1234", newPin: "4321"}) { number { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.deleteNumber", `mutation($number: ID!) { deleteNumber(input: {id: $number}) { number { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.sendMessage", `mutation($number: ID!, $peer: PhoneNumber!) { sendMessage(input: {from: $number, to: [$peer], text: "hi"}) { message { id } userErrors { code } } }`, comms.SendMessages, "ok", "NOT_FOUND"},
	{"Mutation.markDelivered", `mutation($message: ID!) { markDelivered(input: {messageIds: [$message]}) { messages { id } userErrors { code } } }`, comms.ReadMessages, "ok", "NOT_FOUND"},
	{"Mutation.blockNumber", `mutation { blockNumber(input: {number: "+999123456789"}) { blockedNumber { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "ok"},
	{"Mutation.unblockNumber", `mutation($blocked: PhoneNumber!) { unblockNumber(input: {number: $blocked}) { blockedNumber { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.claimOperator", `mutation { claimOperator(input: {token: "swo_guess"}) { account { id } userErrors { code } } }`, comms.WriteAccount, "FORBIDDEN", "FORBIDDEN"},
	{"Mutation.setAccountPlan", `mutation($account: ID!) { setAccountPlan(input: {accountId: $account, plan: BUSINESS}) { account { id } userErrors { code } } }`, comms.WriteAccount, "FORBIDDEN", "FORBIDDEN"},

	{"Subscription.messageReceived", `subscription($number: ID!) { messageReceived(numberIds: [$number]) { cursor } }`, comms.ReadMessages, "ok", "NOT_FOUND"},
	{"Subscription.events", `subscription { events { cursor kind } }`, comms.ReadEvents, "ok", "ok"},
}

// scene is an account that has one of everything.
type scene struct {
	*kit
	owner, peer, stranger *person
	message               *comms.Message
	token                 *comms.NewApiToken
	session               *comms.LiveSession
	variables             map[string]any
}

func newScene(k *kit) *scene {
	k.Helper()
	s := &scene{kit: k, owner: k.person(1), peer: k.person(1), stranger: k.person(1)}
	s.message = k.send(s.peer, s.owner.numbers[0], "between the two of us")
	k.send(s.owner, s.peer.numbers[0], "and back")
	s.token = must(k.svc.CreateApiToken(s.owner.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount, TTL: time.Hour, Comment: "of the owner"}))(k)
	must(k.svc.BlockNumber(s.owner.ctx, comms.BlockNumber{Number: "+999000077777"}))(k)
	s.session = must(k.svc.OpenSession(s.owner.ctx, "graphql"))(k)
	s.variables = map[string]any{"number": s.owner.numbers[0].ID.String(), "message": fmt.Sprint(s.message.ID), "token": s.token.Token.ID.String(),
		"account": s.owner.account.ID.String(), "email": s.owner.email, "blocked": "+999000077777", "peer": s.peer.numbers[0].Number}
	return s
}

// secrets are what nobody but the owner may read in an answer.
func (s *scene) secrets() []string {
	key := must(s.svc.ApiKey(s.owner.ctx))(s)
	return []string{s.owner.account.ID.String(), s.owner.email, s.owner.numbers[0].ID.String(), key, s.token.Value, s.token.Token.ID.String(),
		"of the owner", "between the two of us", "and back", s.session.ID().String(), "+999000077777"}
}

// outcome asks and says in one word what came of it.
func (s *scene) outcome(ctx context.Context, query string) (word string, r reply) {
	s.Helper()
	p := &plan{}
	used := map[string]any{}
	s.variables["fresh"] = uuid.NewString() + "@example.com"
	for name, v := range s.variables {
		if strings.Contains(query, "$"+name+":") {
			used[name] = v
		}
	}
	r = s.ask(withPlan(ctx, p), query, used)
	if p.watcher != nil {
		p.watcher.Close()
	}
	if len(r.Errors) > 0 {
		return fmt.Sprint(r.Errors[0].Extensions["code"]), r
	}
	if r.Data == nil && p.watcher != nil { // a subscription that stands
		return "ok", r
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(r.Data, &data); err != nil {
		s.Fatalf("%s: %v", query, err)
	}
	for _, field := range data {
		return wordFor(field), r
	}
	return "nothing", r
}

func wordFor(field json.RawMessage) string {
	var object struct {
		UserErrors []struct{ Code string }
		Nodes      *[]any
	}
	switch {
	case string(field) == "null":
		return "null"
	case string(field) == "[]":
		return "none"
	case json.Unmarshal(field, &object) != nil: // a list
		return "ok"
	case len(object.UserErrors) > 0:
		return object.UserErrors[0].Code
	case object.Nodes != nil && len(*object.Nodes) == 0:
		return "none"
	}
	return "ok"
}

func TestCallersOfRoots(t *testing.T) {
	var rows []string
	for _, r := range rootRows {
		rows = append(rows, r.field)
	}
	s := schema()
	for _, root := range []*ast.Definition{s.Query, s.Mutation, s.Subscription} {
		for _, f := range root.Fields {
			if !strings.HasPrefix(f.Name, "__") && !slices.Contains(rows, root.Name+"."+f.Name) {
				t.Errorf("%s.%s has no row in the table of callers", root.Name, f.Name)
			}
		}
	}
	onBoth(t, func(k *kit) {
		for _, row := range rootRows {
			s := newScene(k)
			anonymous, narrow := "UNAUTHENTICATED", "FORBIDDEN"
			if row.needs == 0 {
				anonymous, narrow = row.owner, row.stranger
			}
			for _, c := range []struct {
				who  string
				ctx  context.Context
				want string
			}{
				{"anonymous", k.Context(), anonymous},
				{"a token without the scope", k.with(s.owner, everything&^row.needs), narrow},
				{"the stranger", s.stranger.ctx, row.stranger},
				{"the owner", s.owner.ctx, row.owner},
			} {
				before := s.secrets()
				got, r := s.outcome(c.ctx, row.ask)
				if got != c.want {
					k.Errorf("%s by %s: %s, want %s: %s %v\n%s", row.field, c.who, got, c.want, r.Data, r.Errors, s.log)
				}
				if c.who == "the owner" || c.want == "ok" && row.needs == 0 {
					continue
				}
				for _, secret := range before {
					if strings.Contains(string(r.Data)+r.Errors.Error(), secret) {
						k.Errorf("%s shows %s to %s: %s", row.field, secret, c.who, r.Data)
					}
				}
			}
		}
	})
}

// The same for the fields of things: who has a thing in front of him sees all its fields but those that say otherwise here.
type nodeRow struct {
	field    string
	needs    comms.Scope // beside the scope by which the thing is reached
	narrow   string      // for a token without needs
	operator string      // for an operator who looks at another's account; empty: as the owner
}

type nodeTable struct {
	typ   string
	reach string // %s is the field
	scope comms.Scope
	rows  []nodeRow
}

func plain(fields ...string) []nodeRow {
	rows := make([]nodeRow, len(fields))
	for i, f := range fields {
		rows[i].field = f
	}
	return rows
}

var nodeTables = []nodeTable{
	{"Account", `{ me { x: %s } }`, comms.ReadAccount, append(plain("id", "email", "plan", "operator", "matrixId", "createdAt"),
		nodeRow{"apiKey", everything &^ comms.ReadAccount, "null", "null"}, nodeRow{"logCursor", 0, "", "null"})},
	{"Session", `{ sessions { x: %s } }`, comms.ReadAccount, plain("id", "kind", "createdAt", "lastSeenAt", "active")},
	{"ApiToken", `{ apiTokens { nodes { x: %s } } }`, comms.ReadAccount, plain("id", "comment", "scopes", "createdAt", "expiresAt")},
	{"Number", `{ numbers { nodes { x: %s } } }`, comms.ReadNumbers, append(plain("id", "number", "alias", "ability", "source", "disabled", "createdAt"),
		nodeRow{"messages", comms.ReadMessages, "FORBIDDEN", ""})},
	{"Message", `{ messages { nodes { x: %s } } }`, comms.ReadMessages, append(plain("id", "direction", "kind", "from", "fromName", "to", "text", "file",
		"length", "status", "createdAt", "deliveredAt"), nodeRow{"number", comms.ReadNumbers, "FORBIDDEN", ""})},
	{"File", `{ messages { nodes { file { x: %s } } } }`, comms.ReadMessages, plain("name", "length", "url", "urlExpiresAt")},
	{"BlockedNumber", `{ blockedNumbers { nodes { x: %s } } }`, comms.ReadNumbers, plain("id", "number", "createdAt")},
}

// shown says in one word what came of the field x of the things in an answer.
func shown(t testing.TB, r reply) string {
	t.Helper()
	if len(r.Errors) > 0 {
		return fmt.Sprint(r.Errors[0].Extensions["code"])
	}
	var data any
	if err := json.Unmarshal(r.Data, &data); err != nil {
		t.Fatal(err)
	}
	word := "hidden"
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if x, ok := v["x"]; ok {
				if x != nil {
					word = "ok"
				} else if word == "hidden" {
					word = "null"
				}
				return
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(data)
	return word
}

// furnish gives the owner's things what they may lack, so that every field has something to show.
func (s *scene) furnish() {
	s.Helper()
	must(s.svc.SetMatrixID(s.owner.ctx, "@owner:example.com"))(s)
	must(s.svc.MarkDelivered(s.owner.ctx, []int64{s.message.ID}))(s)
	must(s.svc.SendMessage(s.peer.ctx, comms.SendMessage{From: s.peer.numbers[0].ID, To: []string{s.owner.numbers[0].Number},
		Data: strings.NewReader("bytes"), Length: 5, FileName: "a.txt"}))(s)
}

func TestCallersOfNodes(t *testing.T) {
	s := schema()
	for _, d := range own(s) {
		node := slices.Contains(d.Interfaces, "Node")
		i := slices.IndexFunc(nodeTables, func(n nodeTable) bool { return n.typ == d.Name })
		if i < 0 {
			if node {
				t.Errorf("%s has no table of callers", d.Name)
			}
			continue
		}
		for _, f := range d.Fields {
			if !slices.ContainsFunc(nodeTables[i].rows, func(r nodeRow) bool { return r.field == f.Name }) {
				t.Errorf("%s.%s has no row in the table of callers", d.Name, f.Name)
			}
		}
	}
	onBoth(t, func(k *kit) {
		s := newScene(k)
		s.furnish()
		empty := k.person(0)
		operator := k.person(0)
		must(k.svc.ClaimOperator(operator.ctx, must(k.svc.OperatorToken(k.Context()))(k)))(k)
		for _, table := range nodeTables {
			for _, row := range table.rows {
				s.nodeRow(table, row, empty, operator)
			}
		}
	})
}

func (s *scene) nodeRow(table nodeTable, row nodeRow, empty, operator *person) {
	s.Helper()
	field := schema().Types[table.typ].Fields.ForName(row.field)
	selection := row.field
	if schema().Types[field.Type.Name()].IsCompositeType() {
		selection += " { __typename }"
	}
	query := fmt.Sprintf(table.reach, selection)
	expect := func(who, want string, ctx context.Context, query string) {
		s.Helper()
		if r := s.ask(ctx, query, nil); shown(s, r) != want {
			s.Errorf("%s.%s by %s: %s, want %s: %s %v", table.typ, row.field, who, shown(s, r), want, r.Data, r.Errors)
		}
	}
	expect("the owner", "ok", s.owner.ctx, query)
	expect("anonymous", "UNAUTHENTICATED", s.Context(), query)
	expect("a token without the scope", "FORBIDDEN", s.with(s.owner, everything&^table.scope), query)
	if row.needs != 0 {
		expect("a token without the field's scope", row.narrow, s.with(s.owner, everything&^row.needs), query)
	}
	if table.typ != "Account" { // everybody has an account of his own
		expect("the stranger", "hidden", empty.ctx, query)
		return
	}
	want := "ok"
	if row.operator != "" {
		want = row.operator
	}
	expect("an operator", want, operator.ctx, fmt.Sprintf(`{ accounts(first: 1) { nodes { x: %s } } }`, selection)) // the owner's is the oldest
}
