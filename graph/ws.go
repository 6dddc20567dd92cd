package graph

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"switchboard/comms"
)

// socket is one WebSocket. While it is idle it costs one goroutine with a small stack, a read buffer of 512 bytes and a timer.
type socket struct {
	h       *Handler
	wire    *wire
	conn    *websocket.Conn
	dialect *dialect
	ctx     context.Context // carries the caller, once connection_init has named it
	cancel  context.CancelFunc
	seat    seat
	heard   atomic.Int64 // when the peer last said anything, in Unix milliseconds

	mu       sync.Mutex
	state    socketState
	ops      []*operation
	running  int    // queries and mutations under way
	stopping ending // what the server wants it to end for, once they are done
	timer    *time.Timer
	expires  time.Time // when the credential ends by itself; zero: never
	session  *comms.LiveSession
}

type socketState uint8

const (
	stateNew      socketState = iota // nothing was said
	stateAsking                      // connection_init came and is being looked at
	stateAccepted                    // connection_ack was sent
	stateGone
)

func newUpgrader(o origins) websocket.Upgrader {
	return websocket.Upgrader{
		ReadBufferSize: 512, // most messages are smaller, and there is one for each socket
		// wire writes; gorilla needs a buffer only for what it never sends.
		WriteBufferPool: &sync.Pool{},
		Subprotocols:    []string{transportWS.name, legacyWS.name}, // the first that the client offers too: never the old one of both
		CheckOrigin:     o.allows,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			answer{w: w, as: asJSON}.refuse(status, refused(codeRequest, "%s", reason.Error()))
		},
	}
}

// hijack hands gorilla the connection behind a wire.
type hijack struct {
	http.ResponseWriter
	o    Options
	wire *wire
}

func (h *hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.wire = newWire(c, h.o)
	return h.wire, rw, nil
}

// serveSocket makes a request a socket. It returns at once, for what net/http holds for a request is worth more than a socket is.
func (h *Handler) serveSocket(w http.ResponseWriter, r *http.Request) {
	to := answer{w: w, as: asJSON}
	if !h.origins.allows(r) {
		to.refuse(http.StatusForbidden, refused(codeOrigin, "pages of this origin may not open a socket here"))
		return
	}
	ctx, shown, err := h.signIn(r)
	if err != nil {
		h.refuseCaller(ctx, to, err)
		return
	}
	s := &socket{h: h}
	s.seat.end = s.end
	s.seat.shown = shown
	if err := h.live.take(addressOf(r), &s.seat); err != nil {
		to.refuse(http.StatusServiceUnavailable, h.errorList(ctx, err)...)
		return
	}
	taken := &hijack{ResponseWriter: w, o: h.o}
	if s.conn, err = h.upgrader.Upgrade(taken, r, nil); err != nil {
		h.live.leave(&s.seat) // gorilla has answered
		if taken.wire != nil {
			taken.wire.abort()
		}
		return
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.dialect = dialects[s.conn.Subprotocol()]
	s.open(taken.wire)
}

func (s *socket) open(w *wire) {
	s.conn.SetReadLimit(s.h.o.Limits.Body)
	s.conn.SetPingHandler(func(data string) error { s.hear(); s.wire.send(opPong, []byte(data)); return nil })
	s.conn.SetPongHandler(func(string) error { s.hear(); return nil })
	s.conn.SetCloseHandler(func(code int, _ string) error {
		if code == websocket.CloseNoStatusReceived {
			code = closeNormal
		}
		s.wire.close(code, "") // section 5.5.1: "typically echos the status code it received"
		return nil
	})
	s.hear()
	s.mu.Lock()
	s.wire = w
	if s.dialect == nil {
		w.close(closeSubprotocol, "Subprotocol not acceptable")
	}
	s.stop()
	s.timer = time.AfterFunc(s.h.o.InitTimeout, s.tick)
	s.mu.Unlock()
	go s.read()
}

// hear notes that the peer said something, be it a pong.
func (s *socket) hear() {
	s.heard.Store(time.Now().UnixMilli())
	s.mu.Lock()
	session := s.session
	s.mu.Unlock()
	if session != nil {
		session.Seen()
	}
}

// read takes messages until the socket ends.
//
// Executing something makes the goroutine's stack grow to sixteen times what waiting for the next message needs, and it would stay so
// for as long as the socket lives. So whoever has executed something lets a new goroutine wait.
func (s *socket) read() {
	for {
		kind, data, err := s.conn.ReadMessage()
		if err != nil {
			s.gone()
			return
		}
		s.hear()
		switch {
		case s.wire.isClosing(): // it was told to go; what it still says isn't done
		case kind != websocket.TextMessage:
			s.wire.close(closeBadMessage, "Only text messages are understood")
		case !utf8.Valid(data):
			s.wire.close(closeBadText, "The message is no UTF-8")
		default:
			if s.message(data) {
				go s.read()
				return
			}
		}
	}
}

// message does what a message says. It tells whether that took a deep stack.
func (s *socket) message(data []byte) (deep bool) {
	defer func() {
		if p := recover(); p != nil {
			s.h.o.Logger.Error("panic in a socket", "panic", p, "stack", string(debug.Stack()))
			s.wire.close(websocket.CloseInternalServerErr, "Internal error")
		}
	}()
	m, bad := decodeMessage(data)
	if bad != nil {
		s.wire.close(closeBadMessage, "Invalid message: "+bad.err.Message)
		return false
	}
	does := s.dialect.verbs[m.kind]
	if does == nil {
		s.wire.close(closeBadMessage, "Invalid message: no such type")
		return false
	}
	return does(s, m)
}

// tick looks after the socket: an initialisation that doesn't come, a credential that ends, a peer that is gone without a word.
func (s *socket) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	silent := now.Sub(time.UnixMilli(s.heard.Load()))
	switch {
	case s.state == stateGone:
		return
	case s.state != stateAccepted:
		s.wire.close(closeInitTimeout, "Connection initialisation timeout")
		return
	case !s.expires.IsZero() && !now.Before(s.expires):
		s.wire.close(closeForbidden, "Forbidden: the credential has expired")
		return
	case silent > 2*s.h.o.KeepAlive:
		s.wire.abort()
		return
	}
	s.wire.send(opPing)
	if s.dialect.keepAlive != nil {
		s.wire.send(opText, s.dialect.keepAlive)
	}
	s.timer.Reset(s.untilTick(now))
}

// untilTick is how long nothing needs to be looked after. s.mu is held.
func (s *socket) untilTick(now time.Time) time.Duration {
	if s.expires.IsZero() {
		return s.h.o.KeepAlive
	}
	return max(0, min(s.h.o.KeepAlive, s.expires.Sub(now)))
}

// end is what live calls. What runs may come to its end when the server stops; nothing more may begin.
func (s *socket) end(why ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = why
	s.stop()
}

// stop closes the socket if the server wants it to end. s.mu is held.
func (s *socket) stop() {
	switch {
	case s.wire == nil || s.stopping == 0: // open asks again
	case s.stopping == endRevoked:
		s.wire.close(closeForbidden, "Forbidden: the credential was revoked")
	case s.running == 0:
		s.wire.close(closeRestart, "Service restart")
	}
}

// gone gives back all that the socket had.
func (s *socket) gone() {
	s.mu.Lock()
	s.state = stateGone
	s.timer.Stop()
	ops, session := s.ops, s.session
	s.ops, s.session = nil, nil
	s.mu.Unlock()
	s.cancel()
	for _, o := range ops {
		o.leave()
	}
	if session != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), s.h.o.WriteTimeout)
		defer cancel()
		session.Close(ctx)
	}
	s.wire.hangUp()
	s.h.live.leave(&s.seat)
}

// admit remembers an operation, or says why it can't be.
func (s *socket) admit(o *operation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.ops, func(other *operation) bool { return other.id == o.id }) {
		return errSameID
	}
	s.ops = append(s.ops, o)
	if len(s.ops) > s.h.o.MaxSubscriptions {
		return errTooManyOperations
	}
	return nil
}

var (
	errSameID            = errors.New("an operation with this id is under way")
	errTooManyOperations = errors.New("too many operations on one socket")
)

// find is the operation of that id; nil: there is none.
func (s *socket) find(id string) *operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.ops, func(o *operation) bool { return o.id == id }); i >= 0 {
		return s.ops[i]
	}
	return nil
}

// forget frees an operation's id and place.
func (s *socket) forget(o *operation) {
	s.mu.Lock()
	s.release(o)
	s.mu.Unlock()
	o.leave()
}

// release frees the operation's id. It is called under s.mu.
func (s *socket) release(o *operation) {
	if i := slices.Index(s.ops, o); i >= 0 {
		s.ops = slices.Delete(s.ops, i, i+1)
	}
}
