package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// A telephone may answer with either algorithm, to REGISTER (401) as to INVITE (407).
func TestAlgorithms(t *testing.T) {
	d := openDesk(t, Options{})
	d.phone("1001", "pa55-word-1001")
	for i, algorithm := range []string{"MD5", "SHA-256"} {
		w := d.dial("UDP")
		for _, q := range []inquiry{{method: "REGISTER", user: "1001"}, {method: "INVITE", user: "1001", to: "no-such"}} {
			q.callID, q.cseq = fmt.Sprint(q.method, i), 1
			w.ask(q)
			want, passes := 407, 404
			if q.method == "REGISTER" {
				want, passes = 401, 200
			}
			r := w.status(q.method, want)
			if q.method == "INVITE" {
				w.ack(q, r)
			}
			q.cseq, q.more = 2, []string{w.prove(r, q, algorithm, "pa55-word-1001")}
			w.ask(q)
			if r := w.answer(); r.StatusCode != passes && !(q.method == "INVITE" && r.StatusCode != 407 && r.StatusCode != 401) {
				t.Errorf("%s by %s: %s", q.method, algorithm, r.StartLine())
			}
		}
	}
}

// ack acknowledges a refusal of an INVITE.
func (w *wire) ack(q inquiry, r *sip.Response) {
	w.Helper()
	branch, _ := r.Via().Params.Get("branch")
	w.send("ACK sip:"+q.to+"@switchboard SIP/2.0", "Via: SIP/2.0/"+w.by+" "+w.local().String()+";branch="+branch, "From: "+r.From().Value(),
		"To: "+r.To().Value(), "Call-ID: "+q.callID, fmt.Sprintf("CSeq: %d ACK", q.cseq), "Max-Forwards: 70", "Content-Length: 0")
}

// Every way in which credentials can be wrong.
func TestBadCredentials(t *testing.T) {
	d := openDesk(t, Options{})
	d.phone("1001", "pa55-word-1001")
	d.phone("1002", "pa55-word-1002")
	for name, c := range map[string]struct {
		user, as, password string
		change             func(string) string // of the right credentials
		status             int
	}{
		"right":                    {status: 200},
		"wrong password":           {password: "guess", status: 403},
		"unknown telephone":        {user: "9999", status: 403},
		"another's address":        {as: "1002", status: 403},
		"another realm":            {change: func(s string) string { return strings.Replace(s, `realm="switchboard"`, `realm="else"`, 1) }, status: 401},
		"a nonce of nobody":        {change: func(s string) string { return swap(s, `nonce="`, `"`, "AAABogB4oaqS-7CGreLxH_8GU3rMjfbi") }, status: 401},
		"no qop":                   {change: func(s string) string { return swap(s, "qop=", ",", "") }, status: 401},
		"another qop":              {change: func(s string) string { return strings.Replace(s, "qop=auth", "qop=auth-int", 1) }, status: 401},
		"another count":            {change: func(s string) string { return strings.Replace(s, "nc=00000001", "nc=00000002", 1) }, status: 403},
		"no count":                 {change: func(s string) string { return strings.Replace(s, "nc=00000001", "nc=0", 1) }, status: 401},
		"another address":          {change: func(s string) string { return swap(s, `uri="`, `"`, "sip:1002@switchboard") }, status: 401},
		"an algorithm of its own":  {change: func(s string) string { return strings.Replace(s, "SHA-256", "SHA-1", 1) }, status: 401},
		"a scheme that is no hash": {change: func(string) string { return "Authorization: Basic MTAwMTpwYTU1" }, status: 401},
		"nonsense":                 {change: func(string) string { return `Authorization: Digest ,,="` }, status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			w := d.dial("UDP")
			w.T = t
			q := inquiry{method: "REGISTER", user: or(c.user, "1001"), callID: fmt.Sprint("bad", next()), cseq: 1}
			w.ask(q)
			proof := w.prove(w.status("no credentials", 401), q, "SHA-256", or(c.password, "pa55-word-1001"))
			if c.change != nil {
				proof = c.change(proof)
			}
			q.cseq, q.more = 2, []string{proof}
			q.user = or(c.as, q.user)
			w.ask(q)
			r := w.status(name, c.status)
			if c.status == 401 && (r.GetHeader("WWW-Authenticate") == nil || strings.Contains(r.String(), "stale=true")) {
				t.Error(r)
			}
		})
	}
	for _, secret := range []string{"pa55-word", "guess", "response="} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// swap replaces what stands between two marks.
func swap(s, from, to, with string) string {
	head, rest, _ := strings.Cut(s, from)
	_, tail, _ := strings.Cut(rest, to)
	return head + from + with + to + tail
}

// What was overheard is not good a second time: the password was right, but the count was there before (RFC 7616 section 3.4).
func TestReplay(t *testing.T) {
	d := openDesk(t, Options{})
	d.phone("1001", "pa55-word-1001")
	w := d.dial("UDP")
	q := inquiry{method: "REGISTER", user: "1001", callID: "a", cseq: 1}
	w.ask(q)
	q.cseq, q.more = 2, []string{w.prove(w.status("first", 401), q, "SHA-256", "pa55-word-1001"), "Contact: <sip:1001@192.0.2.1>"}
	w.ask(q)
	w.status("proved", 200)
	thief := d.dial("UDP")
	q.callID, q.more[1] = "b", "Contact: <sip:thief@192.0.2.66>"
	thief.ask(q)
	if r := thief.status("overheard", 401); !strings.Contains(r.String(), "stale=true") {
		t.Error(r)
	}
}

// A nonce ends after a while, and then the telephone is told that only that was wrong; one that nobody could have made is not ours.
func TestNonce(t *testing.T) {
	a, b := newDoorman("switchboard", []byte("one secret")), newDoorman("switchboard", []byte("one secret"))
	now := time.Now()
	nonce := a.nonce(now)
	for _, c := range []struct {
		of         *doorman
		nonce      string
		after      time.Duration
		ours, good bool
	}{
		{a, nonce, 0, true, true},
		{b, nonce, 0, true, true}, // another process, or this one after a restart
		{b, nonce, nonceFor - time.Second, true, true},
		{b, nonce, nonceFor, true, false},
		{b, nonce, -2 * time.Minute, true, false},
		{newDoorman("switchboard", nil), nonce, 0, false, false},
		{newDoorman("else", []byte("one secret")), nonce, 0, false, false},
		{a, nonce[1:], 0, false, false},
		{a, "B" + nonce[1:], 0, false, false},
		{a, "", 0, false, false},
	} {
		if ours, good := c.of.fresh(c.nonce, now.Add(c.after)); ours != c.ours || good != c.good {
			t.Errorf("%q after %s: %v, %v", c.nonce, c.after, ours, good)
		}
	}
}

// Whoever gives up when asked by two algorithms is asked by one the next time.
func TestConfusedTelephone(t *testing.T) {
	d := openDesk(t, Options{})
	w := d.dial("UDP")
	for i, want := range []int{2, 1, 1} {
		w.ask(inquiry{method: "REGISTER", user: "1001", callID: "a", cseq: i + 1})
		if got := len(w.status("asked", 401).GetHeaders("WWW-Authenticate")); got != want {
			t.Errorf("asked by %d algorithms instead of %d", got, want)
		}
	}
}

// A telephone that must encrypt may not come by another way.
func TestSecureTelephone(t *testing.T) {
	d := openDesk(t, Options{TLS: "127.0.0.1:0"})
	p, err := d.rules.CreateSipNumber(d.ctx, call.CreateSipNumber{Number: "1001", Password: "pa55-word-1001", Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, by := range []string{"UDP", "TCP", "TLS"} {
		w := d.dial(by)
		r := w.register(inquiry{user: "1001", callID: fmt.Sprint("a", i), cseq: 1, more: []string{"Contact: <sip:1001@192.0.2.1>"}}, "pa55-word-1001")
		want := 403
		if by == "TLS" {
			want = 200
		}
		if r.StatusCode != want {
			t.Errorf("%s: %s", by, r.StartLine())
		}
		if list := d.contactsOf(p.SipNumber.ID); by == "TLS" && (len(list) != 1 || !list[0].secure) {
			t.Errorf("%+v", list)
		}
	}
}

// A password is guessed only so often: then nothing is looked at any more, whoever asks, but for him who is known; and then the source
// isn't answered at all.
func TestGuessing(t *testing.T) {
	d := openDesk(t, Options{Throttle: Throttle{Passwords: Rate{3, time.Hour}}})
	d.phone("1001", "pa55-word-1001")
	w := d.dial("UDP")
	for i, want := range []int{403, 403, 403, 503, 503, 503, 503, 503, 503, 503} {
		if got := w.register(inquiry{user: "1001", callID: fmt.Sprint("guess", i), cseq: 1}, "guess").StatusCode; got != want {
			t.Fatalf("guess %d: %d instead of %d", i, got, want)
		}
	}
	w.ask(inquiry{method: "OPTIONS", user: "a", callID: "silence", cseq: 1})
	if m := w.read(100 * time.Millisecond); m != nil {
		t.Errorf("it is still answered: %s", m)
	}
	if s := d.Stats(); s.Banned != 1 || s.Refused != 10 || s.Throttled != 1 {
		t.Errorf("%+v", s)
	}
}

// Who is guessed at is not shut out of his own telephone: from where it was registered it still is let in.
func TestGuessedAt(t *testing.T) {
	s := newSources(Throttle{Passwords: Rate{3, time.Hour}})
	now, thief, home, stranger := time.Now(), netip.MustParseAddr("192.0.2.66"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	s.trust(home, now)
	for range 3 {
		if !s.may(thief, "1001", now) {
			t.Fatal("too early")
		}
		s.wrong(thief, "1001", now)
	}
	for a, want := range map[netip.Addr]bool{thief: false, home: true, stranger: false} {
		if got := s.may(a, "1001", now); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
	if !s.may(stranger, "1002", now) || !s.may(stranger, "1001", now.Add(21*time.Minute)) {
		t.Error("it holds for too many, or too long")
	}
}
