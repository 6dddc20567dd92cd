package sip

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	mostStreams       = 10_000           // connections at once
	mostStreamsSource = 500              // of them from one address
	firstMessage      = 20 * time.Second // within which a new connection, a TLS handshake included, has to send a whole message
	restOfMessage     = 20 * time.Second // within which a message that has begun has to be whole
	idleStream        = 2*time.Hour + time.Minute
	writeStream       = 10 * time.Second
	lastWords         = time.Second // that a stream which is no SIP stays open for answers
)

// streamListener takes connections and hands sipgo streams in which every read is one whole message that has passed the gate.
type streamListener struct {
	net.Listener
	gate   *gate
	closed func(from netip.AddrPort) // a connection ended: who registered over it can't be reached any more

	mu     sync.Mutex
	all    int
	bySrc  map[netip.Addr]int
	opened map[*stream]struct{}
}

func listenStream(l net.Listener, g *gate, closed func(netip.AddrPort)) *streamListener {
	return &streamListener{Listener: l, gate: g, closed: closed, bySrc: map[netip.Addr]int{}, opened: map[*stream]struct{}{}}
}

// Accept implements net.Listener.
func (l *streamListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := c.RemoteAddr().(*net.TCPAddr)
		if !ok { // it listens on TCP
			_ = c.Close() // it is refused
			continue
		}
		s := &stream{Conn: c, of: l, from: netip.AddrPortFrom(tcp.AddrPort().Addr().Unmap(), tcp.AddrPort().Port())}
		if !l.open(s) {
			_ = c.Close() // as above
			continue
		}
		return s, nil
	}
}

// open counts a connection, if there is room for it.
func (l *streamListener) open(s *stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := s.from.Addr()
	if l.all >= mostStreams || l.bySrc[a] >= mostStreamsSource && !l.gate.friend(a) {
		l.gate.told.throttled.Add(1)
		return false
	}
	l.all++
	l.bySrc[a]++
	l.opened[s] = struct{}{}
	return true
}

func (l *streamListener) shut(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.bySrc[s.from.Addr()]--; l.bySrc[s.from.Addr()] == 0 {
		delete(l.bySrc, s.from.Addr())
	}
	delete(l.opened, s)
}

// closeAll ends every connection.
func (l *streamListener) closeAll() {
	l.mu.Lock()
	all := make([]*stream, 0, len(l.opened))
	for s := range l.opened {
		all = append(all, s)
	}
	l.mu.Unlock()
	for _, s := range all {
		_ = s.Close() // it goes, whatever it says
	}
}

func (l *streamListener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// stream is a connection of which each Read is one message. Framing here rather than in sipgo keeps a half message from holding memory
// for ever, and lets what is malformed be answered where sipgo would only hang up.
type stream struct {
	net.Conn
	of   *streamListener
	from netip.AddrPort

	buf   []byte // read, and not yet handed on
	rest  []byte // of a message that did not fit into what the reader gave
	began bool   // a whole message has come
	once  sync.Once
}

// Read implements net.Conn: it gives one message that has passed the gate.
func (s *stream) Read(b []byte) (int, error) {
	for {
		if len(s.rest) > 0 {
			n := copy(b, s.rest)
			s.rest = s.rest[n:]
			return n, nil
		}
		message, err := s.next()
		if err != nil {
			return 0, err
		}
		verdict := s.of.gate.judge(message, s.from, time.Now())
		if verdict.pass && !s.of.gate.parses(message, &verdict, s.from) {
			verdict.pass, verdict.tidied = false, nil
		}
		switch {
		case verdict.tidied != nil:
			s.rest = verdict.tidied
		case verdict.pass:
			s.rest = message
		case verdict.hangUp:
			return 0, io.EOF
		case verdict.answer != nil:
			if _, err := s.Write(verdict.answer); err != nil {
				return 0, err
			}
		}
	}
}

// errFrame ends a stream in which it can't be told any more where messages begin.
var errFrame = errors.New("the stream is not SIP")

// next cuts the next message off the stream (RFC 3261 section 18.3).
func (s *stream) next() ([]byte, error) {
	for {
		s.buf = s.keepAlives(s.buf)
		size, err := frame(s.buf)
		if err != nil {
			return nil, s.refuse()
		}
		if size > 0 && size <= len(s.buf) {
			message := s.buf[:size:size]
			if s.buf = s.buf[size:]; len(s.buf) == 0 {
				s.buf = nil
			}
			s.began = true
			return message, nil
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more. How long it waits depends on whether somebody is expected to say something.
func (s *stream) fill() error {
	wait := idleStream
	switch {
	case !s.began:
		wait = firstMessage
	case len(s.buf) > 0:
		wait = restOfMessage
	}
	if err := s.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if cap(s.buf)-len(s.buf) < 2048 {
		s.buf = append(make([]byte, 0, len(s.buf)+8192), s.buf...)
	}
	n, err := s.Conn.Read(s.buf[len(s.buf):cap(s.buf)])
	s.buf = s.buf[:len(s.buf)+n]
	var timeout net.Error
	if n == 0 && errors.As(err, &timeout) && timeout.Timeout() {
		return io.EOF // sipgo takes it for a hang-up and does not log it
	}
	if n > 0 {
		return nil // an error will be there again
	}
	return err
}

// keepAlives drops the line ends between messages, and answers a double one (RFC 5626 section 3.5.1).
func (s *stream) keepAlives(b []byte) []byte {
	for {
		switch {
		case bytes.HasPrefix(b, []byte("\r\n\r\n")):
			_, _ = s.Write([]byte("\r\n")) // the next read will tell that it is gone
			b = b[4:]
		case bytes.HasPrefix(b, []byte("\r\n")) && (len(b) > 3 || len(b) == 2):
			b = b[2:]
		default:
			return b
		}
	}
}

// refuse answers what can't be framed, if it says whom to answer, and ends the stream.
func (s *stream) refuse() error {
	v := look(s.buf)
	v.blame(400, "it can't be told where the message ends")
	s.of.gate.told.malformed.Add(1)
	if v.method != "" && v.method != "ACK" {
		if out := (answer{status: v.fault.status, reason: reasonOf(v.fault)}).to(&v, s.from); out != nil {
			_, _ = s.Write(out) // it ends anyway
		}
	}
	// What came before may still be in work, and its answer is due.
	if err := s.SetReadDeadline(time.Now().Add(lastWords)); err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(s.Conn, mostMessage)) // it ends, whatever it says
	}
	return io.EOF
}

// frame is how long the first message in b is; 0: more has to be read to tell.
func frame(b []byte) (int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > mostHead {
			return 0, errFrame
		}
		return 0, nil
	}
	if end > mostHead {
		return 0, errFrame
	}
	length, rest := -1, b[:end+4]
	for ok := true; ok && len(rest) > 0; {
		var line []byte
		line, rest, ok = cutHeader(rest)
		name, value, has := bytes.Cut(line, []byte(":"))
		if !has || headerOf(bytes.TrimRight(name, " \t")) != headLength {
			continue
		}
		n, number := digits(bytes.Trim(value, " \t\r\n"), mostBody)
		if !number || length >= 0 {
			return 0, errFrame
		}
		length = int(n)
	}
	if length < 0 { // RFC 3261 section 18.3: over a stream it must be there
		return 0, errFrame
	}
	return end + 4 + length, nil
}

// Write implements net.Conn. Who does not read is hung up on.
func (s *stream) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(writeStream)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

// Close implements net.Conn.
func (s *stream) Close() error {
	err := s.Conn.Close()
	s.once.Do(func() {
		s.of.shut(s)
		s.of.closed(s.from)
	})
	return err
}
