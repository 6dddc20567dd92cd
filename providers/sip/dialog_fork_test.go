package sip

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

func isBye(m sip.Message) (*sip.Request, bool) {
	r, ok := m.(*sip.Request)
	return r, ok && r.Method == sip.BYE
}

func is200(m sip.Message) bool {
	r, ok := m.(*sip.Response)
	return ok && r.StatusCode == 200
}

// Contacts of one number ring together: the first that answers wins, and the others are told that somebody did.
func TestFirstAnswerWins(t *testing.T) {
	d := openCalls(t, Options{})
	a, b1, b2 := d.peer("1001"), d.peer("1002"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	one, two := b1.rung(), b2.rung()
	one.answer(180, "Ringing", "")
	two.answer(180, "Ringing", "")
	a.told(180)
	two.answer(200, "OK", b2.sdp("sendrecv"))
	b2.asked("ACK")
	from.acknowledge(a.told(200))
	cancel := b1.asked("CANCEL")
	if got := cancel.GetHeader("Reason").Value(); got != `SIP;cause=200;text="Call completed elsewhere"` {
		t.Errorf("the CANCEL says %s", got)
	}
	one.reply(cancel, 200, "OK", "")
	one.answer(487, "Request Terminated", "")
	b1.asked("ACK")
	from.hangUp()
	two.hungUp()
	d.reports("ringing; answered; ended hung_up by caller 0/16")
	d.quiet()
}

// Two answer at the same moment: one is put through, the other is acknowledged and sent away.
func TestTwoAnswerAtOnce(t *testing.T) {
	d := openCalls(t, Options{})
	a, b1, b2 := d.peer("1001"), d.peer("1002"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	one, two := b1.rung(), b2.rung()
	one.answer(200, "OK", b1.sdp("sendrecv"))
	b1.asked("ACK")
	two.answer(200, "OK", b2.sdp("sendrecv"))
	b2.asked("ACK")
	if got := two.hungUp().GetHeader("Reason").Value(); got != elsewhere {
		t.Errorf("the BYE says %s", got)
	}
	from.acknowledge(a.told(200))
	from.hangUp()
	one.hungUp()
	d.quiet()
}

// One says busy and the other rings on; then that says no as well: the caller is told what says most.
func TestAllRefuse(t *testing.T) {
	d := openCalls(t, Options{})
	a, b1, b2 := d.peer("1001"), d.peer("1002"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	one, two := b1.rung(), b2.rung()
	one.answer(486, "Busy Here", "")
	b1.asked("ACK")
	two.answer(480, "Temporarily Unavailable", "")
	b2.asked("ACK")
	from.acknowledge(a.told(486))
	d.reports("ended busy by callee 486/17")
	d.quiet()
}

// 6xx speaks for the person: the other telephones stop ringing at once.
func TestDeclineEndsAll(t *testing.T) {
	d := openCalls(t, Options{})
	a, b1, b2 := d.peer("1001"), d.peer("1002"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	one, two := b1.rung(), b2.rung()
	two.answer(180, "Ringing", "")
	a.told(180)
	one.answer(603, "Decline", "")
	b1.asked("ACK")
	two.reply(b2.asked("CANCEL"), 200, "OK", "")
	two.answer(487, "Request Terminated", "")
	b2.asked("ACK")
	from.acknowledge(a.told(603))
	d.quiet()
}
