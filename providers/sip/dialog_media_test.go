package sip

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// speaks sends RTP from the telephone to where a description says, until stop is closed, and tells by hears whether any came.
func (p *peer) speaks(description []byte, stop chan struct{}) {
	p.Helper()
	to := whereTo(p.T, description)
	go func() {
		packet := append([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, bytes.Repeat([]byte{0x55}, 160)...)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			packet[3], packet[2] = byte(n), byte(n>>8)
			ts := n * 160
			packet[4], packet[5], packet[6], packet[7] = byte(ts>>24), byte(ts>>16), byte(ts>>8), byte(ts)
			_, _ = p.rtp.WriteToUDPAddrPort(packet, to) // the other side may have gone
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
}

// hears waits for RTP.
func (p *peer) hears() {
	p.Helper()
	if err := p.rtp.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.Fatal(err)
	}
	if _, _, err := p.rtp.ReadFromUDP(make([]byte, 1500)); err != nil {
		p.Fatalf("%s hears nothing: %v", p.number, err)
	}
}

func whereTo(t *testing.T, description []byte) netip.AddrPort {
	t.Helper()
	port := ""
	for _, line := range strings.Split(string(description), "\r\n") {
		if rest, ok := strings.CutPrefix(line, "m=audio "); ok {
			port, _, _ = strings.Cut(rest, " ")
		}
	}
	at, err := netip.ParseAddrPort("127.0.0.1:" + port)
	if err != nil {
		t.Fatalf("no media in %q", description)
	}
	return at
}

// Early media of the callee reaches the caller by 183, before there is an answer.
func TestEarlyMedia(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(183, "Session Progress", b.sdp("sendrecv"))
	progress := a.told(183)
	stop := make(chan struct{})
	defer close(stop)
	b.speaks(to.invite.Body(), stop)
	a.hears()
	to.answer(200, "OK", "") // the answer was in the 183 already
	b.asked("ACK")
	ok := a.told(200)
	if !bytes.Equal(ok.Body(), progress.Body()) {
		t.Errorf("the 200 describes something else than the 183:\n%s\n%s", ok.Body(), progress.Body())
	}
	from.acknowledge(ok)
	d.reports("ringing; answered")
	from.hangUp()
	to.hungUp()
	d.quiet()
}

// An answer without any description can't be talked through: the callee is sent BYE, the caller 488.
func TestAnswerWithoutMedia(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(200, "OK", "")
	b.asked("ACK")
	to.hungUp()
	from.acknowledge(a.told(488))
	d.reports("ended no_media by callee 488/88")
	d.quiet()
}

func TestCallerWithoutCodec(t *testing.T) {
	d := openCalls(t, Options{})
	a := d.peer("1001")
	d.another("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", strings.Replace(a.sdp("sendrecv"), "RTP/AVP 0 8 101", "RTP/AVP 18", 1))
	from.acknowledge(a.told(488))
	d.reports("ended no_media by us 488/88")
	d.quiet()
}

// An INVITE without an offer: ours is in the 200, the answer in the ACK.
func TestLateOffer(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", "")
	to := b.rung()
	to.answer(183, "Session Progress", b.sdp("sendrecv"))
	if r := a.told(180); len(r.Body()) > 0 {
		t.Errorf("a description was sent before the answer: %s", r.Body())
	}
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	ok := a.told(200)
	from.acknowledge(ok, a.sdp("sendrecv"))
	stop := make(chan struct{})
	defer close(stop)
	a.speaks(ok.Body(), stop)
	b.hears()
	b.speaks(to.invite.Body(), stop)
	a.hears()
	// And a re-INVITE without an offer.
	to.send("INVITE", "")
	again := b.told(200)
	if len(again.Body()) == 0 {
		t.Error("the answer to an empty re-INVITE has no offer")
	}
	to.acknowledge(again, b.sdp("sendrecv"))
	from.hangUp()
	to.hungUp()
	d.quiet()
}

func TestLateOfferNeverAnswered(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", "")
	to := b.rung()
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	from.hungUp()
	to.hungUp()
	d.reports("answered; ended no_media by caller 488/88")
	d.quiet()
}

// Hold and resume: answered at once from our own media, without asking a password again; the other side's dialog is not troubled.
func TestHold(t *testing.T) {
	d := openCalls(t, Options{RTPTimeout: 400 * time.Millisecond})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	stop := make(chan struct{})
	defer close(stop)
	b.speaks(to.invite.Body(), stop)
	from.send("INVITE", a.sdp("inactive"))
	ok := a.told(200)
	if !strings.Contains(string(ok.Body()), "a=inactive") {
		t.Errorf("hold was answered by\n%s", ok.Body())
	}
	from.acknowledge(ok)
	b.hears()                       // silence, so that its own time-out doesn't end the call
	a.hush(1200 * time.Millisecond) // who holds may be silent for longer than the RTP time-out
	from.send("INVITE", a.sdp("sendrecv"))
	ok = a.told(200)
	if strings.Contains(string(ok.Body()), "inactive") {
		t.Errorf("resume was answered by\n%s", ok.Body())
	}
	from.acknowledge(ok)
	a.speaks(ok.Body(), stop)
	b.hears()
	from.hangUp()
	to.hungUp()
	d.reports("ringing; answered; ended hung_up by caller 0/16")
	d.quiet()
}

// An offer that can't be taken leaves the call as it was (RFC 3261 section 14.2).
func TestReinviteRefused(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	from.send("INVITE", strings.Replace(a.sdp("sendrecv"), "RTP/AVP 0 8 101", "RTP/AVP 18", 1))
	r := a.told(488)
	from.write("ACK", from.branch, from.seq, "")
	_ = r
	from.hangUp()
	to.hungUp()
	d.quiet()
}

// A side that sends no RTP any more is gone, though nobody said BYE.
func TestVanishedCaller(t *testing.T) {
	d := openCalls(t, Options{RTPTimeout: 300 * time.Millisecond})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	stop := make(chan struct{})
	defer close(stop)
	b.speaks(to.invite.Body(), stop)
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	a.Close() // and nothing answers there
	a.rtp.Close()
	to.hungUp()
	d.reports("answered; ended lost by caller 408/102")
	d.quiet()
}

func TestLongestDuration(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict {
		v := d.to("", "1002")
		v.MaxDuration = 200 * time.Millisecond
		return v
	})
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	from.hungUp()
	to.hungUp()
	d.reports("answered; ended too_long by us 0/102")
	d.quiet()
}

// A caller that requires reliable provisional responses (RFC 3262) gets them, one at a time, each until its PRACK.
func TestReliableProvisional(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"), "Require: 100rel")
	to := b.rung()
	to.answer(180, "Ringing", "")
	ringing := a.told(180)
	from.theirs, from.target = ringing.To().Value(), ringing.Contact().Address.String()
	to.answer(183, "Session Progress", b.sdp("sendrecv"))
	from.send("PRACK", "", "RAck: 99 2 INVITE")
	a.told(481)
	from.send("PRACK", "", "RAck: "+ringing.GetHeader("RSeq").Value()+" 2 INVITE")
	var seen []int
	for len(seen) < 2 { // the answer to the PRACK and what it let through may come in either order
		r, ok := a.hear(patience).(*sip.Response)
		if !ok {
			t.Fatal("no answer to PRACK")
		}
		seen = append(seen, r.StatusCode)
		if r.StatusCode == 183 {
			from.send("PRACK", "", "RAck: "+r.GetHeader("RSeq").Value()+" 2 INVITE")
		}
	}
	a.told(200)
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	ok := a.told(200)
	from.acknowledge(ok)
	from.hangUp()
	to.hungUp()
	d.quiet()
}

// A callee that sends reliable provisional responses though nobody asked for them is sent PRACK all the same: else it would fail the call.
func TestUnaskedReliableProvisional(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.always(func() *call.Verdict { return d.to("", "1002") })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(180, "Ringing", "", "Require: 100rel", "RSeq: 17")
	prack := b.asked("PRACK")
	if got := prack.GetHeader("RAck").Value(); got != "17 1 INVITE" {
		t.Errorf("RAck is %s", got)
	}
	to.reply(prack, 200, "OK", "")
	a.told(180)
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	from.hangUp()
	to.hungUp()
	d.quiet()
}
