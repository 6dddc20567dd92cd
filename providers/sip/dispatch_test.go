package sip

import (
	"strings"
	"testing"
	"time"
)

// What is no call, or can't become one, is refused in the words of RFC 3261 section 8.2.
func TestRefusedRequests(t *testing.T) {
	d := openDesk(t, Options{})
	for name, c := range map[string]struct {
		method, uri string
		to          string // parameters of To
		more        []string
		body        string
		status      int
		header      string // that the answer must have
	}{
		"options":             {method: "OPTIONS", status: 200, header: "Allow: INVITE, "},
		"options by sips":     {method: "OPTIONS", uri: "sips:switchboard", status: 200, header: "Accept: application/sdp"},
		"a phone number":      {method: "OPTIONS", uri: "tel:+8613800000001", status: 416},
		"no hops left":        {method: "OPTIONS", more: []string{"Max-Forwards: 0"}, status: 483},
		"an unknown method":   {method: "JUMP", status: 501, header: "Allow: INVITE, "},
		"message":             {method: "MESSAGE", status: 405, header: "Allow: INVITE, "},
		"subscribe":           {method: "SUBSCRIBE", status: 405},
		"publish":             {method: "PUBLISH", status: 405},
		"require":             {method: "INVITE", more: []string{"Require: timer, precondition, 100rel"}, status: 420, header: "Unsupported: precondition"},
		"proxy-require":       {method: "OPTIONS", more: []string{"Proxy-Require: gin", "Require: foo"}, status: 420, header: "Unsupported: foo, gin"},
		"not a body for us":   {method: "INVITE", more: []string{"Content-Type: text/plain"}, body: "hello", status: 415, header: "Accept: application/sdp"},
		"a body without type": {method: "INVITE", body: "hello", status: 415},
		"a packed body": {method: "INVITE", more: []string{"Content-Type: application/sdp", "e: gzip"}, body: "hello", status: 415,
			header: "Accept-Encoding: identity"},
		"an answer in text":       {method: "INVITE", more: []string{"Accept: text/plain"}, status: 406},
		"an answer of any kind":   {method: "INVITE", more: []string{"Accept: text/plain, */*"}, status: 407, header: "Proxy-Authenticate: Digest"},
		"who are you":             {method: "INVITE", status: 407},
		"bye without a call":      {method: "BYE", status: 481},
		"bye in no call":          {method: "BYE", to: ";tag=none", status: 481},
		"invite in no call":       {method: "INVITE", to: ";tag=none", status: 481},
		"update in no call":       {method: "UPDATE", to: ";tag=none", status: 481},
		"info in no call":         {method: "INFO", to: ";tag=none", status: 481},
		"prack in no call":        {method: "PRACK", to: ";tag=none", status: 481},
		"notify in no call":       {method: "NOTIFY", to: ";tag=none", status: 481},
		"refer in no call":        {method: "REFER", to: ";tag=none", more: []string{"Refer-To: <sip:1@a>"}, status: 481},
		"refer without a call":    {method: "REFER", more: []string{"Refer-To: <sip:1@a>"}, status: 403},
		"cancel of no call":       {method: "CANCEL", status: 481},
		"a method in small print": {method: "invite", status: 501},
	} {
		t.Run(name, func(t *testing.T) {
			w := d.dial("UDP")
			w.T = t
			uri := or(c.uri, "sip:switchboard")
			lines := []string{c.method + " " + uri + " SIP/2.0", "Via: SIP/2.0/UDP " + w.local().String() + ";rport;branch=z9hG4bK" + strings.ReplaceAll(name, " ", "-"),
				"From: <sip:1001@switchboard>;tag=1", "To: <sip:switchboard>" + c.to, "Call-ID: " + strings.ReplaceAll(name, " ", "-"), "CSeq: 1 " + c.method}
			lines = append(lines, c.more...)
			w.raw([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + c.body))
			r := w.status(name, c.status)
			if !strings.Contains(r.String(), "\r\n"+c.header) {
				t.Errorf("%s is not in\n%s", c.header, r)
			}
			if tag, ok := r.To().Params.Get("tag"); !ok || tag == "" {
				t.Errorf("the answer has no tag (section 8.2.6.2):\n%s", r)
			}
		})
	}
	if s := d.Stats(); s.Panics != 0 {
		t.Error("a handler failed")
	}
}

// An INVITE that comes again is the same call; one that comes by another way as well is refused (section 8.2.2.2).
func TestInviteTwice(t *testing.T) {
	d := openDesk(t, Options{})
	w := d.dial("UDP")
	q := inquiry{method: "INVITE", user: "1001", to: "1002", callID: "twice", cseq: 1, branch: "z9hG4bKone"}
	w.ask(q)
	w.status("once", 407)
	w.ask(q)
	w.status("again", 407)
	q.branch = "z9hG4bKtwo"
	w.ask(q)
	w.status("by another way", 482)
	if s := d.Stats(); s.Begun != 1 || s.Invites != 1 {
		t.Errorf("%+v", s)
	}
	q.cseq = 2
	q.branch = "z9hG4bKthree"
	w.ask(q)
	w.status("another", 407)
}

// Who begins a call is asked for a password without a transaction, whenever there is nothing else to say of his INVITE: that costs no memory but
// that it was seen. A copy that came by another way is told apart all the same.
func TestAskedWithoutTransaction(t *testing.T) {
	for _, by := range []string{"UDP", "TCP"} {
		d := openDesk(t, Options{})
		w := d.dial(by)
		q := inquiry{method: "INVITE", user: "1001", to: "1002", callID: "plain", cseq: 1, branch: "z9hG4bKone", more: []string{"Contact: <sip:1001@127.0.0.1:9>"}}
		for range 2 {
			w.ask(q)
			r := w.status(by, 407)
			if challenges := r.GetHeaders("Proxy-Authenticate"); len(challenges) != 2 || !strings.Contains(challenges[0].Value(), "algorithm=MD5") {
				t.Errorf("%s: a telephone that only repeats itself is asked for MD5 and SHA-256: %s", by, r)
			}
			w.ack(q, r)
		}
		if s := d.Stats(); s.Begun != 0 || s.Invites != 1 || s.Taken != 2 {
			t.Errorf("%s: %+v", by, s)
		}
		q.branch = "z9hG4bKtwo"
		w.ask(q)
		w.status(by+", by another way", 482)
		q.cseq, q.branch = 2, "z9hG4bKthree"
		w.ask(q)
		if challenges := w.status(by+", again without an answer", 407).GetHeaders("Proxy-Authenticate"); len(challenges) != 1 {
			t.Errorf("%s: who does not understand is asked for MD5 alone: %s", by, challenges)
		}
	}
}

// With enough in hand a new call is told to come again, by the cheapest way and by the other; what belongs to a call that was taken never is.
func TestOverload(t *testing.T) {
	for _, by := range []string{"UDP", "TCP"} {
		t.Run(by, func(t *testing.T) {
			d := openDesk(t, Options{Load: leastLoad})
			w := d.dial(by)
			taken := inquiry{method: "INVITE", user: "1001", to: "1002", callID: "taken", cseq: 1, branch: "z9hG4bKtaken"}
			w.ask(taken)
			w.status("in time", 407)
			var decided []func()
			for range leastLoad {
				decided = append(decided, d.load.begin())
			}
			late := inquiry{method: "INVITE", user: "1001", to: "1002", callID: "late", cseq: 1}
			w.ask(late)
			r := w.status("too late", 503)
			if r.GetHeader("Retry-After") == nil {
				t.Error(r)
			}
			w.ack(late, r)
			w.ask(inquiry{method: "BYE", user: "1001", callID: "taken", cseq: 2})
			w.status("the end of a call", 481)
			if by == "UDP" {
				w.ask(taken)
				w.status("in time, and again", 407)
			}
			for _, done := range decided {
				done()
				done()
			}
			late.cseq = 2
			w.ask(late)
			w.status("there is time again", 407)
			d.until("nothing in hand", func() bool { return d.Stats().InHand == 0 })
			if s := d.Stats(); s.Shed != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// How many calls may be in hand follows how fast they are decided; who was asked for a password goes first.
func TestLoadFollows(t *testing.T) {
	l := newLoad(100)
	var hand []func()
	for !l.full(true) {
		if l.full(false) != (len(hand) >= 80) {
			t.Fatalf("with %d in hand: %v", len(hand), l.full(false))
		}
		hand = append(hand, l.begin())
	}
	if len(hand) != 100 {
		t.Errorf("%d in hand", len(hand))
	}
	limit := func() int { _, limit, _, _ := l.now(); return limit }
	l.fast = tooSlow + 1
	l.adjust()
	if limit() != 85 {
		t.Errorf("slow: %d", limit())
	}
	l.late(tooLate + 1)
	l.late(0)
	l.adjust()
	if limit() < 86 {
		t.Errorf("one timer was late: %d", limit())
	}
	for range 50 {
		l.late(tooLate + 1)
		l.adjust()
	}
	if limit() != leastLoad {
		t.Errorf("late for long: %d", limit())
	}
	for _, done := range hand {
		done()
	}
	for range 200 {
		l.adjust()
	}
	if inHand, limit, _, begun := l.now(); inHand != 0 || limit != 100 || begun != 100 {
		t.Errorf("fast: %d of %d, %d", inHand, limit, begun)
	}
}

// A server that is being stopped takes no new calls, says so to who asks, and ends by itself when there are none.
func TestDrain(t *testing.T) {
	d := openDesk(t, Options{DrainTimeout: time.Hour})
	w := d.dial("UDP")
	w.ask(inquiry{method: "OPTIONS", user: "a", callID: "before", cseq: 1})
	w.status("before", 200)
	d.draining.Store(true) // as drain does first
	w.ask(inquiry{method: "INVITE", user: "1001", to: "1002", callID: "late", cseq: 1})
	w.status("a new call", 503)
	w.ask(inquiry{method: "OPTIONS", user: "a", callID: "after", cseq: 1})
	w.status("a carrier that asks", 503)
	w.ask(inquiry{method: "BYE", user: "a", callID: "old", cseq: 1})
	w.status("an old call", 481)
	if !d.Stats().Draining {
		t.Error("it does not say so")
	}
	d.leave()
	select {
	case err := <-d.served:
		if err != nil {
			t.Error(err)
		}
		d.served <- err
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}
