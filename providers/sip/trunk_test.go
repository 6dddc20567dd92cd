package sip

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
	"github.com/icholy/digest"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/ent"
)

// carrier is the far end of a trunk: a socket that answers what it is told to.
type carrier struct {
	*testing.T
	*net.UDPConn
	asked chan *sip.Request
}

func openCarrier(t *testing.T) *carrier {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &carrier{T: t, UDPConn: c, asked: make(chan *sip.Request, 100)}
}

func (c *carrier) at() string { return c.LocalAddr().String() }

// next is the next request of that method. Others are answered with 200.
func (c *carrier) next(method sip.RequestMethod) *sip.Request {
	c.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.Fatal(err)
	}
	b := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			c.Fatalf("waiting for %s: %v", method, err)
		}
		m, err := sip.ParseMessage(append([]byte{}, b[:n]...))
		if err != nil {
			c.Fatal(err)
		}
		req, ok := m.(*sip.Request)
		if !ok {
			continue
		}
		req.SetSource(from.String())
		if req.Method == method {
			return req
		}
		c.say(req, 200, "OK")
	}
}

func (c *carrier) say(req *sip.Request, status int, reason string, more ...string) {
	c.Helper()
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	for _, h := range more {
		name, value, _ := strings.Cut(h, ": ")
		res.AppendHeader(sip.NewHeader(name, value))
	}
	if _, err := c.WriteToUDPAddrPort([]byte(res.String()), netip.MustParseAddrPort(req.Source())); err != nil {
		c.Fatal(err)
	}
}

// trunk makes a trunk to the carrier.
func (d *desk) line(name string, w comms.TrunkWish) {
	d.Helper()
	token, err := d.svc.OperatorToken(d.ctx)
	if err != nil {
		d.Fatal(err)
	}
	if token != "" {
		if _, err := d.svc.ClaimOperator(d.ctx, token); err != nil {
			d.Fatal(err)
		}
	}
	if _, err := d.rules.CreateTrunk(d.ctx, call.CreateTrunk{Name: name, TrunkWish: w}); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) trunkNamed(name string) (TrunkStats, bool) {
	for _, t := range d.Stats().Trunks {
		if t.Name == name {
			return t, true
		}
	}
	return TrunkStats{}, false
}

// A trunk that wants it is registered: with a password, for as long as the carrier wants, again before that is over, and no longer than
// the server runs.
func TestTrunkRegisters(t *testing.T) {
	d := newDesk(t, Options{})
	c := openCarrier(t)
	address, user, password, yes := c.at(), "acme", "trunk-pa55-word", true
	d.line("carrier", comms.TrunkWish{Address: &address, Username: &user, Password: &password, Register: &yes, Prefixes: []string{"86"}})
	d.serve()

	first := c.next(sip.REGISTER)
	if first.Recipient.User != "" || first.To().Address.User != "acme" || first.From().Address.User != "acme" ||
		first.Contact().Address.String() != "sip:acme@"+d.Addr().String() || first.Via().SentBy() != d.Addr().String() {
		t.Errorf("%s", first)
	}
	c.say(first, 401, "Unauthorized", `WWW-Authenticate: Digest realm="carrier", nonce="abc", algorithm=MD5, qop="auth"`)
	second := c.next(sip.REGISTER)
	if !c.proved(second, user, password) || second.CallID().Value() != first.CallID().Value() || second.CSeq().SeqNo != first.CSeq().SeqNo+1 {
		t.Errorf("%s", second)
	}
	c.say(second, 423, "Interval Too Brief", "Min-Expires: 900")
	third := c.next(sip.REGISTER)
	if third.GetHeader("Expires").Value() != "900" {
		t.Errorf("%s", third)
	}
	c.say(third, 200, "OK", "Contact: "+third.Contact().Value()+";expires=900")
	d.until("registered", func() bool {
		s, ok := d.trunkNamed("carrier")
		return ok && s.Registered == "registered" && s.Reachable && time.Until(s.Until) > 14*time.Minute
	})
	go d.leave()
	last := c.next(sip.REGISTER)
	if last.GetHeader("Expires").Value() != "0" {
		t.Errorf("%s", last)
	}
	c.say(last, 200, "OK")
	if strings.Contains(d.log.String(), password) {
		t.Error("the log holds the password")
	}
}

// proved checks the answer to a challenge.
func (c *carrier) proved(req *sip.Request, user, password string) bool {
	c.Helper()
	h := req.GetHeader("Authorization")
	if h == nil {
		return false
	}
	got, err := digest.ParseCredentials(h.Value())
	if err != nil {
		c.Fatal(err)
	}
	return got.Username == user && proves(got, string(req.Method), password)
}

// A carrier that refuses is asked again later, and says why.
func TestTrunkIsRefused(t *testing.T) {
	d := newDesk(t, Options{})
	c := openCarrier(t)
	address, user, password, yes := c.at(), "acme", "wrong", true
	d.line("carrier", comms.TrunkWish{Address: &address, Username: &user, Password: &password, Register: &yes, Prefixes: []string{"86"}})
	d.serve()
	for range 2 {
		c.say(c.next(sip.REGISTER), 401, "Unauthorized", `WWW-Authenticate: Digest realm="carrier", nonce="abc", algorithm=MD5, qop="auth"`)
	}
	d.until("refused", func() bool {
		s, ok := d.trunkNamed("carrier")
		return ok && s.Registered == "failed" && strings.Contains(s.Problem, "refuses our password")
	})
}

// How long until the next try.
func TestTrunkBacksOff(t *testing.T) {
	r := &registration{wait: firstRetry}
	var all time.Duration
	for range 20 {
		next := jitter(r.wait)
		if next > r.wait || next < r.wait*4/5 {
			t.Errorf("%s for %s", next, r.wait)
		}
		r.wait = min(r.wait*2, lastRetry)
		all += next
	}
	if r.wait != lastRetry || all < time.Hour {
		t.Errorf("it ends at %s", r.wait)
	}
	for asked, c := range map[string]struct {
		headers []string
		want    time.Duration
	}{
		"nothing said": {nil, 600 * time.Second}, "expires": {[]string{"Expires: 300"}, 300 * time.Second}, "too short": {[]string{"Expires: 1"}, 10 * time.Second},
	} {
		res := sip.NewResponse(200, "OK")
		for _, h := range c.headers {
			name, value, _ := strings.Cut(h, ": ")
			res.AppendHeader(sip.NewHeader(name, value))
		}
		if got := granted(res, 600); got != c.want {
			t.Errorf("%s: %s", asked, got)
		}
	}
}

// A carrier is asked whether it lives; that it does not answer is shown.
func TestTrunkIsAsked(t *testing.T) {
	d := newDesk(t, Options{})
	c := openCarrier(t)
	address := c.at()
	d.line("carrier", comms.TrunkWish{Address: &address, Prefixes: []string{"86"}})
	d.serve()
	req := c.next(sip.OPTIONS)
	if s, _ := d.trunkNamed("carrier"); s.Reachable {
		t.Error("nobody has answered")
	}
	c.say(req, 405, "Method Not Allowed") // any answer will do
	d.until("reachable", func() bool { s, _ := d.trunkNamed("carrier"); return s.Reachable && s.Registered == "" })

	no := true
	lines, err := d.rules.Trunks(d.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.rules.UpdateTrunk(d.ctx, call.UpdateTrunk{ID: lines[0].ID, TrunkWish: comms.TrunkWish{Disabled: &no}}); err != nil {
		t.Fatal(err)
	}
	d.until("gone", func() bool { _, ok := d.trunkNamed("carrier"); return !ok })
}

func trunkLineOf(t *testing.T, name, address string, sources ...string) *trunkLine {
	t.Helper()
	l, err := newTrunk(&call.TrunkLine{Trunk: &ent.Trunk{ID: uuid.New(), Name: name, Address: address, Transport: "udp", Sources: sources, Concurrency: 2, PerMinute: 3}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Whose call it is that comes from an address: the most exact network, the port of the line before all.
func TestTrunkSources(t *testing.T) {
	ts := &trunks{byID: map[uuid.UUID]*trunkLine{}}
	for _, l := range []*trunkLine{trunkLineOf(t, "wide", "198.51.100.1", "192.0.2.0/24"), trunkLineOf(t, "narrow", "198.51.100.2", "192.0.2.128/25", "192.0.2.7"),
		trunkLineOf(t, "host", "203.0.113.9:5080"), trunkLineOf(t, "same host", "203.0.113.9:5090"), trunkLineOf(t, "six", "[2001:db8::5]")} {
		ts.byID[l.ID] = l
	}
	for at, want := range map[string]string{
		"192.0.2.1:5060": "wide", "192.0.2.200:5060": "narrow", "192.0.2.7:1": "narrow", "203.0.113.9:5080": "host", "203.0.113.9:5090": "same host",
		"203.0.113.9:1": "host", "[2001:db8::5]:5060": "six", "[2001:db8::6]:5060": "", "198.51.100.1:5060": "",
	} {
		got := ""
		if l := ts.from(netip.MustParseAddrPort(at)); l != nil {
			got = l.Name
		}
		if got != want {
			t.Errorf("%s: %q instead of %q", at, got, want)
		}
		if ts.friend(netip.MustParseAddrPort(at).Addr()) != (want != "") {
			t.Errorf("%s is a friend, or not", at)
		}
	}
	for _, bad := range []string{"not a network", "192.0.2.0/99"} {
		if _, err := newTrunk(&call.TrunkLine{Trunk: &ent.Trunk{Name: "bad", Address: "a", Sources: []string{bad}}}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// A line has so many calls at once, and in a minute.
func TestTrunkLimits(t *testing.T) {
	l := trunkLineOf(t, "small", "198.51.100.1")
	first, ok := l.take()
	second, ok2 := l.take()
	if _, ok3 := l.take(); !ok || !ok2 || ok3 {
		t.Error("not two at once")
	}
	first()
	first()
	if _, ok := l.take(); !ok || l.atOnce != 2 {
		t.Errorf("%d at once", l.atOnce)
	}
	second()
	if _, ok := l.take(); ok {
		t.Error("more than three in a minute")
	}
}

// How the carrier names the caller.
func TestNamedCaller(t *testing.T) {
	for _, c := range []struct {
		from string
		more []string
		want string
	}{
		{"<sip:+8613800000001@carrier>", nil, "+8613800000001"},
		{`"Joe" <sip:013800000001@carrier;user=phone>`, nil, "013800000001"},
		{"<sip:anonymous@anonymous.invalid>", nil, ""},
		{"<sip:anonymous@anonymous.invalid>", []string{"P-Asserted-Identity: <sip:+8613800000002@carrier>"}, "+8613800000002"},
		{"<sip:+8613800000001@carrier>", []string{`P-Asserted-Identity: "Joe" <tel:+8613800000002;phone-context=x>`}, "+8613800000002"},
		{"<sip:+8613800000001@carrier>", []string{"Privacy: id", "P-Asserted-Identity: <sip:+8613800000002@carrier>"}, ""},
		{"<sip:+8613800000001@carrier>", []string{"Privacy: critical; user"}, ""},
		{"<sip:+8613800000001@carrier>", []string{"Privacy: none"}, "+8613800000001"},
		{"<sip:" + strings.Repeat("1", 100) + "@carrier>", nil, ""},
		{"<sip:carrier>", nil, ""},
	} {
		text := "INVITE sip:1 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: " + c.from + ";tag=1\r\nTo: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n" +
			strings.Join(append(c.more, ""), "\r\n") + "\r\n"
		m, err := sip.ParseMessage([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := namedCaller(m.(*sip.Request)); got != c.want {
			t.Errorf("%s %v: %q instead of %q", c.from, c.more, got, c.want)
		}
	}
}

// A carrier and a telephone at one address are told apart: by what they show, and by where the telephone registered from.
func TestTrunkOrTelephone(t *testing.T) {
	d := newDesk(t, Options{})
	c := openCarrier(t)
	address := c.at()
	d.line("carrier", comms.TrunkWish{Address: &address, Prefixes: []string{"86"}, Sources: []string{"127.0.0.0/8"}})
	d.phone("1001", "pa55-word-1001")
	d.serve()
	c.say(c.next(sip.OPTIONS), 200, "OK")
	phone, other := d.dial("UDP"), d.dial("UDP")
	if r := phone.register(inquiry{user: "1001", callID: "a", cseq: 1, more: []string{"Contact: <sip:1001@192.0.2.1>"}}, "pa55-word-1001"); r.StatusCode != 200 {
		t.Fatal(r)
	}
	q := inquiry{method: "INVITE", user: "1001", to: "1002", callID: "b", cseq: 1}
	phone.ask(q)
	phone.status("the telephone", 407)
	q.callID = "c"
	other.ask(q)
	if r := other.answer(); r.StatusCode == 407 || r.StatusCode == 401 {
		t.Errorf("the carrier is asked for a password: %s", r)
	}
	q.callID, q.more = "d", []string{`Proxy-Authorization: Digest username="1001", realm="switchboard", nonce="x", uri="sip:1002@a", response="x"`}
	other.ask(q)
	other.status("a telephone that shows credentials", 407)
}
