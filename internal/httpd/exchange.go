package httpd

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// stall is how long a client may keep us waiting for the next piece of its request, or not take the next piece of its answer. There
	// is no bound on a whole request: 64 MiB over a slow line and a stream of events take as long as they take.
	stall = 60 * time.Second
	// stale is how old a deadline gets before a piece moves it: setting one costs more than reading a piece.
	stale = 10 * time.Second
	piece = 1 << 20
)

// exchange is one request and its answer: the response writer, the body and the context that the handler sees. They are one struct
// because each request makes them.
type exchange struct {
	context.Context
	http.ResponseWriter
	id      string
	origin  string
	began   time.Time
	status  int
	written int64
	aborted bool
	sockets *Sockets
	body    io.ReadCloser
	clock   deadlines
	read    time.Time // when the body's deadline was set
	wrote   time.Time // when the answer's was
	own     bool      // the handler sets the answer's deadlines itself
}

// deadlines are what net/http's own response writer can set.
type deadlines interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

func newExchange(w http.ResponseWriter, r *http.Request, s *Sockets) *exchange {
	x := &exchange{Context: r.Context(), ResponseWriter: w, id: requestID(r.Header), began: time.Now(), sockets: s}
	x.clock, _ = w.(deadlines)
	return x
}

// guard bounds the waits of the exchange. An answer without a body is written after the handler has returned, hence at once.
func (x *exchange) guard(r *http.Request) {
	if x.clock == nil {
		return
	}
	x.deferWrite(x.began)
	if r.Body != nil && r.Body != http.NoBody {
		x.body, r.Body = r.Body, (*body)(x)
		// Our own server's net/http has set that deadline in the place where it else takes that of the head away.
		if server, ok := x.Context.Value(http.ServerContextKey).(*http.Server); ok && server.ReadTimeout == stall {
			x.read = x.began
		} else {
			x.deferRead(x.began)
		}
	}
}

// A deadline that can't be set is one of a connection that is gone, as the next read or write will say.
func (x *exchange) deferRead(now time.Time) {
	_ = x.clock.SetReadDeadline(now.Add(stall))
	x.read = now
}

func (x *exchange) deferWrite(now time.Time) {
	_ = x.clock.SetWriteDeadline(now.Add(stall))
	x.wrote = now
}

// writing is called before each piece of the answer.
func (x *exchange) writing() {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if x.clock == nil || x.own {
		return
	}
	if now := time.Now(); now.Sub(x.wrote) > stale {
		x.deferWrite(now)
	}
}

// body is an exchange as the body of its request.
type body exchange

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	x := (*exchange)(b)
	now := time.Now()
	moved := now.Sub(x.read) > stale
	if moved {
		x.deferRead(now)
	}
	n, err := b.body.Read(p)
	// At the end net/http reads ahead, to see the client go, which may last as long as the answer: it takes the deadline away, but for one
	// that is set when it was at the end before.
	if err != nil && moved {
		_ = x.clock.SetReadDeadline(time.Time{})
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error { return b.body.Close() }

// Value implements context.Context.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

// Status is what was answered.
func (x *exchange) Status() int {
	if x.status == 0 {
		return http.StatusOK
	}
	return x.status
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (x *exchange) Write(p []byte) (int, error) {
	x.writing()
	n, err := x.ResponseWriter.Write(p)
	x.written += int64(n)
	return n, err
}

// WriteString implements io.StringWriter.
func (x *exchange) WriteString(s string) (int, error) {
	x.writing()
	n, err := io.WriteString(x.ResponseWriter, s)
	x.written += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom: net/http hands files to the kernel (sendfile). Piece by piece, so that the deadline can move.
func (x *exchange) ReadFrom(r io.Reader) (total int64, err error) {
	for {
		x.writing()
		n, err := io.CopyN(x.ResponseWriter, r, piece)
		total += n
		x.written += n
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// FlushError implements what http.ResponseController asks for.
func (x *exchange) FlushError() error {
	x.writing()
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (x *exchange) Flush() { _ = x.FlushError() } // the interface has no way to tell

// SetWriteDeadline implements what http.ResponseController asks for. Who sets deadlines sets all of them from then on.
func (x *exchange) SetWriteDeadline(t time.Time) error {
	x.own = true
	return http.NewResponseController(x.ResponseWriter).SetWriteDeadline(t)
}

// Hijack implements http.Hijacker. The connection counts as a socket until it is closed.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	// A door may keep this context as long as the socket lives. What net/http needed for the request need not live so long.
	x.status, x.ResponseWriter, x.clock, x.body = http.StatusSwitchingProtocols, hijacked{}, nil, nil
	return x.sockets.add(conn), rw, nil
}

// hijacked is the response writer of a connection that was given away.
type hijacked struct{}

func (hijacked) Header() http.Header       { return http.Header{} }
func (hijacked) Write([]byte) (int, error) { return 0, http.ErrHijacked }
func (hijacked) WriteHeader(int)           {}

// Unwrap gives http.ResponseController what else the writer can do.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }
