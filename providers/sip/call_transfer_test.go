package sip

import (
	"net/url"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// An ordered transfer: the first side hears ringing, then talks to the new one; the one before it is hung up only then.
func TestOrderedTransfer(t *testing.T) {
	d := openCalls(t, Options{})
	a, b, c := d.peer("1001"), d.peer("1002"), d.peer("1003")
	var v *call.Verdict
	d.always(func() *call.Verdict { v = d.to("", "1002"); return v })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	d.reports("answered")

	order := func(numbers ...string) { // it is taken once the one before it has come to nothing
		t.Helper()
		d.until("a transfer", func() bool {
			return d.Order(t.Context(), v.Call, call.Order{Transfer: d.leg("+8617100000001", numbers...)}) == nil
		})
	}
	order("1003")
	third := c.rung()
	third.answer(486, "Busy Here", "") // then the two talk on
	c.asked("ACK")
	stop := make(chan struct{})
	defer close(stop)
	b.speaks(to.invite.Body(), stop)
	a.hears()

	order("1003")
	third = c.rung()
	third.answer(200, "OK", c.sdp("sendrecv"))
	c.asked("ACK")
	to.hungUp()
	third.hangUp()
	from.hungUp()
	d.reports("answered; transferred busy; transferred; ended hung_up by callee 0/16")
	d.quiet()
}

// notified waits for a NOTIFY and gives the status that it tells of.
func (t *talk) notified() string {
	t.p.Helper()
	r := t.p.asked("NOTIFY")
	t.reply(r, 200, "OK", "")
	line, _, _ := strings.Cut(string(r.Body()), "\r\n")
	return r.GetHeader("Subscription-State").Value() + ": " + line
}

// A telephone transfers the other side (REFER): the rules are asked as for any call of that telephone.
func TestBlindTransfer(t *testing.T) {
	d := openCalls(t, Options{})
	a, b, c := d.peer("1001"), d.peer("1002"), d.peer("1003")
	from, to := d.connect(a, b)
	caller := d.phones["1001"]
	d.script.routes(func(in call.RouteCall) (*call.Verdict, error) {
		if in.Phone != caller || in.Dialled != "1003" {
			t.Errorf("the rules are asked about %+v", in)
		}
		return d.to("+8617100000001", "1003"), nil
	})
	from.send("REFER", "", "Refer-To: <sip:1003@switchboard>")
	a.told(202)
	if got := from.notified(); got != "active;expires=180: SIP/2.0 100 Trying" {
		t.Errorf("first told: %s", got)
	}
	third := c.rung()
	third.answer(180, "Ringing", "")
	b.hears() // ringing
	d.reports("ringing; answered; ringing")
	third.answer(200, "OK", c.sdp("sendrecv"))
	c.asked("ACK")
	if got := from.notified(); got != "terminated;reason=noresource: SIP/2.0 200 OK" {
		t.Errorf("then told: %s", got)
	}
	from.hungUp()
	d.reports("ringing; answered; ringing; ended hung_up by caller 0/16; answered")
	to.hangUp() // it is the caller of the new call
	third.hungUp()
	d.reports("ringing; answered; ringing; ended hung_up by caller 0/16; answered; ended hung_up by caller 0/16")
	d.quiet()
}

// What the account may not do a transfer may not do either; the two talk on.
func TestBlindTransferRefused(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	d.script.routes(func(call.RouteCall) (*call.Verdict, error) {
		v := d.to("")
		v.Second, v.Refuse = nil, &call.Refusal{Why: call.WhyNotAllowed}
		return v, nil
	})
	to.send("REFER", "", "Refer-To: <sip:00999@switchboard>")
	b.told(202)
	to.notified()
	if got := to.notified(); got != "terminated;reason=noresource: SIP/2.0 403 Forbidden" {
		t.Errorf("told: %s", got)
	}
	to.send("REFER", "")
	b.told(400)
	stop := make(chan struct{})
	defer close(stop)
	b.speaks(to.invite.Body(), stop)
	a.hears()
	from.hangUp()
	to.hungUp()
	d.reports("ringing; answered; ended not_allowed by us 403/57; ended hung_up by caller 0/16")
	d.quiet()
}

// The telephone that transfers hangs up at once, as many do, and the new side doesn't answer: nobody is left to talk to.
func TestBlindTransferOfOneWhoLeaves(t *testing.T) {
	d := openCalls(t, Options{})
	a, b, c := d.peer("1001"), d.peer("1002"), d.peer("1003")
	from, to := d.connect(a, b)
	d.always(func() *call.Verdict { return d.to("", "1003") })
	from.send("REFER", "", "Refer-To: <sip:1003@switchboard>")
	a.told(202)
	from.notified()
	third := c.rung()
	from.hangUp()
	third.answer(486, "Busy Here", "")
	c.asked("ACK")
	to.hungUp()
	d.reports("ringing; answered; ended busy by callee 486/17; ended hung_up by caller 0/16")
	d.quiet()
}

// A telephone has two calls and joins those at their other ends (RFC 5589 section 7).
func TestAttendedTransfer(t *testing.T) {
	d := openCalls(t, Options{})
	a, b, c := d.peer("1001"), d.peer("1002"), d.peer("1003")
	one, toB := d.connect(a, b)
	two, toC := d.connect(a, c)
	_, theirs, _ := strings.Cut(two.theirs, "tag=")
	_, mine, _ := strings.Cut(two.mine, "tag=")
	replaces := url.QueryEscape(two.callID + ";to-tag=" + theirs + ";from-tag=" + mine)
	one.send("REFER", "", "Refer-To: <sip:1003@switchboard?Replaces="+replaces+">")
	a.told(202)
	over := map[string]bool{}
	for len(over) < 3 { // NOTIFY 200, and BYE in both calls
		m := a.hear(patience)
		r, ok := m.(*sip.Request)
		if !ok {
			t.Fatalf("the telephone was sent %v", m)
		}
		one.reply(r, 200, "OK", "")
		if r.Method == "NOTIFY" && !strings.Contains(string(r.Body()), "200 OK") {
			continue
		}
		over[string(r.Method)+r.CallID().Value()] = true
	}
	stop := make(chan struct{})
	defer close(stop)
	b.speaks(toB.invite.Body(), stop)
	c.hears()
	toB.hangUp()
	toC.hungUp()
	d.quiet()
	if got := d.script.reported(); strings.Count(got, "ended hung_up") != 2 {
		t.Errorf("reported: %s", got)
	}
}
