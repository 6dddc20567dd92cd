package sip

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"switchboard/comms/call"
)

// The timers of RFC 3261 at a tenth: 64*T1 is 3.2 s, so that a test can wait for what must give up.
func init() { sip.SetTimers(50*time.Millisecond, 400*time.Millisecond, 500*time.Millisecond) }

// scripted are the real rules, but for the routing: a test says the verdict, and reads what is reported.
type scripted struct {
	*call.Service
	route  func(in call.RouteCall) (*call.Verdict, error)
	digits func(digits string) (*call.Verdict, error)
	refuse int // so many reports of an end fail before one is taken

	mu   sync.Mutex // guards all but Service
	told []string
	tape []call.Recorded
}

func (s *scripted) RouteCall(_ context.Context, in call.RouteCall) (*call.Verdict, error) {
	s.mu.Lock()
	route := s.route
	s.mu.Unlock()
	return route(in)
}

func (s *scripted) RouteDigits(_ context.Context, _ uuid.UUID, digits string) (*call.Verdict, error) {
	s.mu.Lock()
	understand := s.digits
	s.mu.Unlock()
	return understand(digits)
}

// routes says from now on where calls go.
func (s *scripted) routes(route func(in call.RouteCall) (*call.Verdict, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.route = route
}

func (s *scripted) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, line)
}

func (s *scripted) CallRinging(context.Context, uuid.UUID) error  { s.note("ringing"); return nil }
func (s *scripted) CallAnswered(context.Context, uuid.UUID) error { s.note("answered"); return nil }
func (s *scripted) CallEnded(_ context.Context, _ uuid.UUID, e call.End) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		return fmt.Errorf("the store is away")
	}
	s.told = append(s.told, fmt.Sprintf("ended %s by %s %d/%d", e.Why, e.By, e.Status, e.Cause))
	return nil
}

func (s *scripted) RecordingEnded(_ context.Context, _ uuid.UUID, r call.Recorded) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tape = append(s.tape, r)
	s.told = append(s.told, "recorded")
	return nil
}

func (s *scripted) reported() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.told, "; ")
}

// stage is a desk with telephones whose calls go where the test says.
type callDesk struct {
	*desk
	script *scripted
	phones map[string]uuid.UUID // script.mu guards it
	faulty bool                 // the test makes something panic
}

func openCalls(t *testing.T, opt Options) *callDesk {
	t.Helper()
	opt.Throttle.Off, opt.DrainTimeout = true, 100*time.Millisecond
	opt.Recordings = t.TempDir()
	d := &callDesk{desk: newDesk(t, opt), phones: map[string]uuid.UUID{}}
	d.script = &scripted{Service: d.rules}
	d.Server.rules = d.script
	d.serve()
	t.Cleanup(func() {
		if log := d.log.String(); strings.Contains(log, "panic=") != d.faulty {
			t.Errorf("something failed, or didn't though it should:\n%s", log)
		}
	})
	return d
}

// to is a verdict: ring these telephones together.
func (d *callDesk) to(shownAs string, numbers ...string) *call.Verdict {
	v := &call.Verdict{Call: uuid.New(), Second: d.leg(shownAs, numbers...)}
	return v
}

func (d *callDesk) leg(shownAs string, numbers ...string) *call.Leg {
	l := &call.Leg{ShownAs: shownAs, RingFor: 20 * time.Second}
	d.script.mu.Lock()
	defer d.script.mu.Unlock()
	for _, n := range numbers {
		l.Targets = append(l.Targets, call.Target{Phone: d.phones[n]})
	}
	return l
}

// always routes every call to a verdict of the same kind.
func (d *callDesk) always(verdict func() *call.Verdict) {
	d.script.routes(func(call.RouteCall) (*call.Verdict, error) { return verdict(), nil })
}

// scriptByCaller routes every call to the telephone whose number was dialled.
func (d *callDesk) scriptByCaller() {
	d.script.routes(func(in call.RouteCall) (*call.Verdict, error) { return d.to("+8617100000001", in.Dialled), nil })
}

// reports waits until exactly that was reported.
func (d *callDesk) reports(want string) {
	d.Helper()
	over := time.NewTimer(patience)
	defer over.Stop()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for d.script.reported() != want {
		select {
		case <-over.C:
			d.Fatalf("reported: %s\nwant:     %s", d.script.reported(), want)
		case <-look.C:
		}
	}
}

// quiet waits until nothing of any call is left.
func (d *callDesk) quiet() {
	d.Helper()
	d.until("an end of all calls", func() bool {
		d.tables.Lock()
		defer d.tables.Unlock()
		return len(d.all) == 0 && len(d.live) == 0 && len(d.dialogs) == 0 && d.Server.calls.open == 0 && d.engine.Stats().Legs == 0
	})
}

// tapped keeps every byte that a peer is sent.
type tapped struct {
	net.Conn
	mu   sync.Mutex
	seen bytes.Buffer
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	c.seen.Write(b[:n])
	c.mu.Unlock()
	return n, err
}

// peer is a telephone that a test plays word by word.
type peer struct {
	*wire
	d      *callDesk
	number string
	tap    *tapped
	rtp    *net.UDPConn
	done   map[string]bool // messages that came before: retransmissions are passed over
}

// peer makes a telephone and registers it.
func (d *callDesk) peer(number string) *peer {
	d.Helper()
	p := d.another(number)
	p.enrol()
	return p
}

func (p *peer) enrol() {
	p.Helper()
	q := inquiry{user: p.number, callID: fmt.Sprint("reg", next()), cseq: 1, more: []string{"Contact: <sip:" + p.number + "@" + p.local().String() + ">", "Expires: 600"}}
	if r := p.register(q, "a-password-"+p.number); r.StatusCode != 200 {
		p.Fatalf("%s can't register: %d", p.number, r.StatusCode)
	}
}

// another is a further telephone of the number, which has not registered.
func (d *callDesk) another(number string) *peer {
	d.Helper()
	d.script.mu.Lock()
	_, known := d.phones[number]
	d.script.mu.Unlock()
	if !known {
		id := d.phone(number, "a-password-"+number).ID
		d.script.mu.Lock()
		d.phones[number] = id
		d.script.mu.Unlock()
	}
	w := d.dial("UDP")
	p := &peer{wire: w, d: d, number: number, tap: &tapped{Conn: w.Conn}, done: map[string]bool{}}
	w.Conn = p.tap
	var err error
	if p.rtp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0"))); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { p.rtp.Close() })
	return p
}

// sdp is a session description of the telephone's, with that direction.
func (p *peer) sdp(direction string) string {
	port := p.rtp.LocalAddr().(*net.UDPAddr).Port
	return fmt.Sprintf("v=0\r\no=%s 1 %d IN IP4 127.0.0.1\r\ns=%s\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 8 101\r\n"+
		"a=rtpmap:101 telephone-event/8000\r\na=%s\r\n", "owner-"+p.number, next(), "session-"+p.number, port, direction)
}

// hear waits for the next message that was not seen before; nil: none came.
func (p *peer) hear(wait time.Duration) sip.Message {
	p.Helper()
	until := time.Now().Add(wait)
	for {
		m := p.read(time.Until(until))
		if m == nil {
			return nil
		}
		branch, _ := m.Via().Params.Get("branch")
		key := fmt.Sprint(branch, m.CSeq().Value())
		if r, ok := m.(*sip.Response); ok {
			key += fmt.Sprint(r.StatusCode, " ", r.To().Params)
		} else {
			key += string(m.(*sip.Request).Method)
		}
		if !p.done[key] {
			p.done[key] = true
			return m
		}
	}
}

// asked waits for a request of that method. What else comes meanwhile is a fault of the desk, but for what is named.
func (p *peer) asked(method string) *sip.Request {
	p.Helper()
	m := p.hear(patience)
	r, ok := m.(*sip.Request)
	if !ok || string(r.Method) != method {
		p.Fatalf("%s was sent %v in place of %s", p.number, m, method)
	}
	return r
}

// told waits for a response with that status.
func (p *peer) told(status int) *sip.Response {
	p.Helper()
	for {
		m := p.hear(patience)
		r, ok := m.(*sip.Response)
		if ok && r.StatusCode == 100 && status != 100 {
			continue
		}
		if !ok || r.StatusCode != status {
			p.Fatalf("%s was sent %v in place of %d", p.number, m, status)
		}
		return r
	}
}

// hush fails if anything new comes within a moment.
func (p *peer) hush(wait time.Duration) {
	p.Helper()
	if m := p.hear(wait); m != nil {
		p.Fatalf("%s was sent %v in place of nothing", p.number, m)
	}
}

// talk is a dialog as the peer sees it.
type talk struct {
	p            *peer
	callID       string
	mine, theirs string // From and To of the peer's own requests, with tags
	target       string
	seq          int
	invite       *sip.Request // that it was sent, or nil
	branch       string       // of its own INVITE
}

// call sends an INVITE, proves who it is, and gives the dialog to be. An empty body: a late offer.
func (p *peer) call(to, body string, more ...string) *talk {
	p.Helper()
	t := &talk{p: p, callID: fmt.Sprint("call", next(), p.number), target: "sip:" + to + "@switchboard",
		mine:   fmt.Sprintf("\"Display %s\" <sip:%s@switchboard>;tag=tag%d-%s", p.number, p.number, next(), p.number),
		theirs: "<sip:" + to + "@switchboard>"}
	t.send("INVITE", body, more...)
	r := p.told(407)
	t.acknowledge(r)
	proof := p.prove(r, inquiry{method: "INVITE", user: p.number, to: to}, "SHA-256", "a-password-"+p.number)
	t.send("INVITE", body, append(more, proof)...)
	return t
}

// send sends a request of the dialog.
func (t *talk) send(method, body string, more ...string) {
	t.p.Helper()
	branch := fmt.Sprint("z9hG4bK", next())
	if method == "ACK" || method == "CANCEL" {
		if method == "CANCEL" {
			branch = t.branch
		}
	} else {
		t.seq++
	}
	if method == "INVITE" {
		t.branch = branch
	}
	t.write(method, branch, t.seq, body, more...)
}

func (t *talk) write(method, branch string, seq int, body string, more ...string) {
	t.p.Helper()
	lines := []string{method + " " + t.target + " SIP/2.0", "Via: SIP/2.0/UDP " + t.p.local().String() + ";branch=" + branch + ";rport",
		"From: " + t.mine, "To: " + t.theirs, "Call-ID: " + t.callID, fmt.Sprintf("CSeq: %d %s", seq, method), "Max-Forwards: 70",
		"Contact: <sip:" + t.p.number + "@" + t.p.local().String() + ">", "User-Agent: Agent-" + t.p.number, "Allow: INVITE, ACK, BYE, CANCEL, INFO, REFER, NOTIFY"}
	lines = append(lines, more...)
	if body != "" && !strings.Contains(strings.Join(more, "\n"), "Content-Type") {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	t.p.raw([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + body))
}

// acknowledge sends the ACK of a final response: its own transaction for a 2xx, that of the INVITE otherwise.
func (t *talk) acknowledge(r *sip.Response, body ...string) {
	t.p.Helper()
	branch, theirs := t.branch, t.theirs
	t.theirs = r.To().Value()
	if r.StatusCode < 300 {
		branch = fmt.Sprint("z9hG4bK", next())
		t.target = r.Contact().Address.String()
	}
	t.write("ACK", branch, int(r.CSeq().SeqNo), strings.Join(body, ""))
	if r.StatusCode >= 300 && r.CSeq().MethodName == "INVITE" && !strings.Contains(theirs, "tag=") {
		t.theirs = theirs
	}
}

// rung waits for an INVITE and gives the dialog that it makes.
func (p *peer) rung() *talk {
	p.Helper()
	r := p.asked("INVITE")
	return &talk{p: p, callID: r.CallID().Value(), mine: r.To().Value() + fmt.Sprintf(";tag=tag%d-%s", next(), p.number), theirs: r.From().Value(),
		target: r.Contact().Address.String(), seq: 100, invite: r}
}

// answer answers the INVITE of the dialog.
func (t *talk) answer(status int, phrase, body string, more ...string) {
	t.p.Helper()
	t.reply(t.invite, status, phrase, body, more...)
}

// reply answers a request of the desk.
func (t *talk) reply(r *sip.Request, status int, phrase, body string, more ...string) {
	t.p.Helper()
	to := r.To().Value()
	if !strings.Contains(to, "tag=") {
		to = t.mine
	}
	lines := []string{fmt.Sprintf("SIP/2.0 %d %s", status, phrase), "Via: " + r.Via().Value(), "From: " + r.From().Value(), "To: " + to,
		"Call-ID: " + r.CallID().Value(), "CSeq: " + r.CSeq().Value(), "Contact: <sip:" + t.p.number + "@" + t.p.local().String() + ">",
		"Server: Agent-" + t.p.number}
	lines = append(lines, more...)
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	t.p.raw([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + body))
}

// hangUp sends BYE and waits for its answer.
func (t *talk) hangUp() {
	t.p.Helper()
	t.send("BYE", "")
	t.p.told(200)
}

// hungUp waits for BYE and answers it.
func (t *talk) hungUp() *sip.Request {
	t.p.Helper()
	r := t.p.asked("BYE")
	t.reply(r, 200, "OK", "")
	return r
}

// connect lets a call b, which answers, and gives both ends.
func (d *callDesk) connect(a, b *peer) (from, to *talk) {
	d.Helper()
	d.always(func() *call.Verdict { return d.to("+8617100000001", b.number) })
	from = a.call("17100000001", a.sdp("sendrecv"))
	to = b.rung()
	to.answer(180, "Ringing", "")
	a.told(180)
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	return from, to
}
