package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// asked is what one HTTP request wants executed.
type asked struct {
	params  []*graphql.RawParams
	batch   bool         // it was a list, and so is the answer
	discard func() error // ends uploads; nil: there are none
}

// badRequest is a request that can't be read as GraphQL, with the status to say so.
type badRequest struct {
	status int
	err    *gqlerror.Error
}

func (b *badRequest) Error() string { return b.err.Message }

func unreadable(format string, args ...any) *badRequest {
	return &badRequest{http.StatusBadRequest, refused(codeRequest, format, args...)}
}

// maxNesting bounds arrays and objects in each other; the greatest input of the schema needs four.
const maxNesting = 64

// paramsOf reads a GET: the parameters stand in the query string, the objects among them as JSON.
func paramsOf(r *http.Request) (*asked, *badRequest) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, unreadable("the query string can't be read")
	}
	for _, name := range []string{"query", "operationName", "variables", "extensions"} {
		if v := values[name]; len(v) > 1 {
			return nil, unreadable("%s is given twice", name)
		} else if len(v) == 1 && !utf8.ValidString(v[0]) {
			return nil, unreadable("%s is no UTF-8", name)
		}
	}
	p := &graphql.RawParams{Query: values.Get("query"), OperationName: values.Get("operationName"), Headers: r.Header}
	for name, into := range map[string]*map[string]any{"variables": &p.Variables, "extensions": &p.Extensions} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		if tooNested([]byte(text)) {
			return nil, unreadable("%s is nested more than %d deep", name, maxNesting)
		}
		dec := json.NewDecoder(bytes.NewReader([]byte(text)))
		if bad := readObject(dec, name, into); bad != nil {
			return nil, bad
		}
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return nil, unreadable("%s must be one JSON object", name)
		}
	}
	return &asked{params: []*graphql.RawParams{p}}, nil
}

// bodyOf reads a POST. Only content types that a page of another site can't send without asking first are read (CSRF): of the "simple"
// ones text/plain and the form types are refused, and multipart/form-data needs a header besides.
func (h *Handler) bodyOf(w http.ResponseWriter, r *http.Request) (*asked, *badRequest) {
	name, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || r.Header.Get("Content-Encoding") != "" {
		return nil, wrongType()
	}
	switch {
	case name == "application/json" && isUTF8(params["charset"]):
		b, bad := readBody(http.MaxBytesReader(w, r.Body, h.o.Limits.Body), r.ContentLength, h.o.Limits.Body)
		if bad != nil {
			return nil, bad
		}
		return decodeBody(b, r.Header, h.o.Limits.Batch)
	case name == "multipart/form-data":
		return h.multipartOf(w, r, params["boundary"])
	}
	return nil, wrongType()
}

func wrongType() *badRequest {
	return &badRequest{http.StatusUnsupportedMediaType,
		refused(codeMediaType, "send application/json in UTF-8, without a content encoding, or multipart/form-data")}
}

func tooLarge(limit int64) *badRequest {
	return &badRequest{http.StatusRequestEntityTooLarge, refused(codeBody, "the request has more than %d bytes", limit)}
}

// readBody reads what r gives, which ends with *http.MaxBytesError past the limit.
func readBody(r io.Reader, announced, limit int64) ([]byte, *badRequest) {
	if announced > limit {
		return nil, tooLarge(limit)
	}
	var buf bytes.Buffer
	buf.Grow(int(max(min(announced, 64<<10), 512)) + bytes.MinRead) // more only as it arrives
	if _, err := buf.ReadFrom(r); err != nil {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, tooLarge(limit)
		}
		return nil, unreadable("the body ended early")
	}
	return buf.Bytes(), nil
}

// decodeBody reads a request, or a list of them.
func decodeBody(b []byte, head http.Header, batch int) (*asked, *badRequest) {
	switch {
	case !utf8.Valid(b):
		return nil, unreadable("the body is no UTF-8")
	case tooNested(b):
		return nil, unreadable("the body is nested more than %d deep", maxNesting)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	out := &asked{}
	if first := bytes.TrimLeft(b, " \t\r\n"); len(first) > 0 && first[0] == '[' {
		out.batch = true
		if _, err := dec.Token(); err != nil {
			return nil, unreadable("the body must be JSON")
		}
		for dec.More() {
			if len(out.params) == batch {
				return nil, &badRequest{http.StatusBadRequest, refused(codeBatch, "a request may hold %d operations at most", batch)}
			}
			p, bad := readParams(dec, head)
			if bad != nil {
				return nil, bad
			}
			out.params = append(out.params, p)
		}
		if _, err := dec.Token(); err != nil || len(out.params) == 0 {
			return nil, unreadable("the body must be a JSON object, or a list of them")
		}
	} else {
		p, bad := readParams(dec, head)
		if bad != nil {
			return nil, bad
		}
		out.params = []*graphql.RawParams{p}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, unreadable("something stands behind the JSON")
	}
	return out, nil
}

// readParams reads the parameters of one request. Names are compared exactly, and none may stand twice: encoding/json would take any
// letter case and the last of several, and what a gateway before us checked might not be what is executed.
func readParams(dec *json.Decoder, head http.Header) (*graphql.RawParams, *badRequest) {
	p := &graphql.RawParams{Headers: head}
	var seen []string
	bad := readFields(dec, func(name string) *badRequest {
		if slices.Contains(seen, name) {
			return unreadable("%.40q is given twice", name)
		}
		seen = append(seen, name)
		switch name {
		case "query":
			return readText(dec, name, &p.Query)
		case "operationName":
			return readText(dec, name, &p.OperationName)
		case "variables":
			return readObject(dec, name, &p.Variables)
		case "extensions":
			return readObject(dec, name, &p.Extensions)
		}
		if len(seen) > 20 {
			return unreadable("the request has too many members")
		}
		return skipValue(dec) // "Additional properties … MUST be ignored" (GraphQL over HTTP)
	})
	return p, bad
}

// readFields reads an object, calling field for each member: it must read the member's value.
func readFields(dec *json.Decoder, field func(name string) *badRequest) *badRequest {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return unreadable("a JSON object is expected")
	}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return unreadable("the JSON can't be read")
		}
		if bad := field(name); bad != nil {
			return bad
		}
	}
	if _, err := dec.Token(); err != nil {
		return unreadable("the JSON can't be read")
	}
	return nil
}

func skipValue(dec *json.Decoder) *badRequest {
	var v json.RawMessage
	if err := dec.Decode(&v); err != nil {
		return unreadable("the JSON can't be read")
	}
	return nil
}

func readText(dec *json.Decoder, name string, into *string) *badRequest {
	var v any
	if err := dec.Decode(&v); err != nil {
		return unreadable("the JSON can't be read")
	}
	text, ok := v.(string)
	if v != nil && !ok {
		return unreadable("%s must be text", name)
	}
	*into = text
	return nil
}

func readObject(dec *json.Decoder, name string, into *map[string]any) *badRequest {
	dec.UseNumber() // an id or a large number must not become a float
	var v any
	if err := dec.Decode(&v); err != nil {
		return unreadable("%s can't be read as JSON", name)
	}
	object, ok := v.(map[string]any)
	if v != nil && !ok {
		return unreadable("%s must be an object", name)
	}
	*into = object
	return nil
}

// tooNested tells whether JSON has more arrays and objects in each other than anything here needs, before anything walks it.
func tooNested(b []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
