package sip

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

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

// all is what was read so far.
func (c *tapped) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen.String()
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
	q := inquiry{user: p.number, callID: fmt.Sprint("reg", next()), cseq: 1, more: []string{"Contact: <sip:" + p.number + "@" + p.local().String() + ";transport=" + strings.ToLower(p.by) + ">", "Expires: 600"}}
	if r := p.register(q, "a-password-"+p.number); r.StatusCode != 200 {
		p.Fatalf("%s can't register: %d", p.number, r.StatusCode)
	}
}

// another is a further telephone of the number, which has not registered.
func (d *callDesk) another(number string) *peer { return d.over("UDP", number) }

// over is such a telephone that speaks by that transport.
func (d *callDesk) over(transport, number string) *peer {
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
	w := d.dial(transport)
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
	lines := []string{method + " " + t.target + " SIP/2.0", "Via: SIP/2.0/" + t.p.by + " " + t.p.local().String() + ";branch=" + branch + ";rport",
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
