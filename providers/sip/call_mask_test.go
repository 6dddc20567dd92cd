package sip

import (
	"strings"
	"testing"

	"switchboard/comms/call"
)

// Neither side of a masked call is ever sent a byte that names the other: its number, user, display name, User-Agent, session names, tags,
// Call-ID or ports, in no request, response or session description, whatever happens during the call.
func TestMaskedPartiesNeverSeeEachOther(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("558877661"), d.peer("443399772")
	c := d.peer("221166335")
	const x = "+8617100000001"
	d.script.routes(func(in call.RouteCall) (*call.Verdict, error) {
		if in.Dialled == "transferred" {
			return d.to(x, c.number), nil
		}
		return d.to(x, b.number), nil
	})
	from, to := d.maskedCall(a, b, c)
	for _, p := range []*peer{a, b, c} {
		for _, other := range []*peer{a, b, c} {
			if other != p {
				p.neverSaw(other)
			}
		}
	}
	if strings.Contains(a.tap.all(), to.callID) || strings.Contains(b.tap.all(), from.callID) {
		t.Error("a side was sent the Call-ID of the other")
	}
}

// maskedCall is a call in which all that can happen does: a calls b, both hold and resume, and a transfers b to c.
func (d *callDesk) maskedCall(a, b, c *peer) (from, to *talk) {
	d.Helper()
	extra := []string{"P-Asserted-Identity: <sip:" + a.number + "@switchboard>", "Remote-Party-ID: <sip:" + a.number + "@switchboard>",
		"Subject: I am Display 558877661", "P-Preferred-Identity: <sip:" + a.number + "@switchboard>", "Organization: owner-558877661",
		"History-Info: <sip:" + a.number + "@switchboard>;index=1", "Diversion: <sip:" + a.number + "@switchboard>"}
	from = a.call("17100000001", a.sdp("sendrecv"), extra...)
	to = b.rung()
	theirs := []string{"P-Asserted-Identity: <sip:" + b.number + "@switchboard>", "Reply-To: <sip:" + b.number + "@switchboard>"}
	to.answer(180, "Ringing by Display 443399772", "", theirs...)
	a.told(180)
	to.answer(183, "Progress of 443399772", b.sdp("sendrecv"), theirs...)
	a.told(183)
	to.answer(200, "OK 443399772", b.sdp("sendrecv"), theirs...)
	b.asked("ACK")
	from.acknowledge(a.told(200))
	for _, side := range []*talk{from, to} { // hold, resume, a refresh and a digit, from each side
		for _, direction := range []string{"inactive", "sendonly", "sendrecv"} {
			side.send("INVITE", side.p.sdp(direction), extra...)
			side.acknowledge(side.p.told(200))
		}
		side.send("UPDATE", "", theirs...)
		side.p.told(200)
		side.send("OPTIONS", "")
		side.p.told(200)
	}
	from.send("INFO", "Signal=5\r\nDuration=100\r\n", "Content-Type: application/dtmf-relay", "Subject: 558877661")
	a.told(200)
	from.send("REFER", "", "Refer-To: <sip:transferred@switchboard>", "Referred-By: <sip:558877661@switchboard>")
	a.told(202)
	from.reply(a.asked("NOTIFY"), 200, "OK", "")
	third := c.rung()
	third.answer(200, "OK", c.sdp("sendrecv"))
	c.asked("ACK")
	from.reply(a.asked("NOTIFY"), 200, "OK", "")
	from.hungUp()
	third.send("BYE", "", `Reason: Q.850;cause=16;text="221166335 says goodbye"`)
	c.told(200)
	to.hungUp()
	d.quiet()

	return from, to
}

// neverSaw fails if the peer was sent anything that tells of another.
func (p *peer) neverSaw(other *peer) {
	p.Helper()
	seen := p.tap.all()
	if len(seen) < 2000 {
		p.Fatalf("%s saw only %d bytes", p.number, len(seen))
	}
	_, port, _ := strings.Cut(other.local().String(), ":")
	for _, secret := range []string{other.number, "Display " + other.number, "Agent-" + other.number, ":" + port,
		"owner-" + other.number, "session-" + other.number, "m=audio " + portOf(other)} {
		if i := strings.Index(seen, secret); i >= 0 {
			p.Errorf("%s was sent %q of %s:\n%s", p.number, secret, other.number, seen[max(0, i-300):min(len(seen), i+100)])
		}
	}
}

func portOf(p *peer) string {
	_, port, _ := strings.Cut(p.rtp.LocalAddr().String(), ":")
	return port
}

// A caller that the verdict doesn't name is anonymous (RFC 3323).
func TestWithheld(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("558877661"), d.peer("443399772")
	d.always(func() *call.Verdict { return d.to("", b.number) })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	if got := to.invite.From().Address.String(); got != "sip:anonymous@anonymous.invalid" {
		t.Errorf("From is %s", got)
	}
	if to.invite.GetHeader("Privacy") == nil {
		t.Error("no Privacy header")
	}
	to.answer(486, "Busy Here", "")
	b.asked("ACK")
	from.acknowledge(a.told(486))
	d.quiet()
}
