package sip

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
)

// carried is a desk with a trunk whose carrier is played by a peer, and a verdict that asks it for a number.
func openCarried(t *testing.T, wish comms.TrunkWish) (d *callDesk, carrier *peer, verdict func() *call.Verdict) {
	t.Helper()
	d = openCalls(t, Options{})
	carrier = d.another("9001")
	address, name, password := carrier.local().String(), "us", "our-password"
	wish.Address, wish.Username, wish.Password, wish.Prefixes = &address, &name, &password, []string{"86"}
	d.line("carrier", wish)
	d.until("the trunk", func() bool { return len(d.trunks.all()) == 1 })
	options := carrier.asked("OPTIONS")
	(&talk{p: carrier, mine: options.To().Value() + ";tag=o"}).reply(options, 200, "OK", "")
	id := d.trunks.all()[0].ID
	return d, carrier, func() *call.Verdict {
		return &call.Verdict{Call: uuid.New(), Second: &call.Leg{Number: "+8613800000001", ShownAs: "+8617100000001",
			Targets: []call.Target{{Trunk: id, Number: "+8613800000001"}}}}
	}
}

// A carrier asks for our password when it is called, and again for the BYE.
func TestTrunkAsksForAPassword(t *testing.T) {
	d, carrier, verdict := openCarried(t, comms.TrunkWish{})
	a := d.peer("1001")
	d.always(verdict)
	from := a.call("13800000001", a.sdp("sendrecv"))
	first := carrier.rung()
	if got := first.invite.Recipient.User + first.invite.From().Address.User; got != "+8613800000001+8617100000001" {
		t.Errorf("the carrier is asked for %s", got)
	}
	challenge := `Proxy-Authenticate: Digest realm="carrier", nonce="abc", algorithm=MD5, qop="auth"`
	first.answer(407, "Proxy Authentication Required", "", challenge)
	carrier.asked("ACK")
	to := carrier.rung()
	proof := to.invite.GetHeader("Proxy-Authorization")
	if proof == nil || !strings.Contains(proof.Value(), `username="us"`) || to.callID != first.callID || to.invite.CSeq().SeqNo != 2 {
		t.Fatalf("the second INVITE: %s", to.invite)
	}
	to.answer(180, "Ringing", "")
	a.told(180)
	to.answer(200, "OK", carrier.sdp("sendrecv"))
	carrier.asked("ACK")
	from.acknowledge(a.told(200))
	from.hangUp()
	bye := carrier.asked("BYE")
	to.reply(bye, 407, "Proxy Authentication Required", "", challenge)
	again := carrier.asked("BYE")
	if again.GetHeader("Proxy-Authorization") == nil || again.CSeq().SeqNo <= bye.CSeq().SeqNo {
		t.Errorf("the second BYE: %s", again)
	}
	to.reply(again, 200, "OK", "")
	d.reports("ringing; answered; ended hung_up by caller 0/16")
	d.quiet()
}

// A carrier that refuses our password refuses the call.
func TestTrunkRefusesThePassword(t *testing.T) {
	d, carrier, verdict := openCarried(t, comms.TrunkWish{})
	a := d.peer("1001")
	d.always(verdict)
	from := a.call("13800000001", a.sdp("sendrecv"))
	for range 2 {
		to := carrier.rung()
		to.answer(401, "Unauthorized", "", `WWW-Authenticate: Digest realm="carrier", nonce="abc", algorithm=MD5`)
		carrier.asked("ACK")
	}
	from.acknowledge(a.told(403))
	d.reports("ended not_allowed by callee 401/57")
	d.quiet()
}

// A carrier forks the INVITE and two answer: the second is acknowledged and sent away (RFC 3261 section 13.2.2.4).
func TestTrunkForks(t *testing.T) {
	d, carrier, verdict := openCarried(t, comms.TrunkWish{})
	a := d.peer("1001")
	d.always(verdict)
	from := a.call("13800000001", a.sdp("sendrecv"))
	one := carrier.rung()
	two := *one
	two.mine = strings.Replace(one.mine, "tag=", "tag=other", 1)
	one.answer(180, "Ringing", "")
	two.answer(180, "Ringing", "")
	a.told(180)
	one.answer(200, "OK", carrier.sdp("sendrecv"))
	carrier.asked("ACK")
	two.answer(200, "OK", carrier.sdp("sendrecv"))
	if ack := carrier.asked("ACK"); !strings.Contains(ack.To().Value(), "tag=other") {
		t.Errorf("the second ACK goes to %s", ack.To().Value())
	}
	if bye := two.hungUp(); !strings.Contains(bye.To().Value(), "tag=other") {
		t.Errorf("the BYE goes to %s", bye.To().Value())
	}
	from.acknowledge(a.told(200))
	from.hangUp()
	one.hungUp()
	d.quiet()
}

// Requests within a dialog follow its routes, and the carrier's new Contact (RFC 3261 section 12).
func TestRoutes(t *testing.T) {
	d, carrier, verdict := openCarried(t, comms.TrunkWish{})
	a, proxy := d.peer("1001"), d.another("9002")
	d.always(verdict)
	from := a.call("13800000001", a.sdp("sendrecv"))
	to := carrier.rung()
	to.answer(200, "OK", carrier.sdp("sendrecv"), "Record-Route: <sip:last@192.0.2.7;lr>", "Record-Route: <sip:"+proxy.local().String()+";lr>")
	ack := proxy.asked("ACK")
	var routes []string
	for _, r := range ack.GetHeaders("Route") {
		routes = append(routes, r.Value())
	}
	if want := "<sip:" + proxy.local().String() + ";lr> <sip:last@192.0.2.7;lr>"; strings.Join(routes, " ") != want {
		t.Errorf("the routes are %s in place of %s", routes, want)
	}
	if ack.Recipient.User != "9001" {
		t.Errorf("the target is %s", ack.Recipient.String())
	}
	from.acknowledge(a.told(200))
	from.hangUp()
	bye := proxy.asked("BYE")
	(&talk{p: proxy}).reply(bye, 200, "OK", "")
	d.quiet()
}

// A line that has enough calls is not asked for another.
func TestTrunkIsFull(t *testing.T) {
	one := 1
	d, carrier, verdict := openCarried(t, comms.TrunkWish{Concurrency: &one})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(verdict)
	from := a.call("13800000001", a.sdp("sendrecv"))
	to := carrier.rung()
	b.call("13800000001", b.sdp("sendrecv")).acknowledge(b.told(480))
	d.reports("ended too_many by us 503/42")
	to.answer(486, "Busy Here", "")
	carrier.asked("ACK")
	from.acknowledge(a.told(486))
	d.quiet()
	a.call("13800000001", a.sdp("sendrecv"))
	to = carrier.rung() // its place is free again
	to.answer(486, "Busy Here", "")
	carrier.asked("ACK")
	a.told(486)
}

// Calls by streams: both sides are answered over the connections that they opened. A telephone that came by TLS is offered SRTP first, and
// plain media where it refuses that.
func TestStreams(t *testing.T) {
	for _, by := range []string{"TCP", "TLS"} {
		t.Run(by, func(t *testing.T) {
			d := openCalls(t, Options{TLS: "127.0.0.1:0"})
			a, b := d.over(by, "1001"), d.over(by, "1002")
			a.enrol()
			b.enrol()
			d.always(func() *call.Verdict { return d.to("", "1002") })
			from := a.call("17100000001", a.sdp("sendrecv"))
			to := b.rung()
			if by == "TLS" {
				if offer := string(to.invite.Body()); !strings.Contains(offer, "RTP/SAVP") {
					t.Errorf("it is offered\n%s", offer)
				}
				to.answer(488, "Not Acceptable Here", "")
				b.asked("ACK")
				to = b.rung()
			}
			to.answer(200, "OK", b.sdp("sendrecv"))
			b.asked("ACK")
			from.acknowledge(a.told(200))
			from.send("INVITE", a.sdp("inactive"))
			from.acknowledge(a.told(200))
			to.hangUp()
			from.hungUp()
			d.reports("answered; ended hung_up by callee 0/16")
			d.quiet()
		})
	}
}

// The calls of a telephone that must be encrypted are: it is offered SRTP, and its own offer without is refused.
func TestSecureCalls(t *testing.T) {
	d := openCalls(t, Options{TLS: "127.0.0.1:0"})
	a, b := d.over("TLS", "1001"), d.peer("1002")
	a.enrol()
	yes := true
	if _, err := d.rules.UpdateSipNumber(d.ctx, call.UpdateSipNumber{ID: d.phones["1001"], Secure: &yes}); err != nil {
		t.Fatal(err)
	}
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	from.acknowledge(a.told(488))
	d.reports("ended no_media by us 488/88")
	a.enrol() // the binding knows now that it is secure
	d.always(func() *call.Verdict { return d.to("", "1001") })
	from = b.call("17100000001", b.sdp("sendrecv"))
	to := a.rung()
	if offer := string(to.invite.Body()); !strings.Contains(offer, "RTP/SAVP") || !strings.Contains(offer, "a=crypto:") {
		t.Errorf("it is offered\n%s", offer)
	}
	to.answer(200, "OK", a.sdp("sendrecv")) // without: that is refused as well
	a.asked("ACK")
	to.hungUp()
	from.acknowledge(b.told(488))
	d.quiet()
}
