package callrecords

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
	"switchboard/comms/record"
	"switchboard/internal/httpd"
)

// Options are what the door is built from.
type Options struct {
	Mails     *mail.Service
	Carriers  *carrier.Service
	Records   *record.Service
	PublicURL string       // what links in answers and letters begin with; empty: the address that the client used
	Log       *slog.Logger // nil: nothing is logged
}

// needs are what an endpoint wants before it is called, and what it answers with.
type needs uint8

const (
	nobody  needs = 0
	session needs = 1 << iota // the JWT of a login (documented: it configures the account)
	token                     // an API token (documented: it reads the records and can do nothing else)
	body                      // a JSON object
	person                    // somebody at a browser: the answer is a page
)

// route is one endpoint. Its call answers what is encoded as the body.
type route struct {
	method, path string
	needs        needs
	status       int // of success
	call         func(*door, *http.Request, *object) (any, error)
}

// routes are the endpoints. The marks are the contract's: which of them the document gives, and which are this project's choice.
var routes = []route{
	{"POST", "/auth/register", body, http.StatusCreated, (*door).register},                  // documented
	{"GET", "/auth/activate/{token}", person, http.StatusOK, (*door).activate},              // chosen
	{"POST", "/auth/login", body, http.StatusOK, (*door).login},                             // documented
	{"POST", "/ovh/add", session, http.StatusOK, (*door).link},                              // documented
	{"GET", "/ovh/check/{id}", person, http.StatusOK, (*door).check},                        // documented
	{"POST", "/account/blocklist", session | body, http.StatusOK, (*door).block},            // documented
	{"GET", "/account/blocklist", session, http.StatusOK, (*door).blocked},                  // chosen
	{"DELETE", "/account/blocklist", session | body, http.StatusOK, (*door).unblock},        // chosen
	{"POST", "/account/apitoken", session | body, http.StatusOK, (*door).createAPIToken},    // documented
	{"GET", "/account/apitoken", session, http.StatusOK, (*door).apiTokens},                 // chosen
	{"DELETE", "/account/apitoken", session | body, http.StatusOK, (*door).revokeAPITokens}, // chosen
	{"GET", "/records", token, http.StatusOK, (*door).records},                              // documented
}

// prefixes are where else this API answers 404.
var prefixes = []string{"/auth/", "/ovh/", "/account/", "/records/"}

// Mount adds the API's paths.
func Mount(mux *http.ServeMux, svc *comms.Service, o Options) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	d := &door{Options: o, svc: svc}
	paths := map[string]map[string]route{}
	for _, r := range routes {
		if paths[r.path] == nil {
			paths[r.path] = map[string]route{}
		}
		paths[r.path][r.method] = r
	}
	for path, methods := range paths {
		mux.Handle(path, d.path(methods))
	}
	for _, prefix := range prefixes {
		mux.HandleFunc(prefix, func(w http.ResponseWriter, r *http.Request) {
			d.fail(w, r, route{}, &refusal{http.StatusNotFound, "there is no such endpoint"})
		})
	}
}

type door struct {
	Options
	svc *comms.Service
}

// path answers all methods of one path. HEAD is GET whose body net/http throws away, but not where a GET does something: programs that look
// at the links of a mail ask for HEAD first.
func (d *door) path(methods map[string]route) http.Handler {
	allow := slices.Collect(maps.Keys(methods))
	if get, ok := methods[http.MethodGet]; ok && get.needs&person == 0 {
		methods[http.MethodHead] = get
		allow = append(allow, http.MethodHead)
	}
	slices.Sort(allow)
	allowed := strings.Join(allow, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, ok := methods[r.Method]
		if !ok {
			w.Header().Set("Allow", allowed)
			d.fail(w, r, route{}, &refusal{http.StatusMethodNotAllowed, "this path does not answer " + r.Method})
			return
		}
		out, err := d.answer(w, r, to)
		if err != nil {
			d.fail(w, r, to, err)
			return
		}
		d.send(w, r, to.status, out)
	})
}

// answer asks for credentials before it looks at the body: strangers don't make the server read.
func (d *door) answer(w http.ResponseWriter, r *http.Request, to route) (any, error) {
	if to.needs&(session|token) != 0 {
		ctx, err := d.authenticate(r, to.needs)
		if err != nil {
			return nil, err
		}
		r = r.WithContext(ctx)
	}
	var in *object
	if to.needs&body != 0 {
		var err error
		if in, err = readBody(w, r); err != nil {
			return nil, err
		}
	}
	return to.call(d, r, in)
}

func (d *door) fail(w http.ResponseWriter, r *http.Request, to route, err error) {
	f := failureOf(err)
	if f.internal != nil {
		d.Log.ErrorContext(r.Context(), "callrecords", "error", f.internal)
	}
	f.head(w.Header())
	if to.needs&person != 0 {
		d.send(w, r, f.status, page{"This did not work", f.text})
	} else {
		d.send(w, r, f.status, errorBody{f.status, f.text})
	}
	httpd.HearOut(w, r)
}

func (d *door) send(w http.ResponseWriter, r *http.Request, status int, out any) {
	b, contentType, err := encode(w.Header(), out)
	if err != nil {
		d.Log.ErrorContext(r.Context(), "callrecords: encode an answer", "error", err)
		status, b = http.StatusInternalServerError, []byte(`{"statusCode":500,"message":"internal error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")            // most answers hold credentials, or what people did
	h.Set("Content-Length", strconv.Itoa(len(b))) // httpd.HearOut flushes, and net/http counts no more then
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		d.Log.DebugContext(r.Context(), "callrecords: the client did not take its answer", "error", err)
	}
}
