package opencloud

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/httpd"
)

// Options are what the door is built from.
type Options struct {
	Calls      *call.Service   // the rules of calls
	PublicURL  string          // the scheme under which clients reach its host; see address
	MaxSockets int             // live sockets of one account; 0: 100 (chosen)
	Drain      <-chan struct{} // closed when the program stops; nil: never
	Log        *slog.Logger    // nil: nothing is logged
}

// needs are what an endpoint wants before it is called.
type needs uint8

const (
	nobody needs = 0
	user   needs = 1 << iota // credentials
	body                     // a JSON object
)

// route is one endpoint. Its call answers what is encoded as the body.
type route struct {
	method, path string
	needs        needs
	status       int // of success
	call         func(*door, *http.Request, *object) (any, error)
}

// routes are the endpoints. The marks are the contract's: which paths the document gives, and which are this project's choice.
var routes = []route{
	{"POST", "/api/auth/register", body, http.StatusCreated, (*door).register},            // documented
	{"POST", "/api/auth/login", body, http.StatusOK, (*door).login},                       // found
	{"GET", "/api/user/me", user, http.StatusOK, (*door).me},                              // found
	{"PUT", "/api/user/matrix", user | body, http.StatusOK, (*door).setMatrixID},          // documented
	{"POST", "/api/user/regenerate-api-key", user, http.StatusOK, (*door).regenerate},     // found
	{"GET", "/api/dashboard", user, http.StatusOK, (*door).dashboard},                     // documented
	{"GET", "/api/numbers", user, http.StatusOK, (*door).numbers},                         // chosen, as all below
	{"POST", "/api/numbers", user | body, http.StatusCreated, (*door).createNumber},       //
	{"PUT", "/api/numbers/{id}", user | body, http.StatusOK, (*door).updateNumber},        //
	{"PUT", "/api/numbers/{id}/pin", user | body, http.StatusOK, (*door).changeNumberPIN}, //
	{"DELETE", "/api/numbers/{id}", user, http.StatusOK, (*door).deleteNumber},            //
	{"GET", "/api/history", user, http.StatusOK, (*door).history},                         //
	{"GET", "/api/captcha", nobody, http.StatusOK, (*door).askCaptcha},                    //
	{"POST", "/api/captcha/verify", body, http.StatusOK, (*door).solveCaptcha},            //
}

// Mount adds the API's paths. What else lies under /api/ is this API's 404.
func Mount(mux *http.ServeMux, svc *comms.Service, o Options) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxSockets == 0 {
		o.MaxSockets = 100
	}
	d := &door{Options: o, svc: svc, sockets: map[uuid.UUID]int{}}
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
	mux.HandleFunc("/ws", d.socket)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, &refusal{http.StatusNotFound, "there is no such endpoint"})
	})
}

type door struct {
	Options
	svc *comms.Service

	mu      sync.Mutex
	sockets map[uuid.UUID]int // how many each account has open
}

// path answers all methods of one path. HEAD is GET whose body net/http throws away.
func (d *door) path(methods map[string]route) http.Handler {
	allow := slices.Collect(maps.Keys(methods))
	if slices.Contains(allow, http.MethodGet) {
		methods[http.MethodHead] = methods[http.MethodGet]
		allow = append(allow, http.MethodHead)
	}
	slices.Sort(allow)
	allowed := strings.Join(allow, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, ok := methods[r.Method]
		if !ok {
			d.wrongMethod(w, r, allowed)
			return
		}
		out, err := d.answer(w, r, to)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		d.send(w, r, to.status, out)
	})
}

func (d *door) wrongMethod(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	d.fail(w, r, &refusal{http.StatusMethodNotAllowed, "this path does not answer " + r.Method})
}

// answer asks for credentials before it looks at the body: strangers don't make the server read.
func (d *door) answer(w http.ResponseWriter, r *http.Request, to route) (any, error) {
	if to.needs&user != 0 {
		ctx, _, err := d.asUser(r.Context(), presented(r))
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

func (d *door) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err)
	if f.internal != nil {
		d.Log.ErrorContext(r.Context(), "opencloud", "error", f.internal)
	}
	f.head(w.Header())
	d.send(w, r, f.status, errorBody{f.text})
	httpd.HearOut(w, r)
}

func (d *door) send(w http.ResponseWriter, r *http.Request, status int, out any) {
	b, err := encode(out)
	if err != nil {
		d.Log.ErrorContext(r.Context(), "opencloud: encode an answer", "error", err)
		status, b = http.StatusInternalServerError, []byte(`{"error":"internal error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")            // most answers hold credentials
	h.Set("Content-Length", strconv.Itoa(len(b))) // httpd.HearOut flushes, and net/http counts no more then
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		d.Log.DebugContext(r.Context(), "opencloud: the client did not take its answer", "error", err)
	}
}
