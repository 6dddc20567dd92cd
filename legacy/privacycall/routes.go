package privacycall

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/httpd"
)

// Options are what the door is built from.
type Options struct {
	Calls     *call.Service
	PublicURL string       // what links in answers begin with; empty: the address that the client used
	Log       *slog.Logger // nil: nothing is logged
}

// version is the document's SoftVersion: the first part of every path.
const version = "/20171220/"

// endpoint answers one kind of request.
type endpoint func(*door, context.Context, *request) (*answer, error)

// routes are the endpoints, both documented.
var routes = map[string]endpoint{
	version + "bind/callEvent/v1":       (*door).bind,
	version + "bind/callEvent/voice/v1": (*door).voice,
}

// Mount adds the API's paths. What else lies under its version is this API's 404.
func Mount(mux *http.ServeMux, o Options) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	d := &door{o}
	for path, to := range routes {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			out, err := d.answer(w, r, to)
			if err != nil {
				d.fail(w, r, err)
				return
			}
			d.send(w, r, http.StatusOK, out)
		})
	}
	mux.HandleFunc(version, func(w http.ResponseWriter, r *http.Request) { d.fail(w, r, noSuchPath) })
}

type door struct{ Options }

// request is one whose signature was accepted.
type request struct {
	app  *comms.Application
	in   *object
	base string // the address under which the client reaches this server
}

// answer checks the signature before it reads the body: strangers don't make the server read. A request that fails after that has spent
// its signature (contract).
func (d *door) answer(w http.ResponseWriter, r *http.Request, to endpoint) (*answer, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, wrongMethod
	}
	s, app, err := d.authenticate(r)
	if err != nil {
		return nil, err
	}
	in, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	if !s.agrees(in) {
		return nil, refusal{flagMismatch, "ACCOUNTSID or APPID is not what was signed", http.StatusOK}
	}
	return to(d, call.AsApplication(r.Context(), app), &request{app, in, d.base(r)})
}

func (d *door) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err)
	if f.flag == flagInternal {
		d.Log.ErrorContext(r.Context(), "privacycall", "error", err)
	}
	d.send(w, r, f.status, &answer{Flag: f.flag, Msg: f.text})
	httpd.HearOut(w, r)
}

func (d *door) send(w http.ResponseWriter, r *http.Request, status int, out *answer) {
	b, err := encode(out)
	if err != nil {
		d.Log.ErrorContext(r.Context(), "privacycall: encode an answer", "error", err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		d.Log.DebugContext(r.Context(), "privacycall: the client did not take its answer", "error", err)
	}
}

// base is the address under which the client reaches this server, for links. What a proxy says of it was taken out by internal/httpd where
// the proxy is not trusted.
func (d *door) base(r *http.Request) string {
	if d.PublicURL != "" {
		return d.PublicURL
	}
	scheme, host := "http", r.Host
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	if name := r.Header.Get("X-Forwarded-Host"); name != "" && !strings.ContainsAny(name, "/\\?#@ ,") {
		host = name
	}
	return scheme + "://" + host
}
