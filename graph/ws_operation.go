package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// operation is one query, mutation or subscription on a socket.
type operation struct {
	s      *socket
	id     string
	quoted []byte // the id as JSON
	done   bool   // nothing more is sent; under wire.mu

	stop   context.CancelFunc // ends a query or mutation; nil for a subscription
	member *member            // of a subscription; under s.mu
	ended  bool               // under s.mu
}

// subscribe begins an operation.
func (s *socket) subscribe(m message) bool {
	s.mu.Lock()
	accepted, stopping := s.state == stateAccepted, s.stopping != 0
	s.mu.Unlock()
	switch {
	case stopping: // the close frame follows what still runs, and the client comes again
		return false
	case !accepted:
		s.wire.close(closeEarly, "Unauthorized")
		return false
	case m.id == "":
		s.wire.close(closeBadMessage, "Invalid message: id is missing")
		return false
	}
	params, bad := paramsIn(m.payload)
	if bad == nil && params.Query == "" && params.Extensions["persistedQuery"] == nil {
		bad = unreadable("query is missing") // PROTOCOL.md: a subscribe message must have it
	}
	if bad != nil {
		s.wire.close(closeBadMessage, "Invalid message: "+bad.err.Message)
		return false
	}
	o := &operation{s: s, id: m.id, quoted: encoded(m.id)}
	switch err := s.admit(o); err {
	case errSameID:
		s.wire.close(closeSameID, "Subscriber for "+m.id+" already exists")
		return false
	case errTooManyOperations:
		o.fail(gqlerror.List{refused(codeOperations, "a socket may have %d operations under way at most", s.h.o.MaxSubscriptions)})
		return false
	}
	op, errs := s.h.prepare(s.ctx, params)
	switch {
	case errs != nil:
		o.fail(errs)
	case op.Operation.Operation == ast.Subscription:
		o.follow(op)
	default:
		o.start(op)
	}
	return true
}

// follow joins a subscription to those who ask the same. It is done when this returns: a message that the client sends next, and what
// that brings about, is seen.
func (o *operation) follow(op *graphql.OperationContext) {
	watcher, errs := o.s.h.plan(o.s.ctx, op)
	if errs != nil {
		o.fail(errs)
		return
	}
	if watcher.Over() {
		watcher.Close()
		o.complete()
		return
	}
	m := o.s.h.groups.join(o.s.ctx, subscription{op: op, watcher: watcher, out: o})
	o.s.mu.Lock()
	o.member = m
	ended := o.ended
	o.s.mu.Unlock()
	if ended { // it failed while it caught up
		m.leave()
	}
}

// start executes a query or mutation beside the reader, which may be told to stop it.
func (o *operation) start(op *graphql.OperationContext) {
	ctx, stop := context.WithCancel(o.s.ctx)
	o.s.mu.Lock()
	o.stop = stop
	o.s.running++
	o.s.mu.Unlock()
	go func() {
		defer stop()
		resp := o.s.h.execute(ctx, op)
		_ = o.room(ctx) // a client that doesn't read its answers is given no more; where this fails nothing can be sent any more
		if resp.Data == nil && len(resp.Errors) > 0 {
			o.fail(resp.Errors)
		} else {
			o.send(o.s.dialect.next, appendResponse(nil, resp), false)
			o.complete()
		}
		o.s.finished()
	}()
}

// finished counts a query or mutation as done, and ends the socket if only that was waited for.
func (s *socket) finished() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.stop()
}

// complete ends an operation for the client. One that isn't known is over already.
func (s *socket) complete(m message) bool {
	o := s.find(m.id)
	if o == nil {
		return false
	}
	s.wire.mu.Lock()
	o.done = true // from here on not even what is being rendered reaches the client, who may use the id again
	s.wire.mu.Unlock()
	s.forget(o)
	return false
}

// leave ends what the operation does.
func (o *operation) leave() {
	o.s.mu.Lock()
	o.ended = true
	member, stop := o.member, o.stop
	o.s.mu.Unlock()
	if stop != nil {
		stop()
	}
	if member != nil {
		member.leave()
	}
}

// fail ends an operation with errors. No complete follows.
func (o *operation) fail(errs gqlerror.List) {
	o.send("error", encoded(o.s.dialect.errors(errs)), true)
	o.s.forget(o)
}

// complete ends an operation that has nothing more to tell.
func (o *operation) complete() {
	o.send("complete", nil, true)
	o.s.forget(o)
}

// deliver hands the client an event. It never waits.
func (o *operation) deliver(d *delivery) bool {
	if !o.send(o.s.dialect.next, d.payload, false) {
		return false
	}
	if d.last {
		o.send("complete", nil, true)
		go o.s.forget(o) // it leaves its group, whose lock whoever delivers may hold
	}
	return !d.last
}

func (o *operation) room(ctx context.Context) error { return o.s.wire.room(ctx) }

// send writes a message about the operation, unless it is over. After the last one it is.
func (o *operation) send(kind string, payload []byte, last bool) bool {
	buf := frames.Get().(*[]byte)
	defer reuse(buf)
	if payload == nil {
		*buf = appendFrame((*buf)[:0], opText, []byte(`{"id":`), o.quoted, []byte(`,"type":"`), []byte(kind), []byte(`"}`))
	} else {
		*buf = appendFrame((*buf)[:0], opText, []byte(`{"id":`), o.quoted, []byte(`,"type":"`), []byte(kind), []byte(`","payload":`), payload, []byte(`}`))
	}
	if last { // who reads the last word may use the id again at once
		o.s.mu.Lock()
		defer o.s.mu.Unlock()
		o.s.release(o)
	}
	w := o.s.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.done {
		return false
	}
	o.done = last
	return w.push(*buf) == nil
}
