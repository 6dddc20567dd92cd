package moor

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/pool"
)

// Options are what the door is built from.
type Options struct {
	Calls     *call.Service
	Pools     *pool.Service
	PublicURL string                                // what proxyUrl begins with; empty: the address that the client used
	SIP       func(host string, secure bool) string // where telephones register: host:port, for who knows this server by that name; nil: nowhere
	Log       *slog.Logger                          // nil: nothing is logged
}

// endpoint is what one kind of request asks for: the answer's data.
type endpoint func(*door, context.Context, *request) (any, error)

// routes are the endpoints, both documented.
var routes = map[string]endpoint{
	"/openapi/v1/call/query/number": (*door).numbers,
	"/openapi/v1/call/query/group":  (*door).groups,
}

// under is where this API lies: what else is there is its 404.
const under = "/openapi/"

// Mount adds the API's paths.
func Mount(mux *http.ServeMux, o Options) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SIP == nil {
		o.SIP = func(string, bool) string { return "" }
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	d := &door{o}
	for path, to := range routes {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, to) })
	}
	mux.HandleFunc(under, func(w http.ResponseWriter, r *http.Request) {
		d.serve(w, r, func(*door, context.Context, *request) (any, error) { return nil, noSuchPath })
	})
}

type door struct{ Options }

// request is one of them, with what its envelope tells of it.
type request struct {
	*http.Request
	id                      string // 32 hexadecimal digits
	app                     *comms.Application
	secret                  []byte    // that it ought to be signed with; nil: nobody knows
	began, passed, answered time.Time // it came in, was let through to the rules, and had its answer; zero: it did not come so far
}

// serve answers a request. Its body is not read: the document has none.
func (d *door) serve(w http.ResponseWriter, r *http.Request, to endpoint) {
	q := &request{Request: r, id: newID(), began: time.Now()}
	data, err := d.answer(q, to)
	if err != nil {
		d.fail(w, q, err)
		return
	}
	d.send(w, q, http.StatusOK, &answer{Success: true, Code: codeOK, Message: "requestSuccess", Data: data})
}

// answer looks at who asks before it looks at what: a path that there is not is told to strangers too, for it is no secret.
func (d *door) answer(q *request, to endpoint) (data any, err error) {
	if _, there := routes[q.URL.Path]; !there {
		return to(d, q.Context(), q)
	}
	if q.Method != http.MethodPost {
		return nil, wrongMethod
	}
	if q.app, err = d.authenticate(q); err != nil {
		return nil, err
	}
	ctx := pool.AsApplication(q.Context(), q.app)
	if err := d.Pools.Ask(ctx); err != nil {
		return nil, err
	}
	q.passed = time.Now()
	data, err = to(d, ctx, q)
	q.answered = time.Now()
	return data, err
}

// host is the name by which the client knows this server.
func (q *request) host() string {
	host := q.Host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}

// address is the request's own, as a client would write it. What a proxy says of it was taken out by internal/httpd where the proxy is not
// trusted. Its query is left out: this API has none, and others put credentials there.
func (d *door) address(q *request) string {
	if d.PublicURL != "" {
		return d.PublicURL + q.URL.Path
	}
	scheme, host := "http", q.Host
	if q.TLS != nil || strings.EqualFold(q.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	if name := q.Header.Get("X-Forwarded-Host"); name != "" && !strings.ContainsAny(name, "/\\?#@ ,") {
		host = name
	}
	return scheme + "://" + host + q.URL.Path
}
