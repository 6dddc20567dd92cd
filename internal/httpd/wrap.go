package httpd

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"switchboard/comms"
)

// Around says how requests are received.
type Around struct {
	Log            *slog.Logger
	TrustedProxies []netip.Prefix
	Metrics        *Metrics
	Sockets        *Sockets
}

// Wrap puts next behind all that this package does for a request.
func (a Around) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := newExchange(w, r, a.Sockets)
		x.origin = a.originOf(r)
		r = r.WithContext(comms.WithOrigin(x, x.origin))
		x.guard(r)
		head(w.Header(), x.id)
		defer func() {
			if p := recover(); p != nil {
				a.panicked(x, p)
			}
			a.done(x, r)
			if x.aborted {
				// What the client has got is not whole: net/http cuts the connection off so that it can tell.
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(x, r)
	})
}

// done writes the request's line and counts it.
func (a Around) done(x *exchange, r *http.Request) {
	took, status := time.Since(x.began), x.Status()
	a.Metrics.request(r.Pattern, status, took)
	// What went well is for who looks closely: a line costs a tenth of a small request.
	level := slog.LevelDebug
	switch {
	case status >= 500:
		level = slog.LevelError
	case status >= 400:
		level = slog.LevelInfo
	}
	if a.Log.Enabled(x, level) {
		a.Log.LogAttrs(x, level, "request", slog.String("method", r.Method), slog.String("route", route(r)),
			slog.Int("status", status), slog.Duration("took", took), slog.String("origin", x.origin))
	}
}

// route is what of the address may be logged. The rest holds secrets: the id of a number, which stands in OpenCloud's paths, is
// that number's credential in the messaging API, and tokens and signatures stand in queries.
func route(r *http.Request) string {
	if r.Pattern != "" {
		return r.Pattern
	}
	first, _, more := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if more || len(first) > 32 {
		return "/" + first[:min(len(first), 32)] + "..."
	}
	return "/" + first
}

// panicked keeps the program and, where nothing was answered yet, tells the client that it was our fault, and no more.
func (a Around) panicked(x *exchange, p any) {
	x.aborted = true
	if p == http.ErrAbortHandler { // a handler's way to cut the connection off
		return
	}
	a.Metrics.panics.Add(1)
	a.Log.ErrorContext(x, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if x.status == 0 {
		x.aborted = false
		Problem(x, http.StatusInternalServerError, "internal error")
	}
}

type exchangeKey struct{}

// RequestID is the id of the request that ctx belongs to; empty where it belongs to none.
func RequestID(ctx context.Context) string {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x.id
	}
	return ""
}

// WithRequestID is a log handler that adds the request's id to whatever is logged with its context.
func WithRequestID(h slog.Handler) slog.Handler { return idHandler{h} }

type idHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h idHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h idHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return idHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h idHandler) WithGroup(name string) slog.Handler { return idHandler{h.Handler.WithGroup(name)} }
