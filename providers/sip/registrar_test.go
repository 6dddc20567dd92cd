package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"switchboard/internal/house/peers"
)

// A telephone that nobody here wrote registers by each transport, though most are offered two algorithms.
func TestBaresipRegisters(t *testing.T) {
	d := openDesk(t, Options{TLS: "127.0.0.1:0"})
	p := d.phone("1001", "pa55-word-1001")
	for _, transport := range []string{"udp", "tcp", "tls"} {
		server := d.Addr()
		if transport == "tls" {
			server = d.TLSAddr()
		}
		peers.NewPhone(t, peers.PhoneOptions{User: "1001", Password: "pa55-word-1001", Server: server.String(), Transport: transport})
		d.until("the contact by "+transport, func() bool {
			for _, a := range d.contactsOf(p.ID) {
				if a.transport == transport {
					return true
				}
			}
			return false
		})
	}
}

// registering is one REGISTER of a conversation with the registrar, and what comes of it.
type registering struct {
	callID   string // empty: a
	more     []string
	status   int
	contacts string // in the 200, with the whole minutes that they still last
	header   string // that must be in the answer
}

// RFC 3261 section 10.3, step by step.
func TestRegistrar(t *testing.T) {
	for name, steps := range map[string][]registering{
		"how long": {
			{more: []string{"Contact: <sip:1001@192.0.2.1>"}, status: 200, contacts: "sip:1001@192.0.2.1 60"},
			{more: []string{"Contact: <sip:1001@192.0.2.1>", "Expires: 120"}, status: 200, contacts: "sip:1001@192.0.2.1 2"},
			{more: []string{"Contact: <sip:1001@192.0.2.1>;expires=180", "Expires: 120"}, status: 200, contacts: "sip:1001@192.0.2.1 3"},
			{more: []string{"Contact: <sip:1001@192.0.2.1>;expires=59"}, status: 423, header: "Min-Expires: 60"},
			{more: []string{"Contact: <sip:1001@192.0.2.1>;expires=999999"}, status: 200, contacts: "sip:1001@192.0.2.1 60"},
			{more: []string{"Contact: <sip:1001@192.0.2.1>;expires=nonsense"}, status: 200, contacts: "sip:1001@192.0.2.1 60"},
			{more: []string{"Contact: <sip:1001@192.0.2.1>;expires=99999999999999"}, status: 200, contacts: "sip:1001@192.0.2.1 60"},
		},
		"several": {
			{more: []string{"Contact: <sip:1001@192.0.2.1>;q=0.3, <sip:1001@192.0.2.2:5070;transport=udp>;q=0.8"}, status: 200,
				contacts: "sip:1001@192.0.2.2:5070;transport=udp 60, sip:1001@192.0.2.1 60"},
			{callID: "b", more: []string{"Contact: <sip:1001@192.0.2.3>"}, status: 200,
				contacts: "sip:1001@192.0.2.3 60, sip:1001@192.0.2.2:5070;transport=udp 60, sip:1001@192.0.2.1 60"},
			{status: 200, contacts: "sip:1001@192.0.2.3 60, sip:1001@192.0.2.2:5070;transport=udp 60, sip:1001@192.0.2.1 60"}, // a question
			{more: []string{"Contact: <sip:1001@192.0.2.1>;expires=0"}, status: 200,
				contacts: "sip:1001@192.0.2.3 60, sip:1001@192.0.2.2:5070;transport=udp 60"},
			{more: []string{"Contact: *", "Expires: 0"}, status: 200},
			{status: 200},
		},
		"the same URI": {
			{more: []string{"Contact: <sip:1001@Phone.Example.COM>"}, status: 200, contacts: "sip:1001@phone.example.com 60"},
			{more: []string{"Contact: <sip:1001@phone.example.com>;expires=120"}, status: 200, contacts: "sip:1001@phone.example.com 2"},
			{more: []string{"Contact: <sip:1001@phone.example.com?Route=%3Csip:192.0.2.9%3E>;expires=0"}, status: 200},
		},
		"everything or nothing": {
			{more: []string{"Contact: *"}, status: 400},
			{more: []string{"Contact: *", "Expires: 60"}, status: 400},
			{more: []string{"Contact: *, <sip:1001@192.0.2.1>", "Expires: 0"}, status: 400},
			{more: []string{"Contact: <sip:1001@192.0.2.1>, <sip:1001@192.0.2.2>;expires=10"}, status: 423},
			{more: []string{"Contact: <mailto:somebody@example.com>"}, status: 400},
			{more: []string{"Contact: " + strings.Repeat("<sip:1001@192.0.2.1>, ", 10) + "<sip:1001@192.0.2.2>"}, status: 403},
			{status: 200},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDesk(t, Options{})
			p := d.phone("1001", "pa55-word-1001")
			w := d.dial("UDP")
			for i, s := range steps {
				q := inquiry{user: "1001", callID: "a" + s.callID, cseq: i*2 + 1, more: s.more}
				r := w.register(q, "pa55-word-1001")
				if r.StatusCode != s.status || !strings.Contains(r.String(), s.header) {
					t.Fatalf("step %d: %s", i, r)
				}
				if got := contactsIn(t, r); got != s.contacts {
					t.Errorf("step %d: %q instead of %q", i, got, s.contacts)
				}
				if s.status == 200 {
					d.reachable(p.ID, w, s.contacts)
				}
			}
		})
	}
}

// contactsIn lists the contacts of an answer with the minutes that they last.
func contactsIn(t *testing.T, r *sip.Response) string {
	t.Helper()
	var out []string
	for _, h := range r.GetHeaders("Contact") {
		c := h.(*sip.ContactHeader)
		v, ok := c.Params.Get("expires")
		if !ok {
			t.Errorf("a contact does not say how long it lasts: %s", c.Value())
		}
		out = append(out, fmt.Sprint(c.Address.String(), " ", (seconds(v)+5)/60))
	}
	return strings.Join(out, ", ")
}

// reachable fails unless the telephone is reached by all its contacts, each at where the wire sends from.
func (d *desk) reachable(phone uuid.UUID, w *wire, contacts string) {
	d.Helper()
	var got []string
	for _, a := range d.contactsOf(phone) {
		if a.at != w.local().String() || a.transport != strings.ToLower(w.by) {
			d.Errorf("it is reached by %s at %s, not where its REGISTER came from", a.transport, a.at)
		}
		got = append(got, a.uri.String())
	}
	for i, c := range strings.Split(contacts, ", ") {
		if uri, _, ok := strings.Cut(c, " "); ok && (i >= len(got) || got[i] != uri) {
			d.Errorf("it is reached by %v instead of %s", got, contacts)
		}
	}
}

// A REGISTER that was overtaken by a later one changes nothing (section 10.3, step 7).
func TestRegisterOutOfOrder(t *testing.T) {
	d := openDesk(t, Options{})
	d.phone("1001", "pa55-word-1001")
	w := d.dial("UDP")
	q := inquiry{user: "1001", callID: "a", cseq: 10, more: []string{"Contact: <sip:1001@192.0.2.1>"}}
	if r := w.register(q, "pa55-word-1001"); r.StatusCode != 200 {
		t.Fatal(r)
	}
	q.cseq, q.more = 5, []string{"Contact: <sip:1001@192.0.2.1>;expires=0"}
	if r := w.register(q, "pa55-word-1001"); r.StatusCode != 500 {
		t.Fatal(r)
	}
	q.callID, q.more = "b", nil // another Call-ID: the telephone has started anew
	if r := w.register(q, "pa55-word-1001"); contactsIn(t, r) != "sip:1001@192.0.2.1 60" {
		t.Fatal(r)
	}
}

// RFC 3581: the answer goes to where the question came from, and says where that is.
func TestRport(t *testing.T) {
	d := openDesk(t, Options{})
	w := d.dial("UDP")
	w.send("OPTIONS sip:switchboard SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.77:5060;rport;branch=z9hG4bKrport", "From: <sip:a@b>;tag=1", "To: <sip:switchboard>",
		"Call-ID: rport", "CSeq: 1 OPTIONS", "Max-Forwards: 70", "Content-Length: 0")
	via := w.status("OPTIONS", 200).Via()
	port, _ := via.Params.Get("rport")
	received, _ := via.Params.Get("received")
	if received+":"+port != w.local().String() {
		t.Errorf("Via says %s", via.Value())
	}
}

// A telephone behind NAT is kept within reach; one that is where it says is left alone.
func TestBehindNAT(t *testing.T) {
	d := openDesk(t, Options{})
	d.phone("1001", "pa55-word-1001")
	behind, plain := d.dial("UDP"), d.dial("UDP")
	for w, contact := range map[*wire]string{behind: "<sip:1001@192.168.0.7:5060>", plain: "<sip:1001@" + plain.local().String() + ">"} {
		if r := w.register(inquiry{user: "1001", callID: fmt.Sprint("nat", next()), cseq: 1, more: []string{"Contact: " + contact}}, "pa55-word-1001"); r.StatusCode != 200 {
			t.Fatal(r)
		}
	}
	d.keepOpen()
	b := make([]byte, 100)
	if n, err := behind.Read(b); err != nil || string(b[:n]) != "\r\n\r\n" {
		t.Errorf("%q, %v", b[:n], err)
	}
	plain.ask(inquiry{method: "OPTIONS", user: "a", callID: "next", cseq: 1})
	if n, err := plain.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "SIP/2.0 200") {
		t.Errorf("%q, %v", b[:n], err)
	}
}

// What has run out is not rung, and is forgotten.
func TestContactExpires(t *testing.T) {
	r, now, phone := newRegistrar(), time.Now(), uuid.New()
	for i, q := range []float64{.1, .9, .5} {
		r.put(phone, &binding{text: fmt.Sprint(i), at: fmt.Sprint("192.0.2.", i, ":5060"), by: "udp", q: q, expires: now.Add(time.Duration(i+1) * time.Minute)})
	}
	for after, want := range map[time.Duration]string{0: "120", time.Minute: "12", 2 * time.Minute: "2", 3 * time.Minute: ""} {
		got := ""
		for _, b := range r.of(phone, now.Add(after)) {
			got += b.text
		}
		if got != want {
			t.Errorf("after %s: %q", after, got)
		}
	}
	r.expire(now.Add(2 * time.Minute))
	if phones, contacts := r.count(); phones != 1 || contacts != 1 || r.knows(address{transport: "udp", at: "192.0.2.1:5060"}) {
		t.Errorf("%d, %d", phones, contacts)
	}
	r.expire(now.Add(time.Hour))
	if phones, contacts := r.count(); phones != 0 || contacts != 0 || len(r.places) != 0 {
		t.Errorf("%d, %d, %v", phones, contacts, r.places)
	}
}

// Over a connection a telephone is there as long as that is.
func TestConnectionEnds(t *testing.T) {
	for _, by := range []string{"TCP", "TLS"} {
		t.Run(by, func(t *testing.T) {
			d := openDesk(t, Options{TLS: "127.0.0.1:0"})
			p := d.phone("1001", "pa55-word-1001")
			w := d.dial(by)
			if r := w.register(inquiry{user: "1001", callID: "a", cseq: 1, more: []string{"Contact: <sip:1001@192.0.2.1;transport=tcp>"}}, "pa55-word-1001"); r.StatusCode != 200 {
				t.Fatal(r)
			}
			d.reachable(p.ID, w, "sip:1001@192.0.2.1;transport=tcp 60")
			w.Close()
			d.until("gone", func() bool { return len(d.contactsOf(p.ID)) == 0 })
			d.until("gone for the rules", func() bool {
				rows, err := d.rules.Contacts(d.ctx)
				if err != nil {
					t.Fatal(err)
				}
				return len(rows) == 0
			})
		})
	}
}

// What was registered is known after a restart; but no connection outlives it.
func TestContactsOutliveTheProcess(t *testing.T) {
	d := openDesk(t, Options{})
	p := d.phone("1001", "pa55-word-1001")
	u, c := d.dial("UDP"), d.dial("TCP")
	for i, w := range []*wire{u, c} {
		q := inquiry{user: "1001", callID: fmt.Sprint("a", i), cseq: 1, more: []string{fmt.Sprintf("Contact: <sip:1001@192.0.2.%d>", i)}}
		if r := w.register(q, "pa55-word-1001"); r.StatusCode != 200 {
			t.Fatal(r)
		}
	}
	d.leave()
	if err := <-d.served; err != nil {
		t.Fatal(err)
	}
	var err error
	if d.Server, err = New(d.rules, Options{Listen: "127.0.0.1:0", Node: "test"}); err != nil {
		t.Fatal(err)
	}
	d.serve()
	d.until("the contact", func() bool { return len(d.contactsOf(p.ID)) == 1 })
	d.reachable(p.ID, u, "sip:1001@192.0.2.0 60")
	d.until("the rules know the one without a connection alone", func() bool {
		rows, err := d.rules.Contacts(d.ctx)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows) == 1 && rows[0].Transport == "udp"
	})
}

// When all come back at once some are told to come a little later.
func TestRegisterStorm(t *testing.T) {
	d := openDesk(t, Options{})
	d.phone("1001", "pa55-word-1001")
	w := d.dial("UDP")
	d.registering.Add(mostRegisters)
	q := inquiry{method: "REGISTER", user: "1001", callID: "a", cseq: 1}
	w.ask(q)
	if r := w.status("with enough in hand", 503); r.GetHeader("Retry-After") == nil {
		t.Error(r)
	}
	d.registering.Add(-mostRegisters)
	q.cseq = 2
	w.ask(q)
	w.status("later", 401)
	d.until("nothing in hand", func() bool { return d.registering.Load() == 0 })
}

// A telephone that comes back by another connection before the old one is seen to have ended stays registered, here and in the rules.
func TestConnectionChanges(t *testing.T) {
	d := openDesk(t, Options{})
	p := d.phone("1001", "pa55-word-1001")
	for i := range 20 {
		q := inquiry{user: "1001", callID: fmt.Sprint("c", i), cseq: 1, more: []string{"Contact: <sip:1001@192.0.2.1;transport=tcp>"}}
		old, fresh := d.dial("TCP"), d.dial("TCP")
		if r := old.register(q, "pa55-word-1001"); r.StatusCode != 200 {
			t.Fatal(r)
		}
		old.Close()
		q.callID += "+"
		if r := fresh.register(q, "pa55-word-1001"); r.StatusCode != 200 {
			t.Fatal(r)
		}
		d.until("the old connection's end", func() bool { return d.Stats().Streams == i+1 })
		d.reachable(p.ID, fresh, "sip:1001@192.0.2.1;transport=tcp 60")
		if rows, err := d.rules.Contacts(d.ctx); err != nil || len(rows) != 1 || rows[0].Source != fresh.local().String() {
			t.Fatalf("the rules know %v, %v", rows, err)
		}
	}
}

// Whoever's password was changed is out.
func TestPasswordChanged(t *testing.T) {
	d := openDesk(t, Options{})
	p := d.phone("1001", "pa55-word-1001")
	w := d.dial("UDP")
	q := inquiry{user: "1001", callID: "a", cseq: 1, more: []string{"Contact: <sip:1001@192.0.2.1>"}}
	if r := w.register(q, "pa55-word-1001"); r.StatusCode != 200 {
		t.Fatal(r)
	}
	if _, err := d.rules.DeleteSipNumber(d.ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	d.until("gone", func() bool { return len(d.contactsOf(p.ID)) == 0 })
	q.cseq = 3
	if r := w.register(q, "pa55-word-1001"); r.StatusCode != 403 {
		t.Error(r)
	}
}
