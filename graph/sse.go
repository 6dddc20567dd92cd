package graph

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"switchboard/comms"
)

// Server-sent events, in the distinct connections mode of graphql-sse (its PROTOCOL.md): one operation a request. Errors before execution
// too come as an event, for an EventSource shows a page nothing of an answer that isn't 200.

// completed ends a stream. Without the empty data an EventSource would not dispatch it.
const completed = "event: complete\ndata: \n\n"

// streamed is a subscription by HTTP.
type streamed struct {
	op        *graphql.OperationContext
	shown     comms.Presented
	lastEvent string
}

// stream is the way of one subscription to its client. Deliveries are queued; the request's own goroutine writes them.
type stream struct {
	limit   int
	mu      sync.Mutex
	queue   []byte
	over    bool          // too much waited, or it ended
	last    bool          // nothing goes behind what is queued
	wake    chan struct{} // holds one
	drained chan struct{}
	timeout time.Duration
}

// streamOnce answers a query, a mutation or an error as a stream of one.
func (h *Handler) streamOnce(ctx context.Context, w http.ResponseWriter, resp *graphql.Response) {
	out := &writing{w: w, rc: http.NewResponseController(w), timeout: h.o.WriteTimeout}
	out.open()
	event := append(appendEvent(nil, "", appendResponse(nil, resp)), completed...)
	if err := out.write(event); err != nil && ctx.Err() == nil {
		h.o.Logger.DebugContext(ctx, "write an event stream", "error", err)
	}
}

// streamNothing answers a subscription that has nothing to tell any more.
func (h *Handler) streamNothing(ctx context.Context, w http.ResponseWriter) {
	out := &writing{w: w, rc: http.NewResponseController(w), timeout: h.o.WriteTimeout}
	out.open()
	if err := out.write([]byte(completed)); err != nil && ctx.Err() == nil {
		h.o.Logger.DebugContext(ctx, "write an event stream", "error", err)
	}
}

// streamEvents answers a subscription. A stream that ends without `complete` is one that the client opens again: so it ends when the
// server stops, and when the client reads too slowly.
func (h *Handler) streamEvents(ctx context.Context, w http.ResponseWriter, s streamed) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watcher, errs := h.plan(ctx, s.op)
	if errs == nil && s.lastEvent != "" {
		watcher, errs = h.resume(ctx, watcher, s.lastEvent)
	}
	if errs != nil {
		h.streamOnce(ctx, w, &graphql.Response{Errors: errs})
		return
	}
	place := &seat{end: func(why ending) { cancel(endings[why]) }}
	err := h.live.take(accountOf(comms.ActorOf(ctx)), place) // a watch is given to nobody who isn't known
	if err == nil {
		defer h.live.leave(place)
		err = h.live.introduce(ctx, place, s.shown)
	}
	if err != nil {
		watcher.Close()
		h.refuseStream(ctx, w, err)
		return
	}
	if watcher.Over() {
		watcher.Close()
		h.streamNothing(ctx, w)
		return
	}
	out := &stream{limit: h.o.QueueBytes, wake: make(chan struct{}, 1), timeout: h.o.WriteTimeout}
	m := h.groups.join(ctx, subscription{op: s.op, watcher: watcher, out: out})
	defer m.leave()
	h.pump(ctx, &writing{w: w, rc: http.NewResponseController(w), timeout: h.o.WriteTimeout}, out)
}

// refuseStream answers with a status that has a client come again later, or with a new credential.
func (h *Handler) refuseStream(ctx context.Context, w http.ResponseWriter, err error) {
	to := answer{w: w, as: asJSON}
	if comms.IsCode(err, comms.Unauthenticated) {
		h.refuseCaller(ctx, to, err)
		return
	}
	to.refuse(http.StatusServiceUnavailable, h.errorList(ctx, err)...)
}

// endings are the causes with which a stream's context ends.
var endings = map[ending]error{endRestart: errStopping, endRevoked: errRevoked}

var errRevoked = &comms.Error{Code: comms.Unauthenticated, Text: "the credential was revoked"}
var errExpired = &comms.Error{Code: comms.Unauthenticated, Text: "the credential has expired"}

// resume opens the same watch behind the event that an EventSource saw last.
func (h *Handler) resume(ctx context.Context, w *comms.Watcher, cursor string) (*comms.Watcher, gqlerror.List) {
	again := w.Watch
	again.After = cursor
	w.Close()
	out, err := h.svc.OpenWatch(ctx, again)
	if err != nil {
		return nil, h.errorList(ctx, err)
	}
	return out, nil
}

// pump writes what is queued until the stream ends.
func (h *Handler) pump(ctx context.Context, w *writing, s *stream) {
	defer s.end()
	w.open()
	alive := time.NewTicker(h.o.KeepAlive)
	defer alive.Stop()
	var expired <-chan time.Time
	if a := comms.ActorOf(ctx); a != nil && !a.ExpiresAt.IsZero() {
		timer := time.NewTimer(time.Until(a.ExpiresAt))
		defer timer.Stop()
		expired = timer.C
	}
	for {
		var err error
		select {
		case <-s.wake:
			b, over, last := s.take()
			if err = w.write(b); err == nil && last {
				return
			}
			if over {
				w.breakOff()
				return
			}
		case <-alive.C:
			err = w.write([]byte(":\n\n"))
		case <-expired:
			s.fail(h.errorList(ctx, errExpired))
		case <-ctx.Done():
			if context.Cause(ctx) != errRevoked {
				return
			}
			// The context is over, but not the connection.
			errs := h.errorList(context.WithoutCancel(ctx), errRevoked)
			_ = w.write(append(appendEvent(nil, "", appendResponse(nil, &graphql.Response{Errors: errs})), completed...))
			return
		}
		if err != nil {
			return // the client went away
		}
	}
}

// appendEvent appends one event. Its data is one line: JSON text has no line breaks outside of strings here, and none inside.
func appendEvent(dst []byte, id string, data []byte) []byte {
	dst = append(dst, "event: next\n"...)
	if id != "" {
		dst = append(append(append(dst, "id: "...), id...), '\n')
	}
	return append(append(append(dst, "data: "...), data...), "\n\n"...)
}

func (s *stream) deliver(d *delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.last {
		return false
	}
	if len(s.queue) > 0 && len(s.queue)+len(d.payload) > s.limit {
		s.over, s.queue = true, nil
	} else {
		s.queue = appendEvent(s.queue, d.cursor, d.payload)
		if s.last = d.last; s.last {
			s.queue = append(s.queue, completed...)
		}
	}
	s.signal()
	return !s.over && !s.last
}

func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fail ends the stream with errors.
func (s *stream) fail(errs gqlerror.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.last {
		return
	}
	s.queue = append(appendEvent(s.queue, "", appendResponse(nil, &graphql.Response{Errors: errs})), completed...)
	s.last = true
	s.signal()
}

func (s *stream) take() (b []byte, over, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, s.queue = s.queue, nil
	s.release()
	return b, s.over, s.last
}

func (s *stream) release() {
	if s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}

func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over, s.queue = true, nil
	s.release()
}

// room waits until what is queued is on its way, or for too long.
func (s *stream) room(ctx context.Context) error {
	s.mu.Lock()
	if s.over || len(s.queue) <= s.limit/2 {
		over := s.over
		s.mu.Unlock()
		if over {
			return errWireClosed
		}
		return nil
	}
	if s.drained == nil {
		s.drained = make(chan struct{})
	}
	drained := s.drained
	s.mu.Unlock()
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.over, s.queue = true, nil
		s.signal()
		return errWireClosed
	}
}

// writing is an event stream's response.
type writing struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
}

func (w *writing) open() {
	head := w.w.Header()
	head["Content-Type"] = mediaTypeNames[asStream]
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // nginx would keep events back until its buffer is full
	w.w.WriteHeader(http.StatusOK)
	_ = w.rc.Flush() // what it says, the next write says again
}

func (w *writing) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := w.rc.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return err
	}
	if _, err := w.w.Write(b); err != nil {
		return err
	}
	return w.rc.Flush()
}

// breakOff makes the end of the answer fail, so that the client doesn't take it for whole.
func (w *writing) breakOff() { _ = w.rc.SetWriteDeadline(time.Unix(1, 0)) }
