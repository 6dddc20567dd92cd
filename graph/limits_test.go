package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"switchboard/internal/house"
)

// bomb is a chain of fragments that each spread the next twice: 2^n fields in n lines.
func bomb(n int) string {
	var b strings.Builder
	b.WriteString("{ numbers { nodes { ...f0 } } }")
	for i := range n {
		fmt.Fprintf(&b, " fragment f%d on Number { ...f%d ...f%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment f%d on Number { id }", n)
	return b.String()
}

// nested is a query of 3 + 3n fields in each other.
func nested(n int) string {
	return "{ numbers(first: 1) { nodes { " + strings.Repeat("messages(first: 1) { nodes { number { ", n) + "id" + strings.Repeat(" } } }", n+1)
}

func TestLimits(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{Introspection: true})
	us := w.person(1)
	var aliases, fields strings.Builder
	for i := range 51 {
		fmt.Fprintf(&aliases, " a%d: id", i)
	}
	fields.WriteString(strings.Repeat(" id", 501))
	for _, c := range []struct{ name, query, code string }{
		{"within all", `{ me { id } numbers(first: 200) { edges { cursor node { id number alias messages(first: 5) { nodes { id } } } } } }`, ""},
		{"deep enough", nested(3), ""},
		{"too deep", nested(4), "DEPTH_LIMIT"},
		{"too deep in a fragment", "{ numbers { nodes { ...n } } } fragment n on Number { messages { nodes { number { messages { nodes { number { messages { nodes { number { messages { nodes { id } } } } } } } } } } } }", "DEPTH_LIMIT"},
		{"a fragment bomb", bomb(40), "COMPLEXITY_LIMIT"},
		{"a long fragment bomb", bomb(300), "COMPLEXITY_LIMIT"},
		{"a fragment in itself", "{ numbers { nodes { ...a } } } fragment a on Number { id ...a }", "GRAPHQL_VALIDATION_FAILED"},
		{"fragments in a ring", "{ numbers { nodes { ...a } } } fragment a on Number { messages { nodes { number { ...b } } } } fragment b on Number { messages { nodes { number { ...a } } } }", "GRAPHQL_VALIDATION_FAILED"},
		{"pages in pages", `{ numbers(first: 200) { nodes { messages(first: 200) { nodes { id } } } } }`, "COMPLEXITY_LIMIT"},
		{"pages in pages without sizes", `{ numbers { nodes { messages { nodes { number { messages { nodes { id } } } } } } } }`, "COMPLEXITY_LIMIT"},
		{"pages by last", `{ numbers(last: 200) { nodes { messages(last: 200) { nodes { id } } } } }`, "COMPLEXITY_LIMIT"},
		{"the numbers of a page of groups", `{ numberGroups { totalCount nodes { id name numbers { id number alias } } } }`, ""},
		{"the numbers of many groups", `{ numberGroups(first: 200) { nodes { numbers { id } } } }`, "COMPLEXITY_LIMIT"},
		{"a page too large", `{ numbers(first: 201) { nodes { id } } }`, "PAGE_SIZE_LIMIT"},
		{"aliases", "{ me {" + aliases.String() + " } }", "ALIAS_LIMIT"},
		{"one field often", "{ me {" + fields.String() + " } }", "COMPLEXITY_LIMIT"},
		{"tokens", "{ me { id" + strings.Repeat(" ,,, id", 5000) + " } }", "TOKEN_LIMIT"},
		{"much introspection", "{ a: __schema { types { name } } b: __schema { types { name } } c: __schema { types { name } } d: __schema { types { name } } e: __schema { types { name } } f: __schema { types { name } } g: __schema { types { name } } h: __schema { types { name } } i: __schema { types { name } } j: __schema { types { name } } k: __schema { types { name } } }", "COMPLEXITY_LIMIT"},
		{"deep introspection", "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }", "GRAPHQL_VALIDATION_FAILED"},
		{"two subscriptions", "subscription { a: events { cursor } b: events { cursor } }", "GRAPHQL_VALIDATION_FAILED"},
		{"a subscription of nothing", "subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"},
		{"a subscription that may be none", "subscription($s: Boolean!) { events @skip(if: $s) { cursor } }", "GRAPHQL_VALIDATION_FAILED"},
		{"no operation", "fragment a on Number { id }", "GRAPHQL_VALIDATION_FAILED"},
		{"which of two", "query A { __typename } query B { __typename }", "GRAPHQL_VALIDATION_FAILED"},
		{"no document", "nonsense", "GRAPHQL_PARSE_FAILED"},
		{"nothing but nesting", strings.Repeat("{a", 2000), "GRAPHQL_PARSE_FAILED"},
		{"lists in lists", `{ messages(filter: {numberIds: ` + strings.Repeat("[", 2000) + `]}) { nodes { id } } }`, "GRAPHQL_PARSE_FAILED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, err := json.Marshal(map[string]string{"query": c.query})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			got := w.do(exchange{body: string(body), head: map[string]string{"Authorization": "Bearer " + us.token}})
			if code := codeOf(t, got.body); code != c.code {
				t.Errorf("%s, not %q: %.300s", code, c.code, got.body)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v to refuse", took)
			}
		})
	}
}

// TestIntrospectionQuery: what GraphiQL asks first is within the limits, and answers with all descriptions.
func TestIntrospectionQuery(t *testing.T) {
	text, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"query": string(text)})
	if err != nil {
		t.Fatal(err)
	}
	got := onWeb(t).do(exchange{body: string(body)})
	if got.status != 200 || codeOf(t, got.body) != "" || !strings.Contains(got.body, "MessageReceivedEvent") {
		t.Errorf("%d %.300s", got.status, got.body)
	}
}

// TestIntrospectionOff: neither asking nor guessing tells the schema.
func TestIntrospectionOff(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{})
	for query, code := range map[string]string{
		`{ __schema { types { name } } }`:                                  codeIntrospection,
		`{ a: __type(name: "Number") { name } }`:                           codeIntrospection,
		`{ ...q } fragment q on Query { __schema { queryType { name } } }`: codeIntrospection,
		`{ m }`:                                  "GRAPHQL_VALIDATION_FAILED",
		`{ mee { id } }`:                         "GRAPHQL_VALIDATION_FAILED",
		`{ me }`:                                 "GRAPHQL_VALIDATION_FAILED",
		`{ numbers(frist: 1) { nodes { id } } }`: "GRAPHQL_VALIDATION_FAILED",
		`{ messages(filter: {numberIdz: []}) { nodes { id } } }`: "GRAPHQL_VALIDATION_FAILED",
		`{ messages(filter: {kind: TXT}) { nodes { id } } }`:     "GRAPHQL_VALIDATION_FAILED",
		`query($a: Strng) { me { id } }`:                         "GRAPHQL_VALIDATION_FAILED",
		`{ me { ... on Acount { id } } }`:                        "GRAPHQL_VALIDATION_FAILED",
		`{ me { id @skp(if: true) } }`:                           "GRAPHQL_VALIDATION_FAILED",
		`{ __typename me { __typename } }`:                       "UNAUTHENTICATED",
	} {
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		got := w.do(exchange{body: string(body)})
		if c := codeOf(t, got.body); c != code {
			t.Errorf("%s: %s", query, got.body)
		}
		if regexp.MustCompile(`(?i)did you mean|suggest`).MatchString(got.body) {
			t.Errorf("%s: a suggestion: %s", query, got.body)
		}
	}
}

const (
	byFilter = `query($f: MessageFilter, $n: Int) { messages(filter: $f, first: $n) { nodes { id } } }`
	bySend   = `mutation($i: SendMessageInput!) { sendMessage(input: $i) { replayed } }`
	byToken  = `mutation($i: CreateApiTokenInput!) { createApiToken(input: $i) { value } }`
	byNumber = `query($id: ID!) { number(id: $id) { id } }`
)

// inputs are variables and literals that are right, and what is told of those that aren't, with the place of the first.
var inputs = []struct{ query, variables, code, path string }{
	{byFilter, `{}`, "", ""},
	{byFilter, `{"f":null,"n":null}`, "", ""},
	{byFilter, `{"f":{"since":"2026-11-21T20:00:00Z","kind":"TEXT","numberIds":["a",1]},"n":5}`, "", ""},
	{byFilter, `{"f":{"numberIds":"a"}}`, "", ""},
	{byFilter, `{"f":{"since":"yesterday"}}`, badInput, "variable.f.since"},
	{byFilter, `{"f":{"since":5}}`, badInput, "variable.f.since"},
	{byFilter, `{"f":{"kind":"text"}}`, badInput, "variable.f.kind"},
	{byFilter, `{"f":{"kind":1}}`, badInput, "variable.f.kind"},
	{byFilter, `{"f":{"peer":{}}}`, badInput, "variable.f.peer"},
	{byFilter, `{"f":{"nothing":1}}`, badInput, "variable.f.nothing"},
	{byFilter, `{"f":{"numberIds":[null]}}`, badInput, "variable.f.numberIds[0]"},
	{byFilter, `{"f":{"numberIds":["a",1.5]}}`, badInput, "variable.f.numberIds[1]"},
	{byFilter, `{"f":{"numberIds":["a",true]}}`, badInput, "variable.f.numberIds[1]"},
	{byFilter, `{"f":[]}`, badInput, "variable.f"},
	{byFilter, `{"n":"5"}`, badInput, "variable.n"},
	{byFilter, `{"n":1.5}`, badInput, "variable.n"},
	{byFilter, `{"n":3000000000}`, badInput, "variable.n"},
	{byFilter, `{"n":1e400}`, badInput, "variable.n"},
	{byFilter, `{"n":true}`, badInput, "variable.n"},
	{bySend, `{}`, badInput, "variable.i"},
	{bySend, `{"i":{"from":"a"}}`, badInput, "variable.i.to"},
	{bySend, `{"i":{"from":"a","to":["+1",null]}}`, badInput, "variable.i.to[1]"},
	{bySend, `{"i":{"from":"a","to":["+1",5]}}`, badInput, "variable.i.to[1]"},
	{bySend, `{"i":{"from":"a","to":"+1","text":5}}`, badInput, "variable.i.text"},
	{bySend, `{"i":{"from":"a","to":"+1","file":"text"}}`, badInput, "variable.i.file"},
	{bySend, `{"i":{"from":"a","to":"+1","text":"hello"}}`, "", ""},
	{byToken, `{"i":{"scopes":["ACCOUNT_READ"],"ttl":60}}`, "", ""},
	{byToken, `{"i":{"scopes":["ACCOUNT_READ"],"ttl":-1}}`, badInput, "variable.i.ttl"},
	{byToken, `{"i":{"scopes":["ACCOUNT_READ"],"ttl":0}}`, badInput, "variable.i.ttl"}, // not: for ever
	{byToken, `{"i":{"scopes":["ACCOUNT_READ"],"ttl":"60"}}`, badInput, "variable.i.ttl"},
	{byNumber, `{"id":true}`, badInput, "variable.id"},
	{byNumber, `{"id":5}`, "", ""},
	{byNumber, `{"id":"5"}`, "", ""},
	{`query($t: Time = "never") { messages(filter: {since: $t}) { nodes { id } } }`, `{}`, badInput, "variable.t"},
	// Literals are told by their place in the document.
	{`{ messages(filter: {since: "never"}) { nodes { id } } }`, `{}`, badInput, ""},
	{`{ messages(first: 3000000000) { nodes { id } } }`, `{}`, badInput, ""},
	{`{ messages(first: 99999999999999999999) { nodes { id } } }`, `{}`, "GRAPHQL_VALIDATION_FAILED", ""},
	{`{ messages(filter: {peer: [1]}) { nodes { id } } }`, `{}`, badInput, ""},
	{`{ callRecords(filter: {numbers: {}}) { nodes { id } } }`, `{}`, "GRAPHQL_VALIDATION_FAILED", ""},
	{`{ callRecords(filter: {numbers: {anyOf: ["+1"], noneOf: ["+2"]}}) { nodes { id } } }`, `{}`, "GRAPHQL_VALIDATION_FAILED", ""},
	{`query($f: CallRecordFilter) { callRecords(filter: $f) { nodes { id } } }`, `{"f":{"numbers":{"anyOf":["+1"],"noneOf":["+2"]}}}`, badInput, "variable.f.numbers"},
	{`query($f: CallRecordFilter) { callRecords(filter: $f) { nodes { id } } }`, `{"f":{"numbers":{"noneOf":null}}}`, badInput, "variable.f.numbers.noneOf"},
	{`query($f: CallRecordFilter) { callRecords(filter: $f) { nodes { id } } }`, `{"f":{"numbers":{"noneOf":["0033123456789"]},"direction":"INCOMING","minDuration":1}}`, "", ""},
	{`query($s: String!) { messages(filter: {kind: $s}) { nodes { id } } }`, `{"s":"TEXT"}`, "GRAPHQL_VALIDATION_FAILED", ""},
}

// TestVariables: what is wrong with the input is told before anything runs.
func TestVariables(t *testing.T) {
	k := newKit(t, house.SQLite(t))
	d := newDocuments(newSchema(k.svc, k.rules(Options{})), Options{}.withDefaults())
	for _, c := range inputs {
		want, bad := d.decodeBody(fmt.Appendf(nil, `{"query":%q,"variables":%s}`, c.query, c.variables), nil)
		if bad != nil {
			t.Fatal(c.variables, bad)
		}
		_, errs := d.operation(context.Background(), want.params[0])
		code, path := "", ""
		if errs != nil {
			code, path = fmt.Sprint(errs[0].Extensions["code"]), errs[0].Path.String()
			if c.path == "" && len(errs[0].Locations) == 0 {
				t.Errorf("%s: without a place: %v", c.query, errs)
			}
		}
		if code != c.code || path != c.path {
			t.Errorf("%.60s %s: %s %s, not %s %s: %v", c.query, c.variables, code, path, c.code, c.path, errs)
		}
	}
}

// TestOneOf: @oneOf holds for variables and literals.
func TestOneOf(t *testing.T) {
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: `
		input One @oneOf { a: Int b: String }
		type Query { f(one: One!, list: [One!]): Int }`})
	es := &graphql.ExecutableSchemaMock{SchemaFunc: func() *ast.Schema { return schema },
		ComplexityFunc: func(context.Context, string, string, int, map[string]any) (int, bool) { return 0, false }}
	d := newDocuments(es, Options{}.withDefaults())
	const byVariable = `query($o: One!) { f(one: $o) }`
	for _, c := range []struct {
		query, variables string
		ok               bool
	}{
		{byVariable, `{"o":{"a":1}}`, true},
		{byVariable, `{"o":{"a":1,"b":"x"}}`, false},
		{byVariable, `{"o":{}}`, false},
		{byVariable, `{"o":{"a":null}}`, false},
		{byVariable, `{"o":{"a":1,"b":null}}`, false},
		{`{ f(one: {a: 1}) }`, `{}`, true},
		{`{ f(one: {a: 1, b: "x"}) }`, `{}`, false},
		{`{ f(one: {}) }`, `{}`, false},
		{`{ f(one: {a: null}) }`, `{}`, false},
		{`{ f(one: {a: 1}, list: [{b: "x"}, {}]) }`, `{}`, false},
		{`query($a: Int!) { f(one: {a: $a}) }`, `{"a":1}`, true},
		{`query($a: Int) { f(one: {a: $a}) }`, `{"a":1}`, false},
	} {
		want, bad := d.decodeBody(fmt.Appendf(nil, `{"query":%q,"variables":%s}`, c.query, c.variables), nil)
		if bad != nil {
			t.Fatal(bad)
		}
		if _, errs := d.operation(t.Context(), want.params[0]); (errs == nil) != c.ok {
			t.Errorf("%s %s: %v", c.query, c.variables, errs)
		}
	}
}

// TestScalarsKnown: every scalar of the schema is read before execution.
func TestScalarsKnown(t *testing.T) {
	k := newKit(t, house.SQLite(t))
	for name, def := range newSchema(k.svc, k.rules(Options{})).Schema().Types {
		if def.Kind == ast.Scalar && !def.BuiltIn && scalars[name] == nil {
			t.Errorf("nothing reads %s", name)
		}
	}
}

// TestDearValidation: a document within all limits is not validated for long, whatever it is made of.
func TestDearValidation(t *testing.T) {
	k := newKit(t, house.SQLite(t))
	d := newDocuments(newSchema(k.svc, k.rules(Options{})), Options{}.withDefaults())
	var spreads, fragments strings.Builder
	for i := range 120 {
		fmt.Fprintf(&spreads, " ...f%d", i)
		fmt.Fprintf(&fragments, " fragment f%d on Account { id email plan }", i)
	}
	for name, query := range map[string]string{
		"one field":     "{ me {" + strings.Repeat(" id", 490) + " } }",
		"one object":    "{" + strings.Repeat(" me { id }", 240) + " }",
		"objects":       "{" + strings.Repeat(" numbers { nodes { id messages { nodes { id } } } }", 80) + " }",
		"fragments":     "{ me {" + spreads.String() + " } }" + fragments.String(),
		"inlined":       "{ me {" + strings.Repeat(" ... on Account { id email }", 160) + " } }",
		"unknown":       "{ me {" + strings.Repeat(" nonsense", 490) + " } }",
		"deep unknowns": "{" + strings.Repeat(" mee { idd { emaill } }", 160) + " }",
	} {
		began := time.Now()
		_, errs := d.load(query)
		if took := time.Since(began); took > 5*time.Second { // it takes some ten milliseconds
			t.Errorf("%s: %v", name, took)
		}
		if len(errs) > maxErrors {
			t.Errorf("%s: %d errors", name, len(errs))
		}
	}
}
