package graph

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"testing"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"switchboard/comms"
	"switchboard/comms/call"
)

// documentsOf are documents over the schema, without a store: nothing is executed.
func documentsOf(f testing.TB) *documents {
	f.Helper()
	svc, err := comms.New(comms.Options{Secret: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		f.Fatal(err)
	}
	return newDocuments(newSchema(svc, Options{Calls: call.New(svc, call.Options{})}), Options{Introspection: true}.withDefaults())
}

// FuzzJSON: what is taken for JSON is, and means what encoding/json says; what is refused isn't, or is what we refuse besides.
func FuzzJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		got, bad := parseJSON(text)
		if bad != nil {
			if json.Valid(text) && utf8.Valid(text) && !regexp.MustCompile(`given twice|nested more|half a character`).MatchString(bad.Error()) {
				t.Errorf("%q is refused: %v", text, bad)
			}
			return
		}
		var want any
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil || !json.Valid(text) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %#v, not %#v (%v)", text, got, want, err)
		}
	})
}

// FuzzBody: whatever a body is, it is read or refused; what is read is JSON in UTF-8, and is validated or refused.
func FuzzBody(f *testing.F) {
	d := documentsOf(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		want, bad := d.decodeBody(body, nil)
		sameRequest(t, d, body)
		if bad != nil {
			if bad.status != http.StatusBadRequest || bad.err.Message == "" || !utf8.ValidString(bad.err.Message) {
				t.Errorf("refused with %d %q", bad.status, bad.err.Message)
			}
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Errorf("%q is taken for JSON", body)
		}
		if n := len(want.params); n == 0 || n > d.limits.Batch {
			t.Errorf("%d requests", n)
		}
		for _, p := range want.params {
			op, errs := d.operation(t.Context(), p)
			if (op == nil) == (errs == nil) {
				t.Errorf("%v and %v", op, errs)
			}
			if !json.Valid(appendResponse(nil, &graphql.Response{Errors: errs})) {
				t.Errorf("no JSON: %v", errs)
			}
		}
	})
}

// sameRequest: the short way to read a body finds what the long one does.
func sameRequest(t *testing.T, d *documents, body []byte) {
	t.Helper()
	got, bad, ok := d.request(body)
	if !ok {
		return
	}
	v, other := parseJSON(body)
	var want *graphql.RawParams
	if other == nil {
		want, other = paramsIn(v)
	}
	if (bad == nil) != (other == nil) || bad != nil && bad.Error() != other.Error() || bad == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("%q is %+v (%v), not %+v (%v)", body, got, bad, want, other)
	}
}

// FuzzQueryString: likewise for GET.
func FuzzQueryString(f *testing.F) {
	f.Fuzz(func(t *testing.T, query string) {
		want, bad := paramsOf(&http.Request{URL: &url.URL{RawQuery: query}})
		if bad == nil && (len(want.params) != 1 || !utf8.ValidString(want.params[0].Query)) {
			t.Errorf("%+v", want.params)
		}
	})
}

// FuzzOperation: no document and no variables bring the server down before they are refused or ready.
func FuzzOperation(f *testing.F) {
	d := documentsOf(f)
	f.Fuzz(func(t *testing.T, query, variables string) {
		var given map[string]any
		if v, bad := parseJSON([]byte(variables)); bad == nil {
			given, _ = v.(map[string]any)
		}
		op, errs := d.operation(t.Context(), &graphql.RawParams{Query: query, Variables: given})
		if (op == nil) == (errs == nil) {
			t.Errorf("%v and %v", op, errs)
		}
		if op != nil {
			keyOf(t.Context(), op)
		}
	})
}

// FuzzMap: the multipart request's map puts files where null stands, or is refused.
func FuzzMap(f *testing.F) {
	d := documentsOf(f)
	f.Fuzz(func(t *testing.T, operations, places []byte) {
		want, bad := d.decodeBody(operations, nil)
		if bad != nil {
			return
		}
		files, bad := decodeMap(places, 5)
		if bad != nil {
			return
		}
		for name, paths := range files {
			for _, path := range paths {
				if place(want, path, graphql.Upload{Filename: name}) == nil && place(want, path, graphql.Upload{}) == nil {
					t.Errorf("two files stand at %q", path)
				}
			}
		}
	})
}

// FuzzMessage: whatever a socket says is a message or is refused with a reason that a close frame can hold.
func FuzzMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if !utf8.Valid(data) {
			return // the socket is closed before
		}
		m, bad := decodeMessage(data)
		if bad != nil {
			return
		}
		if m.kind == "" || !json.Valid(data) {
			t.Errorf("%q is taken for a message", data)
		}
		if payload, bad := objectOf(m.payload, "payload"); bad == nil {
			initCredential(payload)
		}
		if _, bad := paramsIn(m.payload); bad == nil && !json.Valid(encoded(m.payload)) {
			t.Errorf("%v as JSON", m.payload)
		}
		if !json.Valid(encoded(m.id)) {
			t.Errorf("%q as JSON", m.id)
		}
	})
}
