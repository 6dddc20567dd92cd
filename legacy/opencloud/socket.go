package opencloud

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"switchboard/comms"
)

const (
	pingEvery  = 30 * time.Second
	silence    = 75 * time.Second // no frame for so long, not even a pong: the other side is gone
	writeLimit = 10 * time.Second
	linger     = 2 * time.Second // for the other side's close frame
	queued     = 64              // answers that wait for a client to read them
	patience   = 5 * time.Second // for a client that reads none of them
)

// socket serves GET /ws. Any origin may open one (chosen): what lets a page in is the token that it puts into the address itself, and
// no cookie that a browser would add for it (RFC 6455, section 10.2).
func (d *door) socket(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		d.wrongMethod(w, r, http.MethodGet)
		return
	}
	s, err := d.admit(r)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	defer s.leave()
	if no := handshake(r); no != nil {
		w.Header().Set("Upgrade", "websocket")        // RFC 9110, section 15.5.22
		w.Header().Set("Sec-WebSocket-Version", "13") // RFC 6455, section 4.4
		d.fail(w, r, no)
		return
	}
	if err := s.watchCalls(); err != nil {
		d.fail(w, r, err)
		return
	}
	defer s.unwatchCalls()
	// Before the handshake is answered: whoever has his socket finds its session on the dashboard.
	if s.session, err = d.svc.OpenSession(s.ctx, "opencloud"); err != nil {
		d.fail(w, r, err)
		return
	}
	defer s.closeSession()
	up := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &writeBuffers,
		CheckOrigin: func(*http.Request) bool { return true },
		Error: func(w http.ResponseWriter, r *http.Request, status int, reason error) {
			d.fail(w, r, &refusal{status, reason.Error()})
		}}
	if s.conn, err = up.Upgrade(w, r, nil); err != nil {
		return // answered by up.Error, or the client is gone
	}
	s.serve()
}

// handshake tells what is wrong with the client's half of it (RFC 6455, section 4.2.1). The upgrader asks the same, but a handshake
// that fails must not have had a session.
func handshake(r *http.Request) error {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch {
	case !websocket.IsWebSocketUpgrade(r):
		return &refusal{http.StatusUpgradeRequired, "this is a WebSocket"}
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return &refusal{http.StatusUpgradeRequired, "the version of the WebSocket must be 13"}
	case err != nil || len(key) != 16:
		return badInput("Sec-WebSocket-Key is not the Base64 of 16 bytes")
	}
	return nil
}

var writeBuffers sync.Pool

// admit finds who opens a socket, and takes one of the account's places.
func (d *door) admit(r *http.Request) (*live, error) {
	p := presented(r)
	if token := r.URL.Query().Get("token"); token != "" { // documented: in wsUrl
		p = comms.Presented{Bearer: token}
	}
	ctx, actor, err := d.asUser(r.Context(), p)
	if err != nil {
		return nil, err
	}
	select {
	case <-d.Drain:
		return nil, &comms.Error{Code: comms.Unavailable, Text: "the server is stopping, try again"}
	default:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sockets[actor.AccountID] >= d.MaxSockets {
		return nil, &comms.Error{Code: comms.Limited, Text: "too many sockets are open", RetryAfter: pingEvery}
	}
	d.sockets[actor.AccountID]++
	// The request's context ends with the handler; what is to be written down after that needs one of its own.
	return &live{door: d, ctx: context.WithoutCancel(ctx), shown: p, account: actor.AccountID, expires: actor.ExpiresAt,
		out: make(chan outgoing, queued), done: make(chan struct{}), written: make(chan struct{}),
		news: make(chan struct{}, 1)}, nil
}

// live is one open socket: one goroutine reads and answers, one writes.
type live struct {
	door    *door
	ctx     context.Context
	shown   comms.Presented
	account uuid.UUID
	expires time.Time // zero: the credential doesn't end by itself
	session *comms.LiveSession
	conn    *websocket.Conn
	out     chan outgoing
	done    chan struct{} // closed when the reader has ended
	written chan struct{} // closed when the writer has
	ended   sync.Once     // the session

	news   chan struct{} // holds one: there are statuses to tell
	calls  *comms.Watcher
	status callNews
}

// outgoing is a text, or with a code the frame that closes the socket: it goes out behind what was said before.
type outgoing struct {
	text   []byte
	code   int
	reason string
}

func (l *live) leave() {
	d := l.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sockets[l.account]--; d.sockets[l.account] == 0 {
		delete(d.sockets, l.account)
	}
}

// closeSession comes before the connection's end, always: a program that stops waits for its connections, and then closes the store.
func (l *live) closeSession() {
	l.ended.Do(func() {
		if err := l.session.Close(l.ctx); err != nil {
			l.door.Log.ErrorContext(l.ctx, "opencloud: close a session", "error", err)
		}
	})
}

// drop ends the connection, and with it what reads and what writes.
func (l *live) drop() {
	l.closeSession()
	_ = l.conn.Close()
}

// serve runs until the socket is closed by either side.
func (l *live) serve() {
	go func() {
		defer close(l.written)
		defer l.survive()
		l.write()
	}()
	defer func() {
		close(l.done)
		<-l.written
		l.closeSession()
		l.hangUp()
	}()
	defer l.survive()
	l.conn.SetReadLimit(maxBody)
	l.heard()
	l.conn.SetPongHandler(func(string) error { l.heard(); return nil })
	l.conn.SetPingHandler(func(data string) error {
		l.heard()
		return ignoreClosed(l.conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeLimit)))
	})
	l.conn.SetCloseHandler(func(code int, _ string) error {
		l.heard()
		l.closeSession() // before the answer: who has it finds the session closed
		l.push(outgoing{code: code})
		return nil
	})
	for l.read() {
	}
}

// survive keeps a panic from ending the program, and the client from waiting for an answer.
func (l *live) survive() {
	if p := recover(); p != nil {
		l.door.Log.ErrorContext(l.ctx, "opencloud: panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		l.cut(websocket.CloseInternalServerErr, "internal error")
	}
}

// cut ends the socket past what waits in the queue. Where the client doesn't read, the reason does not reach it either.
func (l *live) cut(code int, reason string) {
	_ = l.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
	l.drop()
}

// hangUp closes the connection. What the client still sends is read for a moment: the kernel would answer unread bytes with a reset,
// which can overtake the close frame.
func (l *live) hangUp() {
	conn := l.conn.NetConn()
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil &&
		conn.SetReadDeadline(time.Now().Add(linger)) == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, 4*maxBody)) // whatever it is, nobody waits for it
	}
	_ = conn.Close()
}

// ignoreClosed: that an answer came too late for a socket that is being closed is no failure of the frame that asked for it.
func ignoreClosed(err error) error {
	if errors.Is(err, websocket.ErrCloseSent) {
		return nil
	}
	return err
}

func (l *live) heard() {
	l.session.Seen()
	// A failure shows at the next read.
	_ = l.conn.SetReadDeadline(time.Now().Add(silence))
}

// read answers one frame; false: there will be no more.
func (l *live) read() bool {
	kind, text, err := l.conn.ReadMessage()
	if err != nil { // gorilla has told the other side what it broke, but for a length of 2^63 and more
		if errors.Is(err, websocket.ErrReadLimit) {
			l.push(outgoing{code: websocket.CloseMessageTooBig})
		}
		return false
	}
	l.heard()
	_, err = l.door.svc.Authenticate(l.ctx, l.shown)
	switch {
	case comms.IsCode(err, comms.Unauthenticated): // an ended key ends at once, and so does what was opened with it
		l.push(outgoing{code: websocket.ClosePolicyViolation, reason: "the credential has ended"})
		return false
	case err != nil:
		return l.say(errorFrame{"error", comms.AsError(err).Text})
	case kind != websocket.TextMessage:
		return l.say(errorFrame{"error", "a frame must be a text"})
	case !utf8.Valid(text): // RFC 6455, section 8.1
		l.push(outgoing{code: websocket.CloseInvalidFramePayloadData, reason: "the text is not UTF-8"})
		return false
	default:
		return l.reply(text)
	}
}

func (l *live) say(frame any) bool {
	b, err := encode(frame)
	if err != nil {
		l.door.Log.ErrorContext(l.ctx, "opencloud: encode a frame", "error", err)
		b = []byte(`{"type":"error","error":"internal error"}`)
	}
	return l.push(outgoing{text: b})
}

// push queues a frame. Where there is no room it waits, and the client's next frame with it, until the client has read some of what it
// asked for. One that sends and doesn't read is left, or it would hold memory for as long as it likes.
func (l *live) push(o outgoing) bool {
	select {
	case l.out <- o:
		return true
	default:
	}
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case l.out <- o:
		return true
	case <-l.written:
		return false
	case <-wait.C:
		l.cut(websocket.CloseTryAgainLater, "you read too slowly")
		return false
	}
}

// write sends what is queued, asks whether the other side is still there, and ends the socket when its time has come.
func (l *live) write() {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	var expired <-chan time.Time
	if !l.expires.IsZero() {
		t := time.NewTimer(time.Until(l.expires))
		defer t.Stop()
		expired = t.C
	}
	for {
		ok := true
		select {
		case <-l.done:
			l.flush()
			return
		case o := <-l.out:
			ok = l.put(o)
		case <-l.news:
			ok = l.tell()
		case <-ping.C:
			ok = l.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeLimit)) == nil
		case <-expired:
			ok = l.flush() && l.put(outgoing{code: websocket.ClosePolicyViolation, reason: "the token has expired"})
		case <-l.door.Drain:
			ok = l.flush() && l.put(outgoing{code: websocket.CloseServiceRestart, reason: "the server is stopping"})
		}
		if !ok {
			return
		}
	}
}

// flush sends what is queued already.
func (l *live) flush() bool {
	for {
		select {
		case o := <-l.out:
			if !l.put(o) {
				return false
			}
		default:
			return true
		}
	}
}

// put writes a frame; false: no other can follow.
func (l *live) put(o outgoing) bool {
	until := time.Now().Add(writeLimit)
	if o.code != 0 {
		_ = l.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(o.code, o.reason), until)
		// The reader ends with the other side's close frame, or with this.
		time.AfterFunc(linger, l.drop)
		return false
	}
	err := l.conn.SetWriteDeadline(until)
	if err == nil {
		err = l.conn.WriteMessage(websocket.TextMessage, o.text)
	}
	if err != nil {
		l.drop()
	}
	return err == nil
}
