package sip

import (
	"strings"
	"testing"
	"time"

	"switchboard/comms/call"
)

// hurry does something to a leg in its call's goroutine, such as to let its session timer run out, once its ACK is there.
func (d *callDesk) hurry(first bool, job func(*leg)) {
	d.Helper()
	d.until("the ACK", func() (there bool) {
		d.inside(first, func(l *leg) { there = l.state == legConfirmed })
		return there
	})
	d.inside(first, job)
}

func (d *callDesk) inside(first bool, job func(*leg)) {
	d.Helper()
	d.tables.Lock()
	var c *liveCall
	for c = range d.all {
	}
	d.tables.Unlock()
	done := make(chan struct{})
	if c == nil || !c.box.post(func() {
		defer close(done)
		l := c.second
		if first {
			l = c.first
		}
		job(l)
	}) {
		d.Fatal("there is no call")
	}
	<-done
}

func TestSessionTimerOfACaller(t *testing.T) {
	for _, one := range []struct {
		name, ask, want string
		headers         []string
	}{
		{"the caller asks to refresh", "100", "100;refresher=uac", []string{"Supported: timer", "Session-Expires: 100;refresher=uac"}},
		{"the caller leaves it to us to choose", "200", "200;refresher=uac", []string{"Supported: timer", "Session-Expires: 200"}},
		{"the caller wants us to refresh", "300", "300;refresher=uas", []string{"Supported: timer", "Session-Expires: 300;refresher=uas"}},
		{"the caller knows no timers", "", "1800;refresher=uas", nil},
		{"a longer one than ours", "9000", "1800;refresher=uac", []string{"Supported: timer", "x: 9000"}},
		{"one beyond all bounds", "200", "86400;refresher=uac", []string{"Supported: timer", "Session-Expires: 200", "Min-SE: 9223372036854775807"}},
	} {
		t.Run(one.name, func(t *testing.T) {
			d := openCalls(t, Options{})
			a, b := d.peer("1001"), d.peer("1002")
			d.always(func() *call.Verdict { return d.to("", "1002") })
			from := a.call("17100000001", a.sdp("sendrecv"), one.headers...)
			to := b.rung()
			to.answer(200, "OK", b.sdp("sendrecv"))
			b.asked("ACK")
			ok := a.told(200)
			if got := ok.GetHeader("Session-Expires").Value(); got != one.want {
				t.Errorf("the 200 says %s", got)
			}
			if required := ok.GetHeader("Require") != nil; required != strings.HasSuffix(one.want, "uac") {
				t.Errorf("Require is there: %v", required)
			}
			from.acknowledge(ok)
			from.hangUp()
			to.hungUp()
			d.quiet()
		})
	}
}

func TestSessionTooShort(t *testing.T) {
	d := openCalls(t, Options{})
	a := d.peer("1001")
	from := a.call("17100000001", a.sdp("sendrecv"), "Supported: timer", "Session-Expires: 30")
	r := a.told(422)
	if got := r.GetHeader("Min-SE").Value(); got != "90" {
		t.Errorf("Min-SE is %s", got)
	}
	from.acknowledge(r)
	d.quiet()
}

// A callee wants longer sessions than we ask for: the INVITE is sent again.
func TestSessionTooShortForTheCallee(t *testing.T) {
	d := openCalls(t, Options{SessionExpires: 100 * time.Second})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(422, "Session Interval Too Small", "", "Min-SE: 600")
	b.asked("ACK")
	again := b.rung()
	if got := again.invite.GetHeader("Session-Expires").Value(); got != "600" {
		t.Errorf("the second INVITE asks for %s", got)
	}
	if again.callID != to.callID || again.invite.CSeq().SeqNo != to.invite.CSeq().SeqNo+1 {
		t.Error("the second INVITE is not the first one again")
	}
	again.answer(200, "OK", b.sdp("sendrecv"), "Require: timer", "Session-Expires: 600;refresher=uas")
	b.asked("ACK")
	from.acknowledge(a.told(200))
	// The callee refreshes; it doesn't, so it is gone.
	d.hurry(false, func(l *leg) {
		if l.renewal.ours || l.renewal.interval != 600 {
			t.Errorf("the timer is %+v", l.renewal)
		}
		l.expired()
	})
	again.hungUp()
	from.hungUp()
	d.reports("answered; ended lost by callee 408/102")
	d.quiet()
}

// We refresh with UPDATE where the peer knows it, else with a re-INVITE that changes nothing.
func TestRefresh(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(200, "OK", b.sdp("sendrecv"), "Allow: INVITE, ACK, BYE, UPDATE", "Session-Expires: 1800;refresher=uac")
	b.asked("ACK")
	from.acknowledge(a.told(200))
	d.hurry(false, (*leg).refresh)
	update := b.asked("UPDATE")
	if got := update.GetHeader("Session-Expires").Value(); got != "1800;refresher=uac" || len(update.Body()) > 0 {
		t.Errorf("the UPDATE says %s and %q", got, update.Body())
	}
	to.reply(update, 200, "OK", "", "Session-Expires: 1800;refresher=uac")
	d.hurry(true, (*leg).refresh)
	again := a.asked("INVITE")
	if len(again.Body()) == 0 {
		t.Error("the re-INVITE describes no session")
	}
	from.reply(again, 200, "OK", a.sdp("sendrecv"), "Session-Expires: 1800;refresher=uac")
	a.asked("ACK")
	// The peer has forgotten the call: so it is over.
	d.hurry(true, (*leg).refresh)
	from.reply(a.asked("INVITE"), 481, "Call/Transaction Does Not Exist", "")
	a.asked("ACK")
	from.hungUp()
	to.hungUp()
	d.reports("answered; ended lost by caller 408/102")
	d.quiet()
}

// Re-INVITEs that cross each other are both refused with 491, and ours is sent again after a while that depends on who began the call
// (RFC 3261 section 14.1).
func TestGlare(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	d.hurry(true, (*leg).refresh)
	ours := a.asked("INVITE")
	from.send("INVITE", a.sdp("sendrecv"))
	refused := a.told(491)
	from.write("ACK", from.branch, from.seq, "")
	_ = refused
	from.reply(ours, 491, "Request Pending", "")
	a.asked("ACK")
	again := a.asked("INVITE") // we did not choose the Call-ID: within 2 s
	from.reply(again, 200, "OK", a.sdp("sendrecv"))
	a.asked("ACK")
	for _, one := range []struct {
		first       bool
		least, most time.Duration
	}{{true, 0, 2 * time.Second}, {false, 2100 * time.Millisecond, 4 * time.Second}} {
		d.hurry(one.first, func(l *leg) {
			for range 200 {
				if wait := l.glare(); wait < one.least || wait > one.most || wait%(10*time.Millisecond) != 0 {
					t.Errorf("waits %s", wait)
				}
			}
		})
	}
	from.hangUp()
	to.hungUp()
	d.quiet()
}

// The peer refreshes, by UPDATE or by re-INVITE, and moves: later requests go to its new Contact.
func TestPeerRefreshes(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	from.send("UPDATE", "", "Supported: timer", "Session-Expires: 50")
	if got := a.told(422).GetHeader("Min-SE").Value(); got != "90" {
		t.Errorf("Min-SE is %s", got)
	}
	from.send("UPDATE", "", "Supported: timer", "Session-Expires: 95;refresher=uac")
	if got := a.told(200).GetHeader("Session-Expires").Value(); got != "95;refresher=uac" {
		t.Errorf("the 200 says %s", got)
	}
	d.hurry(true, func(l *leg) {
		l.d.behind = false // as a carrier: by its Contact
		l.d.target.User = "moved"
	})
	to.hangUp()
	if r := from.hungUp(); r.Recipient.User != "moved" {
		t.Errorf("the BYE goes to %s", r.Recipient.String())
	}
	d.quiet()
}

// What a callee says of the timer is held between bounds: it could otherwise have us refresh without end.
func TestSessionTimerOfAHostileCallee(t *testing.T) {
	for says, want := range map[string]int{"1": minSE, "9223372036854775807": longestSE, "0": 0} {
		d := openCalls(t, Options{})
		a, b := d.peer("1001"), d.peer("1002")
		d.always(func() *call.Verdict { return d.to("", "1002") })
		from := a.call("17100000001", a.sdp("sendrecv"))
		to := b.rung()
		to.answer(200, "OK", b.sdp("sendrecv"), "Session-Expires: "+says+";refresher=uac")
		b.asked("ACK")
		from.acknowledge(a.told(200))
		d.hurry(true, func(l *leg) {
			if got := l.c.second.renewal.interval; got != want {
				t.Errorf("%s becomes %d", says, got)
			}
		})
		from.hangUp()
		to.hungUp()
		d.quiet()
	}
}
