package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"switchboard/internal/house"
)

func codeOf(t testing.TB, body string) string {
	t.Helper()
	var r struct {
		Errors []struct{ Extensions struct{ Code string } }
		Data   json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if len(r.Errors) == 0 {
		return ""
	}
	return r.Errors[0].Extensions.Code
}

const goodBody, badBody = `{"query":"{__typename}"}`, `{"query":"{nothing}"}`

// requests are what a request may look like, and what it is told where it doesn't. <token> is a good one.
var requests = []struct {
	name   string
	x      exchange
	status int
	code   string
}{
	{"good", exchange{body: goodBody}, 200, ""},
	{"unknown members", exchange{body: `{"query":"{__typename}","id":1,"more":[{}]}`}, 200, ""},
	{"nulls", exchange{body: `{"query":"{__typename}","operationName":null,"variables":null,"extensions":null}`}, 200, ""},
	{"space around", exchange{body: " \n" + goodBody + "\n"}, 200, ""},
	{"a charset", exchange{body: goodBody, head: map[string]string{"Content-Type": `application/json; charset="UTF-8"`}}, 200, ""},
	{"wrong, of old", exchange{body: badBody, head: map[string]string{"Accept": "application/json"}}, 200, "GRAPHQL_VALIDATION_FAILED"},
	{"wrong, of today", exchange{body: badBody, head: map[string]string{"Accept": "application/graphql-response+json"}}, 400, "GRAPHQL_VALIDATION_FAILED"},
	{"field error, of today", exchange{body: `{"query":"{me{id}}"}`, head: map[string]string{"Accept": "application/graphql-response+json"}}, 200, "UNAUTHENTICATED"},
	{"get", exchange{method: "GET", path: "/query?query=%7B__typename%7D&variables=%7B%7D&operationName="}, 200, ""},

	{"no body", exchange{}, 400, "BAD_REQUEST"},
	{"no JSON", exchange{body: "query"}, 400, "BAD_REQUEST"},
	{"half", exchange{body: goodBody[:10]}, 400, "BAD_REQUEST"},
	{"more behind", exchange{body: goodBody + "x"}, 400, "BAD_REQUEST"},
	{"two", exchange{body: goodBody + goodBody}, 400, "BAD_REQUEST"},
	{"a text", exchange{body: `"{__typename}"`}, 400, "BAD_REQUEST"},
	{"no UTF-8", exchange{body: "{\"query\":\"{__typename} #\xff\"}"}, 400, "BAD_REQUEST"},
	{"deep", exchange{body: `{"query":"{__typename}","variables":{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}}`}, 400, "BAD_REQUEST"},
	{"no query", exchange{body: `{}`}, 400, "BAD_REQUEST"},
	{"empty query", exchange{body: `{"query":""}`}, 400, "BAD_REQUEST"},
	{"another letter case", exchange{body: `{"Query":"{__typename}"}`}, 400, "BAD_REQUEST"},
	{"query twice", exchange{body: `{"query":"{__typename}","query":"{me{id}}"}`}, 400, "BAD_REQUEST"},
	{"query twice, one escaped", exchange{body: `{"query":"{__typename}","\u0071uery":"{me{id}}"}`}, 400, "BAD_REQUEST"},
	{"query as list", exchange{body: `{"query":["{__typename}"]}`}, 400, "BAD_REQUEST"},
	{"variables as text", exchange{body: `{"query":"{__typename}","variables":"{}"}`}, 400, "BAD_REQUEST"},
	{"too large", exchange{body: `{"query":"{__typename} #` + strings.Repeat("x", 1<<20) + `"}`}, 413, "BODY_LIMIT"},
	{"get without", exchange{method: "GET"}, 400, "BAD_REQUEST"},
	{"get twice", exchange{method: "GET", path: "/query?query={a}&query={b}"}, 400, "BAD_REQUEST"},
	{"get with a list", exchange{method: "GET", path: "/query?query=%7B__typename%7D&variables=[]"}, 400, "BAD_REQUEST"},
	{"get with two", exchange{method: "GET", path: "/query?query=%7B__typename%7D&variables={}{}"}, 400, "BAD_REQUEST"},
	{"get with a broken escape", exchange{method: "GET", path: "/query?query=%zz"}, 400, "BAD_REQUEST"},

	{"a form", exchange{body: "query={__typename}", head: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415, "UNSUPPORTED_MEDIA_TYPE"},
	{"plain text", exchange{body: goodBody, head: map[string]string{"Content-Type": "text/plain"}}, 415, "UNSUPPORTED_MEDIA_TYPE"},
	{"no type", exchange{body: goodBody, head: map[string]string{"Content-Type": ""}}, 415, "UNSUPPORTED_MEDIA_TYPE"},
	{"another charset", exchange{body: goodBody, head: map[string]string{"Content-Type": "application/json; charset=latin1"}}, 415, "UNSUPPORTED_MEDIA_TYPE"},
	{"compressed", exchange{body: goodBody, head: map[string]string{"Content-Encoding": "gzip"}}, 415, "UNSUPPORTED_MEDIA_TYPE"},
	{"a form with a file", exchange{body: "--x--", head: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}}, 415, "CSRF"},
	{"not to be had", exchange{body: goodBody, head: map[string]string{"Accept": "text/html"}}, 406, "NOT_ACCEPTABLE"},
	{"nothing wanted", exchange{body: goodBody, head: map[string]string{"Accept": "*/*;q=0"}}, 406, "NOT_ACCEPTABLE"},
	{"put", exchange{method: "PUT", body: goodBody}, 405, "METHOD_NOT_ALLOWED"},
	{"delete", exchange{method: "DELETE"}, 405, "METHOD_NOT_ALLOWED"},
	{"a mutation by get", exchange{method: "GET", path: "/query?query=" + url.QueryEscape(`mutation{login(input:{email:"a",password:"b"}){token}}`)}, 405, "METHOD_NOT_ALLOWED"},
	{"the mutation of two by get", exchange{method: "GET", path: "/query?operationName=M&query=" + url.QueryEscape(`query Q{__typename} mutation M{__typename}`)}, 405, "METHOD_NOT_ALLOWED"},
	{"the query of two by get", exchange{method: "GET", path: "/query?operationName=Q&query=" + url.QueryEscape(`query Q{__typename} mutation M{__typename}`)}, 200, ""},
	{"a subscription", exchange{body: `{"query":"subscription{events{cursor}}"}`}, 400, "SUBSCRIPTION_NEEDS_STREAM"},
	{"a subscription by get", exchange{method: "GET", path: "/query?query=subscription%7Bevents%7Bcursor%7D%7D"}, 400, "SUBSCRIPTION_NEEDS_STREAM"},

	{"a good credential", exchange{body: `{"query":"{me{id}}"}`, head: map[string]string{"Authorization": "Bearer <token>"}}, 200, ""},
	{"a bad one", exchange{body: goodBody, head: map[string]string{"Authorization": "Bearer <token>x"}}, 401, "UNAUTHENTICATED"},
	{"another scheme", exchange{body: goodBody, head: map[string]string{"Authorization": "Basic <token>"}}, 401, "UNAUTHENTICATED"},
	{"an empty one", exchange{body: goodBody, head: map[string]string{"Authorization": "Bearer "}}, 401, "UNAUTHENTICATED"},
	{"a bad key", exchange{body: goodBody, head: map[string]string{"X-API-Key": "occ_nonsense"}}, 401, "UNAUTHENTICATED"},

	{"a list", exchange{body: `[` + goodBody + `,` + goodBody + `]`}, 200, ""},
	{"an empty list", exchange{body: `[]`}, 400, "BAD_REQUEST"},
	{"a list of lists", exchange{body: `[[` + goodBody + `]]`}, 400, "BAD_REQUEST"},
	{"a long list", exchange{body: `[` + strings.Repeat(goodBody+`,`, 10) + goodBody + `]`}, 400, "BATCH_LIMIT"},
}

// TestRequests: the 61 audits of graphql-http, which say the same of the plain cases, stand in graph/clients.
func TestRequests(t *testing.T) {
	w := onWeb(t)
	us := w.person(0)
	for _, c := range requests {
		c.x.head = maps.Clone(c.x.head)
		if a := c.x.head["Authorization"]; a != "" {
			c.x.head["Authorization"] = strings.Replace(a, "<token>", us.token, 1)
		}
		t.Run(c.name, func(t *testing.T) {
			got := w.do(c.x)
			if strings.HasPrefix(got.body, "[") {
				got.body = `{}`
			}
			if code := codeOf(t, got.body); got.status != c.status || code != c.code {
				t.Errorf("%d %s, not %d %s: %s", got.status, code, c.status, c.code, got.body)
			}
			if got.status >= 400 && strings.Contains(got.body, `"data"`) {
				t.Errorf("data where nothing was executed: %s", got.body)
			}
			if got.status == 405 && got.head.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			if got.status == 401 && got.head.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
}

// TestNegotiation: RFC 9110 section 12.5.1 and the media types of GraphQL over HTTP.
func TestNegotiation(t *testing.T) {
	const newer, older = "application/graphql-response+json", "application/json"
	for accept, want := range map[string]accepted{
		"":                                {single: asNothing},
		newer:                             {single: asResponse},
		older:                             {single: asJSON},
		"*/*":                             {single: asJSON},
		"application/*":                   {single: asJSON},
		older + ", " + newer:              {single: asResponse},
		newer + ";q=0.5, " + older:        {single: asJSON},
		newer + ";q=0, */*":               {single: asJSON},
		older + ";q=0, */*;q=0.1":         {single: asResponse},
		"text/event-stream":               {stream: true},
		"text/event-stream, " + older:     {single: asJSON, stream: true},
		"text/event-stream;q=0, " + older: {single: asJSON},
		"text/*":                          {},
		"TEXT/Event-Stream":               {stream: true},
		older + "; charset=latin1":        {},
		older + "; charset=utf-8":         {single: asJSON},
		older + ";q=2":                    {},
		older + ";q=nonsense":             {},
		", ,;,":                           {},
		newer + "," + older + ";q=0.9":    {single: asResponse},
		"multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0,application/json": {single: asJSON},
	} {
		if got := negotiate(http.Header{"Accept": {accept}}); got != want {
			t.Errorf("%q: %+v, not %+v", accept, got, want)
		}
	}
	if got := negotiate(http.Header{}); got != (accepted{single: asJSON}) {
		t.Errorf("without Accept: %+v", got)
	}
}

func TestBatch(t *testing.T) {
	w := onWeb(t)
	us := w.person(0)
	got := w.do(exchange{head: map[string]string{"Authorization": "Bearer " + us.token, "Accept": "application/graphql-response+json, application/json"},
		body: `[{"query":"mutation { setMatrixId(input: {matrixId: \"@a:b.c\"}) { userErrors { message } } }"},
			{"query":"{ me { matrixId } }"}, {"query":"{ nothing }"}, {"query":"subscription { events { cursor } }"}]`})
	want := `[{"data":{"setMatrixId":{"userErrors":[]}}},{"data":{"me":{"matrixId":"@a:b.c"}}},` +
		`{"errors":[{"message":"Cannot query field \"nothing\" on type \"Query\".","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]},` +
		`{"errors":[{"message":"a subscription can't be part of a list","extensions":{"code":"SUBSCRIPTION_NEEDS_STREAM"}}]}]`
	if got.status != 200 || got.body != want || got.head.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%d %s\n%s, not\n%s", got.status, got.head, got.body, want)
	}
}

func TestPersistedQueries(t *testing.T) {
	w := onWeb(t)
	const text = "{__typename}"
	sum := sha256.Sum256([]byte(text))
	hash := hex.EncodeToString(sum[:])
	ask := func(query, extension string) answered {
		return w.do(exchange{body: fmt.Sprintf(`{%s"extensions":{"persistedQuery":%s}}`, query, extension)})
	}
	entry := fmt.Sprintf(`{"version":1,"sha256Hash":%q}`, hash)
	for _, c := range []struct{ name, query, extension, want string }{
		{"unknown", "", entry, `{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}`},
		{"another's hash", `"query":"{ __typename }",`, entry, `{"errors":[{"message":"provided sha does not match query","extensions":{"code":"PERSISTED_QUERY_HASH_MISMATCH"}}]}`},
		{"still unknown", "", entry, `{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}`},
		{"given", `"query":"{__typename}",`, entry, `{"data":{"__typename":"Query"}}`},
		{"known", "", entry, `{"data":{"__typename":"Query"}}`},
		{"another version", "", `{"version":2,"sha256Hash":"x"}`, `{"errors":[{"message":"PersistedQueryNotSupported","extensions":{"code":"PERSISTED_QUERY_NOT_SUPPORTED"}}]}`},
	} {
		if got := ask(c.query, c.extension); got.status != 200 || got.body != c.want {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
		}
	}
	for _, extension := range []string{`1`, `[]`, `{"version":1}`, `{"version":1,"sha256Hash":1}`, `{"version":1,"sha256Hash":"abc"}`} {
		if got := ask("", extension); got.status != 400 && codeOf(t, got.body) != persistedNotSupported {
			t.Errorf("%s: %d %s", extension, got.status, got.body)
		}
	}
	byGet := w.do(exchange{method: "GET", path: "/query?extensions=" + url.QueryEscape(`{"persistedQuery":`+entry+`}`)})
	if byGet.status != 200 || byGet.body != `{"data":{"__typename":"Query"}}` || byGet.head.Get("Cache-Control") != "no-store" {
		t.Errorf("by GET: %+v", byGet)
	}
}

// TestCrossOrigin: pages of named sites may read answers, all others may not.
func TestCrossOrigin(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{AllowedOrigins: []string{"https://app.example.com/"}})
	preflight := func(origin string) answered {
		return w.do(exchange{method: "OPTIONS", head: map[string]string{"Origin": origin, "Access-Control-Request-Method": "POST"}})
	}
	good, evil := preflight("https://app.example.com"), preflight("https://evil.example.com")
	if good.status != 204 || good.head.Get("Access-Control-Allow-Origin") != "https://app.example.com" ||
		!strings.Contains(good.head.Get("Access-Control-Allow-Headers"), "Authorization") || good.head.Get("Vary") != "Origin" {
		t.Errorf("%+v", good)
	}
	if evil.head.Get("Access-Control-Allow-Origin") != "" || evil.head.Get("Access-Control-Allow-Headers") != "" {
		t.Errorf("%+v", evil)
	}
	got := w.do(exchange{body: `{"query":"{__typename}"}`, head: map[string]string{"Origin": "https://app.example.com"}})
	if got.head.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
		t.Errorf("%+v", got.head)
	}
}
