package graph

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
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
		v, bad := parseJSON([]byte(text))
		if bad == nil {
			*into, bad = objectOf(v, name)
		}
		if bad != nil {
			return nil, bad
		}
	}
	return &asked{params: []*graphql.RawParams{p}}, nil
}

// bodyOf reads a POST. Only content types that a page of another site can't send without asking first are read (CSRF): of the "simple"
// ones text/plain and the form types are refused, and multipart/form-data needs a header besides.
func (h *Handler) bodyOf(ctx context.Context, w http.ResponseWriter, r *http.Request) (*asked, *badRequest) {
	name, params, err := contentType(r.Header)
	if err != nil || r.Header.Get("Content-Encoding") != "" {
		return nil, wrongType()
	}
	switch {
	case name == "application/json" && isUTF8(params["charset"]):
		b, bad := h.readBody(w, r)
		if bad != nil {
			return nil, bad
		}
		return h.documents.decodeBody(b, r.Header)
	case name == "multipart/form-data":
		return h.multipartOf(w, r.WithContext(ctx), params["boundary"])
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

// contentType is mime.ParseMediaType of that header, without a map for what nearly every client sends.
func contentType(head http.Header) (string, map[string]string, error) {
	given := head.Get("Content-Type")
	if given == "application/json" {
		return given, nil, nil
	}
	return mime.ParseMediaType(given)
}

// readBody reads the body of a request, as far as the limit.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *badRequest) {
	announced, limit := r.ContentLength, h.o.Limits.Body
	switch {
	case announced > limit:
		return nil, tooLarge(limit)
	case announced >= 0 && announced <= 64<<10: // net/http holds the body to what was announced
		b := make([]byte, announced)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			return nil, unreadable("the body ended early")
		}
		return b, nil
	}
	var buf bytes.Buffer
	buf.Grow(512 + bytes.MinRead) // more only as it arrives
	if _, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, tooLarge(limit)
		}
		return nil, unreadable("the body ended early")
	}
	return buf.Bytes(), nil
}

// decodeBody reads a request, or a list of them. A list is rare, so only a single request is read without a map of its members.
func (d *documents) decodeBody(b []byte, head http.Header) (*asked, *badRequest) {
	if p, bad, ok := d.request(b); ok {
		if bad != nil {
			return nil, bad
		}
		p.Headers = head
		return &asked{params: []*graphql.RawParams{p}}, nil
	}
	batch := d.limits.Batch
	v, bad := parseJSON(b)
	if bad != nil {
		return nil, bad
	}
	list, isList := v.([]any)
	switch {
	case !isList:
		list = []any{v}
	case len(list) == 0:
		return nil, unreadable("the list is empty")
	case len(list) > batch:
		return nil, &badRequest{http.StatusBadRequest, refused(codeBatch, "a request may hold %d operations at most", batch)}
	}
	out := &asked{batch: isList, params: make([]*graphql.RawParams, len(list))}
	for i, item := range list {
		if out.params[i], bad = paramsIn(item); bad != nil {
			return nil, bad
		}
		out.params[i].Headers = head
	}
	return out, nil
}

// paramsIn finds the parameters of one request in its JSON. What else stands there "MUST be ignored" (GraphQL over HTTP).
func paramsIn(v any) (*graphql.RawParams, *badRequest) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, unreadable("a request must be a JSON object")
	}
	return paramsOfMembers([4]any{object["query"], object["operationName"], object["variables"], object["extensions"]})
}

func paramsOfMembers(m [4]any) (*graphql.RawParams, *badRequest) {
	p := &graphql.RawParams{}
	var bad [4]*badRequest
	p.Query, bad[0] = textOf(m[0], members[0])
	p.OperationName, bad[1] = textOf(m[1], members[1])
	p.Variables, bad[2] = objectOf(m[2], members[2])
	p.Extensions, bad[3] = objectOf(m[3], members[3])
	return p, cmp.Or(bad[:]...)
}

func textOf(v any, name string) (string, *badRequest) {
	text, ok := v.(string)
	if v != nil && !ok {
		return "", unreadable("%s must be text", name)
	}
	return text, nil
}

func objectOf(v any, name string) (map[string]any, *badRequest) {
	object, ok := v.(map[string]any)
	if v != nil && !ok {
		return nil, unreadable("%s must be an object", name)
	}
	return object, nil
}
