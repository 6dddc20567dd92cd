package main

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// phone is one telephone on a UDP socket of its own.
type phone struct {
	number, password string
	server           netip.AddrPort
	conn             *net.UDPConn
	sound            *sound // nil: it has none to send
	mu               sync.Mutex
	seq              int
	waiting          map[string]chan message // by Call-ID: answers to what it sent
	live             map[string]*time.Timer  // by Call-ID: calls that it was called with, and what repeats the 2xx until the ACK is there
	acks             map[string]string       // by Call-ID: the ACKs of calls that it made, sent again when the 2xx is
}

// message is what a telephone needs of a SIP message.
type message struct {
	status  int // 0: a request
	method  string
	headers map[string]string // the first of each, lower case
	vias    []string
	body    []byte
}

func newPhone(number, password string, server netip.AddrPort) (*phone, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(1 << 20) // as much as the system gives
	p := &phone{number: number, password: password, server: server, conn: conn, waiting: map[string]chan message{},
		live: map[string]*time.Timer{}, acks: map[string]string{}}
	go p.listen()
	return p, nil
}

func (p *phone) close() { p.conn.Close() }

func (p *phone) port() int { return p.conn.LocalAddr().(*net.UDPAddr).Port }

func (p *phone) listen() {
	buffer := make([]byte, 16<<10)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier packet
		}
		if m, ok := parse(bytes.Clone(buffer[:n])); ok {
			p.take(m, from)
		}
	}
}

func parse(b []byte) (m message, ok bool) {
	head, body, found := bytes.Cut(b, []byte("\r\n\r\n"))
	if !found {
		return m, false
	}
	lines := strings.Split(string(head), "\r\n")
	m.headers, m.body = map[string]string{}, body
	if rest, answer := strings.CutPrefix(lines[0], "SIP/2.0 "); answer {
		m.status, _ = strconv.Atoi(rest[:min(3, len(rest))])
	} else {
		m.method, _, _ = strings.Cut(lines[0], " ")
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "via" {
			m.vias = append(m.vias, value)
		}
		if _, twice := m.headers[name]; !twice {
			m.headers[name] = value
		}
	}
	return m, true
}

// take answers a request, or hands an answer to who waits for it.
func (p *phone) take(m message, from netip.AddrPort) {
	id := m.headers["call-id"]
	if m.status != 0 {
		p.mu.Lock()
		to, ack := p.waiting[id], p.acks[id]
		p.mu.Unlock()
		if ack != "" && m.status == 200 && strings.HasSuffix(m.headers["cseq"], "INVITE") {
			p.send(ack, p.server)
			return
		}
		select {
		case to <- m:
		default: // nobody waits, or a retransmission
		}
		return
	}
	switch m.method {
	case "INVITE":
		p.mu.Lock()
		_, again := p.live[id]
		p.mu.Unlock()
		if !again {
			p.answer(m, from, 180, "Ringing", "")
		}
		if p.sound != nil {
			p.sound.aim(m.body)
		}
		p.answer(m, from, 200, "OK", p.description())
		if !again {
			p.repeat(m, from, id)
		}
	case "BYE", "ACK":
		if m.method == "BYE" {
			p.answer(m, from, 200, "OK", "")
		}
		p.mu.Lock()
		if timer := p.live[id]; timer != nil {
			timer.Stop()
		}
		if m.method == "BYE" {
			delete(p.live, id)
		}
		p.mu.Unlock()
	default:
		p.answer(m, from, 200, "OK", "")
	}
}

// repeat sends the 2xx again until the ACK is there (RFC 3261 section 13.3.1.4): what is lost at a server with much to do is not its end.
func (p *phone) repeat(m message, from netip.AddrPort, id string) {
	wait, until := 500*time.Millisecond, time.Now().Add(32*time.Second)
	p.mu.Lock()
	defer p.mu.Unlock()
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.live[id] == timer && time.Now().Before(until) {
			p.answer(m, from, 200, "OK", p.description())
			wait = min(2*wait, 4*time.Second)
			timer.Reset(wait)
		}
	})
	p.live[id] = timer
}

func (p *phone) answer(m message, to netip.AddrPort, status int, reason, body string) {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", status, reason)
	for _, via := range m.vias {
		b.WriteString("Via: " + via + "\r\n")
	}
	toHeader := m.headers["to"]
	if !strings.Contains(toHeader, ";tag=") {
		toHeader += ";tag=" + p.number
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:%s@127.0.0.1:%d>\r\n", m.headers["from"], toHeader,
		m.headers["call-id"], m.headers["cseq"], p.number, p.port())
	if rr := m.headers["record-route"]; rr != "" {
		b.WriteString("Record-Route: " + rr + "\r\n")
	}
	p.finish(&b, body)
	p.send(b.String(), to)
}

func (p *phone) finish(b *strings.Builder, body string) {
	if body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(b, "Content-Length: %d\r\n\r\n%s", len(body), body)
}

func (p *phone) send(text string, to netip.AddrPort) {
	_, _ = p.conn.WriteToUDPAddrPort([]byte(text), to) // lost like any packet
}

// description is the SDP: G.711 alone.
func (p *phone) description() string {
	port := 9
	if p.sound != nil {
		port = p.sound.port()
	}
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n", port)
}

// dialog is a call that this telephone made.
type dialog struct {
	id, tag, to, target, route string
	branch                     string
	cseq                       int
}

// request sends and waits for a final answer, retransmitting as RFC 3261 section 17.1 says.
func (p *phone) request(text string, d *dialog, within time.Duration) (message, error) {
	id, cseq := d.id, strconv.Itoa(d.cseq)+" "
	ch := make(chan message, 8)
	p.mu.Lock()
	p.waiting[id] = ch
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.waiting, id)
		p.mu.Unlock()
	}()
	p.send(text, p.server)
	again, wait := 500*time.Millisecond, time.NewTimer(500*time.Millisecond)
	defer wait.Stop()
	end := time.NewTimer(within)
	defer end.Stop()
	heard := false
	for {
		select {
		case m := <-ch:
			if !strings.HasPrefix(m.headers["cseq"], cseq) {
				continue // of the request before
			}
			if m.status >= 200 {
				return m, nil
			}
			heard = true
		case <-wait.C:
			if !heard {
				p.send(text, p.server)
			}
			again = min(2*again, 4*time.Second)
			wait.Reset(again)
		case <-end.C:
			return message{}, errSilence
		}
	}
}

var errSilence = errors.New("no final answer")

// proof is the answer to a digest challenge (RFC 2617: MD5, with or without qop).
func (p *phone) proof(challenge, method, uri string) string {
	field := func(name string) string {
		_, rest, found := strings.Cut(challenge, name+`="`)
		value, _, _ := strings.Cut(rest, `"`)
		if !found {
			return ""
		}
		return value
	}
	hash := func(parts ...string) string { return fmt.Sprintf("%x", md5.Sum([]byte(strings.Join(parts, ":")))) }
	ha1, ha2 := hash(p.number, field("realm"), p.password), hash(method, uri)
	out := fmt.Sprintf(`Digest username="%s",realm="%s",nonce="%s",uri="%s",algorithm=MD5`, p.number, field("realm"), field("nonce"), uri)
	if strings.Contains(challenge, "qop=") {
		return out + fmt.Sprintf(`,qop=auth,nc=00000001,cnonce="c",response="%s"`, hash(ha1, field("nonce"), "00000001", "c", "auth", ha2))
	}
	return out + fmt.Sprintf(`,response="%s"`, hash(ha1, field("nonce"), ha2))
}

func (p *phone) text(method, uri string, d *dialog, extra, body string) string {
	if method != "ACK" || d.target != "" { // an ACK for a refusal belongs to the transaction of its INVITE
		p.mu.Lock()
		p.seq++
		d.branch = fmt.Sprintf("z9hG4bK%s%d", p.number, p.seq)
		p.mu.Unlock()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: <sip:%s@127.0.0.1>;tag=%s\r\nTo: %s\r\n"+
		"Call-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:%s@127.0.0.1:%d>\r\n%s", method, uri, p.port(), d.branch, p.number, d.tag, d.to, d.id, d.cseq, method,
		p.number, p.port(), extra)
	p.finish(&b, body)
	return b.String()
}

// proved sends a request, and again with a proof where that is asked for.
func (p *phone) proved(method, uri string, d *dialog, extra, body string, within time.Duration) (message, error) {
	d.cseq++
	m, err := p.request(p.text(method, uri, d, extra, body), d, within)
	if err != nil || m.status != 401 && m.status != 407 {
		return m, err
	}
	header, challenge := "Authorization: ", m.headers["www-authenticate"]
	if m.status == 407 {
		header, challenge = "Proxy-Authorization: ", m.headers["proxy-authenticate"]
		to := d.to
		d.to = m.headers["to"]
		p.send(p.text("ACK", uri, d, "", ""), p.server)
		d.to = to
	}
	d.cseq++
	return p.request(p.text(method, uri, d, extra+header+p.proof(challenge, method, uri)+"\r\n", body), d, within)
}

func (p *phone) register() error {
	d := &dialog{id: "r" + p.number, tag: "r", to: fmt.Sprintf("<sip:%s@127.0.0.1>", p.number)}
	m, err := p.proved("REGISTER", "sip:"+p.server.String(), d, "Expires: 3600\r\n", "", 20*time.Second)
	if err == nil && m.status != 200 {
		err = fmt.Errorf("REGISTER: %d", m.status)
	}
	return err
}

// call dials a number; a refusal is an error that tells its status.
func (p *phone) call(whom string) (*dialog, error) {
	p.mu.Lock()
	p.seq++
	id := fmt.Sprintf("%s-%d-%d", p.number, p.seq, time.Now().UnixNano())
	p.mu.Unlock()
	uri := fmt.Sprintf("sip:%s@%s", whom, p.server)
	d := &dialog{id: id, tag: "c" + id, to: "<" + uri + ">"}
	m, err := p.proved("INVITE", uri, d, "", p.description(), 30*time.Second)
	if err != nil {
		return nil, err
	}
	d.to = m.headers["to"]
	if m.status != 200 {
		p.send(p.text("ACK", uri, d, "", ""), p.server)
		return nil, refused(m.status)
	}
	d.target = uri
	if _, rest, found := strings.Cut(m.headers["contact"], "<"); found {
		d.target, _, _ = strings.Cut(rest, ">")
	}
	if rr := m.headers["record-route"]; rr != "" {
		d.route = "Route: " + rr + "\r\n"
	}
	if p.sound != nil {
		p.sound.aim(m.body)
	}
	ack := p.text("ACK", d.target, d, d.route, "")
	p.mu.Lock()
	p.acks[id] = ack
	p.mu.Unlock()
	p.send(ack, p.server)
	return d, nil
}

// refused is the status of a refusal.
type refused int

func (r refused) Error() string { return "refused: " + strconv.Itoa(int(r)) }

func (p *phone) hangUp(d *dialog) error {
	d.cseq++
	defer func() {
		p.mu.Lock()
		delete(p.acks, d.id)
		p.mu.Unlock()
	}()
	m, err := p.request(p.text("BYE", d.target, d, d.route, ""), d, 20*time.Second)
	if err == nil && m.status != 200 {
		err = refused(m.status)
	}
	return err
}
