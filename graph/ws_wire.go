package graph

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// wire writes frames to one socket and never waits for its peer: what the kernel doesn't take at once is queued, and only then a
// goroutine lives that writes it. A peer for which too much waits is told 1013 and left.
//
// It stands between gorilla and the network, so that gorilla's own frames (the handshake's answer, 1002, 1009) keep their place in the
// order. gorilla's writer is not used for messages: it has one lock, one buffer and one deadline timer a message and waits for the peer,
// while here thousands of sockets get the same bytes.
type wire struct {
	net.Conn
	raw     syscall.RawConn // nil: no plain TCP (TLS), where every write goes by the queue
	try     func(fd uintptr) bool
	limit   int           // bytes that may wait
	timeout time.Duration // how long what waits may take

	mu      sync.Mutex
	out     []byte // what try is to write
	n       int    // what it wrote
	queue   []byte
	begun   int           // bytes at the front of queue that belong to a frame whose beginning is written
	taken   int           // bytes that the goroutine is writing
	large   int           // bytes of the largest frame that waits, if it is one that alone would nearly fill the queue
	writing bool          // the goroutine lives
	closing bool          // the close frame is in the queue or written: nothing goes behind it
	drained chan struct{} // closed when room has come; nil: nobody waits
	ended   chan struct{} // closed when nothing more can be written
}

// Opcodes and close codes of RFC 6455, sections 5.2 and 7.4, and of the registry of IANA.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10

	closeProtocol   = 1002
	closeBadText    = 1007
	closeRestart    = 1012
	closeTryLater   = 1013
	closeNormal     = 1000
	lingerAfterward = 2 * time.Second // for the peer's own close frame
)

var errWireClosed = errors.New("the socket is closed")

func newWire(c net.Conn, o Options) *wire {
	w := &wire{Conn: c, limit: o.QueueBytes, timeout: o.WriteTimeout, ended: make(chan struct{})}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			w.raw, w.try = raw, w.writeNow
		}
	}
	return w
}

// Write is what gorilla calls, with whole frames.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.push(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// send queues a frame. It tells whether the socket still takes any.
func (w *wire) send(op byte, payload ...[]byte) bool {
	buf := frames.Get().(*[]byte)
	*buf = appendFrame((*buf)[:0], op, payload...)
	w.mu.Lock()
	err := w.push(*buf)
	w.mu.Unlock()
	reuse(buf)
	return err == nil
}

// frames are buffers in which frames are put together.
var frames = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// reuse gives a buffer back, unless one large frame made it so large that it had better go.
func reuse(buf *[]byte) {
	if cap(*buf) <= 64<<10 {
		frames.Put(buf)
	}
}

// appendFrame appends one unmasked frame (RFC 6455 section 5.2) whose payload is the parts in a row.
func appendFrame(dst []byte, op byte, payload ...[]byte) []byte {
	n := 0
	for _, p := range payload {
		n += len(p)
	}
	dst = append(dst, 0x80|op)
	switch {
	case n < 126:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	for _, p := range payload {
		dst = append(dst, p...)
	}
	return dst
}

// push writes whole frames or queues them. w.mu is held.
func (w *wire) push(b []byte) error {
	if w.closing {
		return errWireClosed
	}
	waits := len(w.queue) + w.taken
	if waits == 0 {
		w.large = 0
	}
	if waits == 0 && w.raw != nil {
		w.out, w.n = b, 0
		err := w.raw.Write(w.try)
		w.out = nil
		if err != nil || w.n < 0 {
			w.end()
			return errWireClosed
		}
		if w.n == len(b) {
			return nil
		}
		if w.n > 0 {
			w.begun = len(b) - w.n
		}
		b = b[w.n:]
	}
	if len(b) > w.limit/2 { // the answer of a query, mostly: who waits for that is not slow yet
		w.large = max(w.large, len(b))
	}
	if waits > 0 && waits+len(b) > w.limit+w.large {
		w.finish(closeTryLater, "you read too slowly")
		return errWireClosed
	}
	w.queue = append(w.queue, b...)
	w.wake()
	return nil
}

func (w *wire) wake() {
	if !w.writing {
		w.writing = true
		go w.drain()
	}
}

// drain writes what is queued and ends with it.
func (w *wire) drain() {
	for {
		w.mu.Lock()
		b := w.queue
		w.queue, w.begun, w.taken = nil, 0, len(b)
		if len(b) == 0 {
			w.writing = false
			closing := w.closing
			w.mu.Unlock()
			if closing {
				w.halfClose()
			}
			return
		}
		w.mu.Unlock()
		err := w.Conn.SetWriteDeadline(time.Now().Add(w.timeout))
		if err == nil {
			_, err = w.Conn.Write(b)
		}
		if err == nil {
			err = w.Conn.SetWriteDeadline(time.Time{}) // once passed it would fail the writes that don't wait
		}
		w.mu.Lock()
		w.taken = 0
		if err != nil {
			w.writing = false
			w.end()
		}
		w.release()
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// release wakes those who wait for room. w.mu is held.
func (w *wire) release() {
	if w.drained != nil {
		close(w.drained)
		w.drained = nil
	}
}

// room waits until at most half of what may wait does, or the time is up: then the peer is too slow.
func (w *wire) room(ctx context.Context) error {
	var late <-chan time.Time
	for {
		w.mu.Lock()
		if w.closing {
			w.mu.Unlock()
			return errWireClosed
		}
		if len(w.queue)+w.taken <= w.limit/2 {
			w.mu.Unlock()
			return nil
		}
		if w.drained == nil {
			w.drained = make(chan struct{})
		}
		drained := w.drained
		w.mu.Unlock()
		if late == nil {
			timer := time.NewTimer(w.timeout)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-drained:
		case <-w.ended:
			return errWireClosed
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			w.close(closeTryLater, "you read too slowly")
			return errWireClosed
		}
	}
}

// close says goodbye and ends the socket a little later, whether or not the peer answers.
func (w *wire) close(code int, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish(code, reason)
}

// finish puts the close frame behind what is being written, in place of what isn't begun. w.mu is held.
func (w *wire) finish(code int, reason string) {
	if w.closing {
		return
	}
	if code == closeTryLater { // it reads too slowly: what waits would only keep it waiting
		w.queue = w.queue[:w.begun]
	}
	body := binary.BigEndian.AppendUint16(nil, uint16(code))
	frame := appendFrame(nil, opClose, body, []byte(reason[:min(len(reason), 123)])) // section 5.5: at most 125 bytes
	w.queue = append(w.queue, frame...)
	w.closing = true
	w.release()
	w.wake()
}

// halfClose ends our side, and gives the peer a moment to end its own.
func (w *wire) halfClose() {
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // it fails where the connection is gone already, and then reading tells
	}
	_ = w.Conn.SetReadDeadline(time.Now().Add(lingerAfterward))
}

// hangUp is for the reader, when there is nothing more to read or it can't be understood: it lets what waits be written, the close frame
// most of all. Closing at once with unread bytes would reset the connection, and the peer might never see why.
func (w *wire) hangUp() {
	w.mu.Lock()
	w.closing = true
	w.release()
	writing := w.writing
	w.mu.Unlock()
	if !writing {
		w.halfClose()
	}
	_, _ = io.Copy(io.Discard, w.Conn) // until it ends, or the deadline that halfClose set, or end
	w.abort()
}

// end gives up. w.mu is held.
func (w *wire) end() {
	w.closing = true
	w.queue, w.begun = nil, 0
	w.release()
	select {
	case <-w.ended:
	default:
		close(w.ended)
		_ = w.Conn.Close() // the reader finds it closed; there is nobody to tell of anything else
	}
}

// abort ends the socket at once.
func (w *wire) abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end()
}

func (w *wire) isClosing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closing
}
