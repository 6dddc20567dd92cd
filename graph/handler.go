package graph

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
	"switchboard/comms/notice"
	"switchboard/comms/pool"
	"switchboard/comms/record"
)

// Options say what the transports allow. Zero values mean the defaults, in parentheses.
type Options struct {
	Calls            *call.Service // the rules of calls, of their records, and so on
	Records          *record.Service
	Carriers         *carrier.Service
	Pools            *pool.Service
	Mails            *mail.Service
	Notices          *notice.Service
	Limits           Limits
	Introspection    bool            // whether the schema can be asked for; suggestions of names go with it
	AllowedOrigins   []string        // of other sites whose pages may call: "https://app.example.com", or "*"
	MaxSockets       int             // live sockets and event streams of one account (10,000)
	MaxSubscriptions int             // operations that one socket may have at a time (100)
	PublicURL        string          // what links in answers begin with; empty: the address that the client used
	InitTimeout      time.Duration   // how long a new socket may be silent (10 s)
	KeepAlive        time.Duration   // how often an idle connection is probed; twice without an answer ends it (25 s)
	WriteTimeout     time.Duration   // how long a peer may take for what waits for it (10 s)
	QueueBytes       int             // how much may wait for a slow peer (256 KiB)
	TempDir          string          // where uploads are while they come in (the system's)
	Drain            <-chan struct{} // closed when the server stops: sockets end with 1012, event streams without `complete`
	Logger           *slog.Logger
}

func (o Options) withDefaults() Options {
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	orInt(&o.MaxSockets, 10_000)
	orInt(&o.MaxSubscriptions, 100)
	orInt(&o.QueueBytes, 256<<10)
	orTime(&o.InitTimeout, 10*time.Second)
	orTime(&o.KeepAlive, 25*time.Second)
	orTime(&o.WriteTimeout, 10*time.Second)
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	o.Limits = o.Limits.withDefaults()
	return o
}

// Handler speaks GraphQL over HTTP, WebSocket and server-sent events, all at one path.
type Handler struct {
	o         Options
	svc       *comms.Service
	exec      *executor.Executor // of subscriptions and of what goes wrong before there is an operation
	present   graphql.ErrorPresenterFunc
	documents *documents
	persisted *lru[string]
	origins   origins
	upgrader  websocket.Upgrader
	live      *live
	groups    *groups
}

// NewHandler builds the door over the rules. Sockets are taken from net/http, whose Shutdown doesn't wait for them: who stops the server
// closes Options.Drain and waits for their connections.
func NewHandler(svc *comms.Service, o Options) *Handler {
	o = o.withDefaults()
	schema := newSchema(svc, o)
	exec := executor.New(schema)
	present := presenter(o.Logger)
	exec.SetErrorPresenter(present)
	exec.SetRecoverFunc(recoverPanic)
	h := &Handler{o: o, svc: svc, exec: exec, present: present, documents: newDocuments(schema, o), persisted: newLRU[string](persistedBytes),
		origins: newOrigins(o.PublicURL, o.AllowedOrigins)}
	h.upgrader = newUpgrader(h.origins)
	h.live = newLive(h)
	h.groups = &groups{h: h, open: map[groupKey]*group{}}
	return h
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head["X-Content-Type-Options"] = nosniff
	h.origins.share(head, r)
	if websocket.IsWebSocketUpgrade(r) {
		h.serveSocket(w, r)
		return
	}
	switch r.Method {
	case http.MethodPost, http.MethodGet:
		h.serveRequest(w, r)
	case http.MethodOptions:
		head.Set("Allow", allowedMethods)
		w.WriteHeader(http.StatusNoContent)
	default:
		head.Set("Allow", allowedMethods)
		answer{w: w, as: asJSON}.refuse(http.StatusMethodNotAllowed, refused(codeMethod, "GraphQL is asked by GET or POST"))
	}
}

const allowedMethods = "GET, POST, OPTIONS"

// signIn is ctx with the caller that the request's headers name; a bad credential is an error, never an anonymous caller.
func (h *Handler) signIn(r *http.Request) (context.Context, comms.Presented, error) {
	ctx := WithBaseURL(r.Context(), h.baseURL(r))
	shown, err := headerCredential(r.Header)
	if err != nil || shown == (comms.Presented{}) {
		return ctx, shown, err
	}
	actor, err := h.svc.Authenticate(ctx, shown)
	if err != nil {
		return ctx, shown, err
	}
	return comms.WithActor(ctx, actor), shown, nil
}

// headerCredential reads `Authorization: Bearer` (RFC 6750 section 2.1) and `X-API-Key`.
func headerCredential(head http.Header) (comms.Presented, error) {
	shown := comms.Presented{ApiKey: head.Get("X-Api-Key")} // in the letter case of net/http, or each look would put it in that
	value := head.Get("Authorization")
	if value == "" {
		return shown, nil
	}
	token, ok := bearer(value)
	if !ok {
		return shown, &comms.Error{Code: comms.Unauthenticated, Text: "the Authorization header must be: Bearer <token>"}
	}
	shown.Bearer = token
	return shown, nil
}

func (h *Handler) baseURL(r *http.Request) string {
	if h.o.PublicURL != "" {
		return h.o.PublicURL
	}
	if base := baseURL(r.Context()); base != "" { // server.go knows which proxies to believe
		return base
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// errorList shows an error to the caller by the presenter, as for a field.
func (h *Handler) errorList(ctx context.Context, err error) gqlerror.List {
	if g, ok := errors.AsType[*gqlerror.Error](err); ok {
		return gqlerror.List{g}
	}
	return h.exec.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(refusal(err))}).Errors
}
