package sip

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A scanner is not answered, and nor is anything else that comes from there, but for who is known there.
func TestScanner(t *testing.T) {
	d := openDesk(t, Options{})
	d.phone("1001", "pa55-word-1001")
	scan := inquiry{method: "OPTIONS", user: "100", callID: "scan", cseq: 1, more: []string{"User-Agent: friendly-scanner"}}
	known := d.dial("UDP")
	if r := known.register(inquiry{user: "1001", callID: "a", cseq: 1}, "pa55-word-1001"); r.StatusCode != 200 {
		t.Fatal(r)
	}
	known.ask(scan)
	if m := known.read(100 * time.Millisecond); m != nil {
		t.Errorf("a scanner is answered: %s", m)
	}
	known.ask(inquiry{method: "OPTIONS", user: "a", callID: "known", cseq: 1})
	known.status("somebody is known there", 200)

	d = openDesk(t, Options{})
	for _, by := range []string{"UDP", "TCP"} {
		w := d.dial(by)
		w.ask(scan)
		if m := w.read(100 * time.Millisecond); m != nil {
			t.Errorf("a scanner is answered over %s: %s", by, m)
		}
	}
	w := d.dial("UDP")
	w.ask(inquiry{method: "OPTIONS", user: "a", callID: "later", cseq: 1})
	if m := w.read(100 * time.Millisecond); m != nil {
		t.Errorf("it is shut out, and answered: %s", m)
	}
	if s := d.Stats(); s.Scanners != 1 || s.Banned != 1 || s.Throttled != 2 {
		t.Errorf("%+v", s)
	}
}

// Of a stranger only so much is taken; whoever is known may send more.
func TestFlood(t *testing.T) {
	s := newSources(Throttle{Messages: Rate{2, time.Minute}})
	now, a, b := time.Now(), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:1")
	count := func(a netip.Addr, friend bool, now time.Time) (n int) {
		for s.accepts(a, friend, now) && n < 10_000 {
			n++
		}
		return n
	}
	if n := count(a, false, now); n != 10 {
		t.Errorf("%d at once", n)
	}
	if n := count(b, false, now); n != 0 {
		t.Errorf("%d from the same network", n)
	}
	if n := count(a, false, now.Add(time.Minute)); n != 2 {
		t.Errorf("%d a minute later", n)
	}
	s.trust(a, now)
	if n := count(a, false, now.Add(2*time.Minute)); n != 2*5*trustMore {
		t.Errorf("%d of who is known", n)
	}
	if n := count(netip.MustParseAddr("192.0.2.1"), true, now); n != 10_000 {
		t.Errorf("%d of a carrier", n)
	}
}

// What is remembered of who sends does not grow without end.
func TestMemoryIsBounded(t *testing.T) {
	s, now := newSources(Throttle{}), time.Now()
	for i := range 3 * mostSources {
		s.accepts(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), false, now)
	}
	if n, _ := s.count(); n > 2*mostSources {
		t.Errorf("%d sources", n)
	}
	i := newInvites()
	for n := range 3 * mostInvites {
		i.take(uint64(n), "branch", now)
	}
	if n := i.count(); n > 2*mostInvites {
		t.Errorf("%d calls", n)
	}
	if i.take(uint64(3*mostInvites-1), "branch", now.Add(31*time.Second)) != isAgain || i.take(uint64(3*mostInvites-1), "other", now.Add(31*time.Second)) != isMerged {
		t.Error("a call is forgotten too early")
	}
	if i.take(uint64(3*mostInvites-1), "branch", now.Add(2*time.Minute)) != isNew {
		t.Error("a call is remembered for ever")
	}
}

// The library keeps every source that a reader read from; a reader that has seen too many gives way to another on the same socket, and what
// it began still ends well.
func TestReadersTakeTurns(t *testing.T) {
	d := newDesk(t, Options{Throttle: Throttle{Off: true}})
	stop, end := context.WithCancel(context.Background())
	pool := d.ua.TransportLayer().Pool("udp")
	from, err := d.openIntake(d.sockets.udp)
	if err != nil {
		t.Fatal(err)
	}
	first := &udpReader{UDPConn: d.sockets.udp, from: from, load: d.load, retire: make(chan struct{}), stop: stop.Done()}
	over := make(chan error, 2)
	go func() { over <- d.ua.TransportLayer().ServeUDP(first) }()
	w := d.dial("UDP")
	w.ask(inquiry{method: "OPTIONS", user: "a", callID: "first", cseq: 1})
	w.status("the first reader", 200)
	with := pool.Size()

	second := &udpReader{UDPConn: d.sockets.udp, from: from, load: d.load, retire: make(chan struct{}), stop: stop.Done()}
	go func() { over <- d.ua.TransportLayer().ServeUDP(second) }()
	close(first.retire)
	for i := range 3 { // the first of them may still go to the first reader
		w.ask(inquiry{method: "OPTIONS", user: "a", callID: fmt.Sprint("second", i), cseq: 1})
		w.status("the second reader", 200)
	}
	if pool.Size() != with {
		t.Errorf("the library knows %d addresses instead of %d", pool.Size(), with)
	}
	end()
	d.closeSockets()
	for range 2 {
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
	if pool.Size() != 0 {
		t.Errorf("the library still knows %d addresses", pool.Size())
	}
}

// Nothing that strangers send may get into the log, and not more often than now and then.
func TestTheLogIsQuiet(t *testing.T) {
	d := openDesk(t, Options{})
	w, broken := d.dial("UDP"), d.dial("UDP")
	for i := range 50 {
		broken.raw([]byte("INVITE sip:+8613800000001@switchboard SIP/2.0\r\nVia: broken\r\n\r\n"))
		// passes the gate, and the library can't read it
		w.send("OPTIONS sip:+8613800000001@[switchboard SIP/2.0", "Via: SIP/2.0/UDP "+w.local().String()+";branch=z9hG4bKq"+fmt.Sprint(i), "From: <sip:a@b>;tag=1",
			"To: <sip:switchboard>", "Call-ID: secret-words", "CSeq: 1 OPTIONS", "Proxy-Authorization: Digest response=\"secret-words\"", "Content-Length: 0")
	}
	w.ask(inquiry{method: "OPTIONS", user: "a", callID: "last", cseq: 1})
	for m := w.answer(); m.CallID() == nil || m.CallID().Value() != "last"; m = w.answer() {
	}
	if d.Stats().Malformed < 50 || strings.Contains(d.log.String(), "13800000001") || strings.Contains(d.log.String(), "secret-words") {
		t.Errorf("%+v\n%s", d.Stats(), d.log)
	}
	if n := strings.Count(d.log.String(), "complains"); n > 3 {
		t.Errorf("the library complained %d times", n)
	}
}

// A connection that says nothing, or half a thing, is not kept for ever, and a message is taken however it is cut.
func TestStream(t *testing.T) {
	d := openDesk(t, Options{})
	w := d.dial("TCP")
	w.raw([]byte("\r\n\r\n")) // is anybody there? RFC 5626 section 3.5.1
	b := make([]byte, 2)
	if _, err := w.Read(b); err != nil || string(b) != "\r\n" {
		t.Errorf("%q, %v", b, err)
	}
	message := []byte("OPTIONS sip:switchboard SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKcut%d\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:switchboard>\r\n" +
		"Call-ID: cut\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 5\r\n\r\nhello")
	for i := range message {
		w.raw(message[i : i+1])
	}
	w.status("byte by byte", 200)
	three := bytes.Repeat(append([]byte("\r\n"), message...), 3)
	for i := range 3 {
		three = bytes.Replace(three, []byte("%d"), []byte{byte('a' + i)}, 1)
	}
	w.raw(three)
	for range 3 {
		w.status("three at once", 200)
	}
	w.ask(inquiry{method: "OPTIONS", user: "a b", callID: "unread", cseq: 1})
	w.status("a bad address", 400)
	w.send("OPTIONS sip:[switchboard SIP/2.0", "Via: SIP/2.0/TCP a;branch=z9hG4bKunread", "From: <sip:a@b>;tag=1", "To: <sip:switchboard>", "Call-ID: unread",
		"CSeq: 1 OPTIONS", "Content-Length: 0")
	w.status("what the library can't read", 400)
	if d.Stats().Unparsed != 1 {
		t.Error("the library reads it")
	}
	w.raw([]byte("OPTIONS sip:switchboard SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKend\r\nCSeq: 1 OPTIONS\r\n\r\n"))
	w.status("no length", 400)
	if m := w.read(patience); m != nil {
		t.Errorf("it goes on: %s", m)
	}
	long := d.dial("TCP")
	for range 40 {
		if _, err := long.Write(bytes.Repeat([]byte("x"), 1024)); err != nil {
			break
		}
	}
	if err := long.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := long.Read(make([]byte, 10)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("a message without end: %v", err)
	}
}

// The deadlines of streams.
func TestStreamDeadlines(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	deadlines := make(chan time.Duration, 10)
	s := &stream{Conn: timed{ours, deadlines}, of: &streamListener{}}
	for _, c := range []struct {
		began bool
		half  string
		want  time.Duration
	}{{false, "", firstMessage}, {false, "OPT", firstMessage}, {true, "OPT", restOfMessage}, {true, "", idleStream}} {
		s.began, s.buf = c.began, []byte(c.half)
		go theirs.Write([]byte("I"))
		if err := s.fill(); err != nil {
			t.Fatal(err)
		}
		if got := <-deadlines; got > c.want || got < c.want-time.Second {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// timed tells which deadlines are set.
type timed struct {
	net.Conn
	set chan time.Duration
}

func (c timed) SetReadDeadline(at time.Time) error {
	c.set <- time.Until(at)
	return nil
}

// One address holds only so many connections.
func TestConnectionsAreCounted(t *testing.T) {
	d := newDesk(t, Options{})
	l := d.sockets.tcp
	from := netip.MustParseAddrPort("192.0.2.1:1")
	var all []*stream
	for range mostStreamsSource {
		a, b := net.Pipe()
		defer b.Close()
		s := &stream{Conn: a, of: l, from: from}
		if !l.open(s) {
			t.Fatal("too early")
		}
		all = append(all, s)
	}
	if l.open(&stream{of: l, from: from}) || !l.open(&stream{of: l, from: netip.MustParseAddrPort("192.0.2.2:1")}) {
		t.Error("the bound is not for each address")
	}
	for _, s := range all {
		s.Close()
		s.Close()
	}
	if l.count() != 1 || len(l.bySrc) != 1 {
		t.Errorf("%d are counted", l.count())
	}
}

// A handler that fails takes nobody else along.
func TestPanic(t *testing.T) {
	d := openDesk(t, Options{})
	if d.guard("test", func() { panic("on purpose") }) || !d.guard("test", func() {}) {
		t.Error("guard tells the wrong thing")
	}
	if s := d.Stats(); s.Panics != 1 {
		t.Errorf("%+v", s)
	}
}
