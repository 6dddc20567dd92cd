package sip

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/house"
)

// desk is a Server over real rules and a real store, with one account.
type desk struct {
	*testing.T
	*Server
	svc    *comms.Service
	rules  *call.Service
	ctx    context.Context // the account's
	log    *syncBuffer
	leave  context.CancelFunc
	served chan error
}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// newDesk is a desk whose Server does not serve yet.
func newDesk(t *testing.T, opt Options) *desk {
	t.Helper()
	d := &desk{T: t, log: &syncBuffer{}, served: make(chan error, 1)}
	var err error
	d.svc, err = comms.New(comms.Options{Store: house.SQLite(t), Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	d.rules = call.New(d.svc, call.Options{Recordings: t.TempDir()})
	in, err := d.svc.Register(t.Context(), comms.Register{Email: "owner@example.com", Password: "a password"})
	if err != nil {
		t.Fatal(err)
	}
	d.ctx = comms.WithActor(t.Context(), &comms.Actor{AccountID: in.Account.ID, Scopes: 1<<16 - 1})
	if opt.Listen == "" {
		opt.Listen = "127.0.0.1:0"
	}
	opt.Data, opt.Node = t.TempDir(), "test"
	opt.Log = slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if d.Server, err = New(d.rules, opt); err != nil {
		t.Fatal(err)
	}
	return d
}

// openDesk is a desk that serves until the test ends.
func openDesk(t *testing.T, opt Options) *desk {
	t.Helper()
	d := newDesk(t, opt)
	d.serve()
	return d
}

func (d *desk) serve() {
	var ctx context.Context
	ctx, d.leave = context.WithCancel(context.WithoutCancel(d.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.served <- d.Serve(ctx)
	}()
	d.Cleanup(func() {
		d.leave()
		select {
		case <-done:
		case <-time.After(patience + hangUpTime):
			d.Error("Serve does not end")
		}
	})
}

// phone makes a telephone of the account.
func (d *desk) phone(number, password string) *comms.SipNumber {
	d.Helper()
	p, err := d.rules.CreateSipNumber(d.ctx, call.CreateSipNumber{Number: number, Password: password})
	if err != nil {
		d.Fatal(err)
	}
	return p.SipNumber
}

// until waits for something to become true.
func (d *desk) until(what string, is func() bool) {
	d.Helper()
	over := time.NewTimer(patience)
	defer over.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-over.C:
			d.Fatalf("never came: %s", what)
		case <-look.C:
		}
	}
}

// wire is a peer that writes and reads bytes, so that it can say what no library would.
type wire struct {
	*testing.T
	net.Conn
	by   string // UDP, TCP or TLS
	rest []byte
}

// dial opens a wire to the desk. An empty address to leave from: any.
func (d *desk) dial(by string) *wire {
	d.Helper()
	var c net.Conn
	var err error
	switch by {
	case "UDP":
		c, err = net.Dial("udp", d.Addr().String())
	case "TCP":
		c, err = net.Dial("tcp", d.Addr().String())
	case "TLS":
		c, err = tls.Dial("tcp", d.TLSAddr().String(), &tls.Config{InsecureSkipVerify: true}) // the desk made its certificate itself
	}
	if err != nil {
		d.Fatal(err)
	}
	w := &wire{T: d.T, Conn: c, by: by}
	d.Cleanup(func() { w.Close() })
	return w
}

func (w *wire) local() netip.AddrPort { return addrPort(w.LocalAddr()) }

// send writes a message as it is, but for its line ends.
func (w *wire) send(lines ...string) {
	w.Helper()
	w.raw([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n"))
}

func (w *wire) raw(b []byte) {
	w.Helper()
	if _, err := w.Write(b); err != nil {
		w.Fatal(err)
	}
}

// read waits for the next message; nil: none came in time, or the other side hung up.
func (w *wire) read(wait time.Duration) sip.Message {
	w.Helper()
	if err := w.SetReadDeadline(time.Now().Add(wait)); err != nil {
		w.Fatal(err)
	}
	for {
		if size, err := frame(w.rest); err == nil && size > 0 && size <= len(w.rest) {
			m, err := sip.ParseMessage(w.rest[:size])
			if err != nil {
				w.Fatalf("the desk says %q: %v", w.rest[:size], err)
			}
			w.rest = w.rest[size:]
			return m
		}
		b := make([]byte, 64<<10)
		n, err := w.Read(b)
		if err != nil {
			return nil
		}
		w.rest = append(w.rest, b[:n]...)
	}
}

// answer is the next final response.
func (w *wire) answer() *sip.Response {
	w.Helper()
	for {
		m := w.read(patience)
		if m == nil {
			w.Fatal("no answer")
		}
		if r, ok := m.(*sip.Response); ok && !r.IsProvisional() {
			return r
		}
	}
}

// status fails unless the next final response has that status, and gives it.
func (w *wire) status(what string, want int) *sip.Response {
	w.Helper()
	r := w.answer()
	if r.StatusCode != want {
		w.Fatalf("%s: %d %s instead of %d", what, r.StatusCode, r.Reason, want)
	}
	return r
}

// inquiry is a request that a test sends.
type inquiry struct {
	method, user, callID string
	cseq                 int
	to                   string // user of To and of the Request-URI; empty: user
	branch               string
	more                 []string
}

var questions struct {
	sync.Mutex
	n int
}

// next is a number that no other branch or tag has.
func next() int {
	questions.Lock()
	defer questions.Unlock()
	questions.n++
	return questions.n
}

// ask sends a request.
func (w *wire) ask(q inquiry) {
	w.Helper()
	to, uri := q.to, "sip:switchboard"
	if to == "" {
		to = q.user
	}
	if q.method != "REGISTER" {
		uri = "sip:" + to + "@switchboard"
	}
	if q.branch == "" {
		q.branch = fmt.Sprint("z9hG4bK", next())
	}
	lines := []string{q.method + " " + uri + " SIP/2.0", "Via: SIP/2.0/" + w.by + " " + w.local().String() + ";branch=" + q.branch + ";rport",
		"From: <sip:" + q.user + "@switchboard>;tag=t" + q.callID, "To: <sip:" + to + "@switchboard>", "Call-ID: " + q.callID,
		fmt.Sprintf("CSeq: %d %s", q.cseq, q.method), "Max-Forwards: 70"}
	lines = append(append(lines, q.more...), "Content-Length: 0")
	w.send(lines...)
}

// prove answers a challenge, with the algorithm that is asked for.
func (w *wire) prove(r *sip.Response, q inquiry, algorithm, password string) string {
	w.Helper()
	ask, with := "WWW-Authenticate", "Authorization"
	if r.StatusCode == 407 {
		ask, with = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, h := range r.GetHeaders(ask) {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil {
			w.Fatal(err)
		}
		if c.Algorithm != algorithm {
			continue
		}
		uri := "sip:switchboard"
		if q.method != "REGISTER" {
			uri = "sip:" + q.to + "@switchboard"
		}
		a, err := digest.Digest(c, digest.Options{Method: q.method, URI: uri, Username: q.user, Password: password})
		if err != nil {
			w.Fatal(err)
		}
		return with + ": " + a.String()
	}
	w.Fatalf("no challenge of %s in %s", algorithm, r)
	return ""
}

// register proves who it is and registers, and gives the answer.
func (w *wire) register(q inquiry, password string) *sip.Response {
	w.Helper()
	q.method = "REGISTER"
	w.ask(q)
	r := w.answer()
	if r.StatusCode != 401 {
		return r
	}
	q.cseq++
	q.more = append(append([]string{}, q.more...), w.prove(r, q, "SHA-256", password))
	w.ask(q)
	return w.answer()
}

// syncBuffer is a log that can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
