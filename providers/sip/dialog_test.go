package sip

import (
	"strings"
	"testing"
	"time"

	"switchboard/comms/call"
)

func TestCallAnswered(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	from.hangUp()
	if r := to.hungUp(); r.GetHeader("Reason").Value() != `Q.850;cause=16;text="Normal call clearing"` {
		t.Errorf("the BYE says %v", r.GetHeader("Reason"))
	}
	d.reports("ringing; answered; ended hung_up by caller 0/16")
	d.quiet()
}

func TestCalleeHangsUp(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	to.hangUp()
	from.hungUp()
	d.reports("ringing; answered; ended hung_up by callee 0/16")
	d.quiet()
}

// Each final response of a callee becomes one word, and that word one status for the caller; nothing of the callee's own words passes.
func TestRefusals(t *testing.T) {
	for status, want := range map[string]struct {
		caller int
		report string
	}{
		"486 Busy Here":               {486, "ended busy by callee 486/17"},
		"600 Busy Everywhere":         {486, "ended busy by callee 600/17"},
		"603 Decline":                 {603, "ended declined by callee 603/21"},
		"404 Not Found":               {404, "ended no_such by callee 404/1"},
		"480 Temporarily Unavailable": {480, "ended unreachable by callee 480/20"},
		"488 Not Acceptable Here":     {488, "ended no_media by callee 488/88"},
		"302 Moved Temporarily":       {500, "ended failed by callee 302/41"},
		"500 Server Internal Error":   {500, "ended failed by callee 500/41"},
	} {
		t.Run(status, func(t *testing.T) {
			d := openCalls(t, Options{})
			a, b := d.peer("1001"), d.peer("1002")
			d.always(func() *call.Verdict { return d.to("+8617100000001", "1002") })
			from := a.call("17100000001", a.sdp("sendrecv"))
			to := b.rung()
			code, phrase, _ := strings.Cut(status, " ")
			to.answer(int(code[0]-'0')*100+int(code[1]-'0')*10+int(code[2]-'0'), phrase, "", "Contact: <sip:elsewhere@192.0.2.9>")
			b.asked("ACK")
			from.acknowledge(a.told(want.caller))
			d.reports(want.report)
			d.quiet()
		})
	}
}

// A carrier's Reason header says more than its status.
func TestReasonOfAFailure(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(500, "Oops", "", `Reason: SIP;cause=500, Q.850;cause=17;text="User busy"`)
	b.asked("ACK")
	from.acknowledge(a.told(486))
	d.reports("ended busy by callee 500/17")
	d.quiet()
}

func TestRefusedByTheRules(t *testing.T) {
	d := openCalls(t, Options{})
	a := d.peer("1001")
	d.always(func() *call.Verdict {
		v := d.to("")
		v.Second, v.Refuse = nil, &call.Refusal{Why: call.WhyStranger}
		return v
	})
	from := a.call("17100000001", a.sdp("sendrecv"))
	r := a.told(403)
	if got := d.script.reported(); got != "ended stranger by us 403/21" { // on record before the caller hears of it
		t.Errorf("reported %q", got)
	}
	from.acknowledge(r)
	if got := r.GetHeader("Reason"); got == nil || got.Value() != `Q.850;cause=21;text="Forbidden"` {
		t.Errorf("the reason is %v", got)
	}
	d.reports("ended stranger by us 403/21")
	d.quiet()
}

// A store that is away for a moment delays no refusal, and is told of it later.
func TestRefusedWhileTheStoreIsAway(t *testing.T) {
	d := openCalls(t, Options{})
	a := d.peer("1001")
	d.script.refuse = 1
	d.always(func() *call.Verdict {
		v := d.to("")
		v.Second, v.Refuse = nil, &call.Refusal{Why: call.WhyBlocked}
		return v
	})
	a.call("17100000001", a.sdp("sendrecv")).acknowledge(a.told(603))
	d.reports("ended blocked by us 603/21")
	d.quiet()
}

func TestNobodyRegistered(t *testing.T) {
	d := openCalls(t, Options{})
	a := d.peer("1001")
	d.another("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	a.call("17100000001", a.sdp("sendrecv")).acknowledge(a.told(480))
	d.reports("ended unreachable by callee 480/20")
	d.quiet()
}

func TestNoAnswer(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict {
		v := d.to("", "1002")
		v.Second.RingFor = 200 * time.Millisecond
		return v
	})
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(180, "Ringing", "")
	a.told(180)
	cancel := b.asked("CANCEL")
	to.reply(cancel, 200, "OK", "")
	to.answer(487, "Request Terminated", "")
	b.asked("ACK")
	from.acknowledge(a.told(480))
	d.reports("ringing; ended no_answer by callee 408/19")
	d.quiet()
}

func TestCancelled(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(180, "Ringing", "")
	a.told(180)
	from.send("CANCEL", "")
	cancel := b.asked("CANCEL")
	to.reply(cancel, 200, "OK", "")
	to.answer(487, "Request Terminated", "")
	b.asked("ACK")
	a.told(200) // to the CANCEL
	from.acknowledge(a.told(487))
	d.reports("ringing; ended cancelled by caller 487/16")
	d.quiet()
}

// RFC 3261 section 15.1.1: a 2xx that crosses our CANCEL made a dialog, which must be ended with ACK and BYE.
func TestCancelCrosses200(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(180, "Ringing", "")
	a.told(180)
	from.send("CANCEL", "")
	a.told(200)
	from.acknowledge(a.told(487))
	cancel := b.asked("CANCEL")
	to.answer(200, "OK", b.sdp("sendrecv")) // it had answered just before
	to.reply(cancel, 481, "Call/Transaction Does Not Exist", "")
	b.asked("ACK")
	to.hungUp()
	d.reports("ringing; ended cancelled by caller 487/16")
	d.quiet()
}

// No CANCEL may be sent before a provisional response (RFC 3261 section 9.1), and the caller doesn't wait for a callee that says nothing.
func TestCancelBeforeAnyResponse(t *testing.T) {
	t.Run("and none ever comes", func(t *testing.T) {
		d := openCalls(t, Options{})
		a, b := d.peer("1001"), d.peer("1002")
		d.always(func() *call.Verdict { return d.to("", "1002") })
		from := a.call("17100000001", a.sdp("sendrecv"))
		b.rung()
		from.send("CANCEL", "")
		a.told(200)
		from.acknowledge(a.told(487))
		d.reports("ended cancelled by caller 487/16")
		b.hush(500 * time.Millisecond)
		d.quiet()
	})
	t.Run("and it comes late", func(t *testing.T) {
		d := openCalls(t, Options{})
		a, b := d.peer("1001"), d.peer("1002")
		d.always(func() *call.Verdict { return d.to("", "1002") })
		from := a.call("17100000001", a.sdp("sendrecv"))
		to := b.rung()
		from.send("CANCEL", "")
		a.told(200)
		from.acknowledge(a.told(487))
		to.answer(180, "Ringing", "")
		to.reply(b.asked("CANCEL"), 200, "OK", "")
		to.answer(487, "Request Terminated", "")
		b.asked("ACK")
		d.quiet()
	})
	t.Run("and it answers", func(t *testing.T) {
		d := openCalls(t, Options{})
		a, b := d.peer("1001"), d.peer("1002")
		d.always(func() *call.Verdict { return d.to("", "1002") })
		from := a.call("17100000001", a.sdp("sendrecv"))
		to := b.rung()
		from.send("CANCEL", "")
		a.told(200)
		from.acknowledge(a.told(487))
		to.answer(200, "OK", b.sdp("sendrecv"))
		b.asked("ACK")
		to.hungUp()
		d.quiet()
	})
}

// A callee that was sent CANCEL and then says nothing is given up after 64*T1.
func TestCancelledCalleeFallsSilent(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(180, "Ringing", "")
	a.told(180)
	from.send("CANCEL", "")
	b.asked("CANCEL")
	d.reports("ringing; ended cancelled by caller 487/16")
	d.quiet()
}

func TestRingingFifteenTimes(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	for range 15 {
		to.answer(180, "Ringing", "")
	}
	a.told(180)
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	d.reports("ringing; answered")
	from.hangUp()
	to.hungUp()
	d.quiet()
}

// The caller's ACK is lost for good: the 2xx is repeated, and then both sides are sent BYE.
func TestLostAck(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.theirs = a.told(200).To().Value()
	from.reply(a.asked("BYE"), 481, "Call/Transaction Does Not Exist", "")
	to.hungUp()
	if n := strings.Count(a.tap.all(), "SIP/2.0 200 OK"); n < 8 { // 50, 100, 200, 400, 400 ms...
		t.Errorf("the 2xx was sent %d times", n)
	}
	d.reports("answered; ended lost by caller 408/102")
	d.quiet()
}

// The callee did not get our ACK: its repeated 2xx is acknowledged again, by the same ACK.
func TestRepeated2xx(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	sdp := b.sdp("sendrecv")
	to.answer(200, "OK", sdp)
	first := b.asked("ACK")
	from.acknowledge(a.told(200))
	clear(b.done)
	to.answer(200, "OK", sdp)
	if again := b.asked("ACK"); again.Via().Value() != first.Via().Value() {
		t.Errorf("the ACK has another branch: %s, %s", first.Via().Value(), again.Via().Value())
	}
	from.hangUp()
	to.hungUp()
	d.quiet()
}

// The call was hung up while the caller's ACK was still missing: BYE waits for it (RFC 3261 section 15).
func TestByeWaitsForTheAck(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	ok := a.told(200)
	to.hangUp()
	a.hush(300 * time.Millisecond)
	from.acknowledge(ok)
	from.hungUp()
	d.quiet()
}

// Both sides hang up at once: each BYE is answered, whoever was first.
func TestBothHangUpAtOnce(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	from.send("BYE", "")
	to.send("BYE", "")
	for _, side := range []*talk{from, to} {
		side.p.told200AndBye(side)
	}
	d.quiet()
	if got := d.script.reported(); strings.Count(got, "ended") != 1 {
		t.Errorf("reported: %s", got)
	}
}

// told200AndBye takes the answer to a BYE, and a BYE if one crossed it.
func (p *peer) told200AndBye(t *talk) {
	p.Helper()
	for m := p.hear(patience); m != nil; m = p.hear(300 * time.Millisecond) {
		if r, ok := isBye(m); ok {
			t.reply(r, 200, "OK", "")
		} else if !is200(m) {
			p.Fatalf("%s was sent %v", p.number, m)
		}
	}
}

// What belongs to no dialog, or to one that has ended, is told so.
func TestNoSuchDialog(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	theirs := from.theirs
	from.theirs = strings.Replace(theirs, "tag=", "tag=x", 1)
	from.send("BYE", "")
	a.told(481)
	from.theirs = theirs
	mine := from.mine
	from.mine = strings.Replace(mine, "tag=", "tag=x", 1)
	from.send("BYE", "") // our tag is right, the peer's is not
	a.told(481)
	from.mine = mine
	from.seq = 0
	from.send("INFO", "")
	a.told(500) // older than what came before it
	from.seq = 10
	from.hangUp()
	to.hungUp()
	d.quiet()
	from.send("BYE", "")
	a.told(481)
}
