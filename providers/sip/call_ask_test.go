package sip

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms/call"
)

// ask routes every call to a question.
func (d *callDesk) asks(most int, wait time.Duration) {
	d.always(func() *call.Verdict {
		return &call.Verdict{Call: uuid.New(), Ask: &call.Ask{Most: most, Wait: wait}}
	})
}

// A caller is asked for an extension, presses it (by INFO, as two kinds of telephones do), and is put through while it hears ringing.
func TestAsk(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	d.asks(4, 5*time.Second)
	heard := make(chan string, 1)
	d.script.understands(func(digits string) (*call.Verdict, error) {
		heard <- digits
		return d.to("+8617100000001", "1002"), nil
	})
	from := a.call("17100000001", a.sdp("sendrecv"))
	from.acknowledge(a.told(200))
	a.hears() // the beep
	from.send("INFO", "Signal=4\r\nDuration=100\r\n", "Content-Type: application/dtmf-relay")
	a.told(200)
	from.send("INFO", "2", "Content-Type: application/dtmf")
	a.told(200)
	from.send("INFO", "nothing", "Content-Type: text/plain")
	a.told(415)
	from.send("INFO", "Signal=#\r\n", "Content-Type: application/dtmf-relay")
	a.told(200)
	to := b.rung()
	if got := <-heard; got != "42" {
		t.Errorf("the rules were told %q", got)
	}
	to.answer(180, "Ringing", "")
	d.reports("ringing")
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	d.reports("ringing; answered")
	from.hangUp()
	to.hungUp()
	d.reports("ringing; answered; ended hung_up by caller 0/16")
	d.quiet()
}

// The rules refuse what was pressed, or the caller presses nothing, or hangs up.
func TestAskInVain(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		d := openCalls(t, Options{})
		a := d.peer("1001")
		d.asks(1, 5*time.Second)
		d.script.understands(func(string) (*call.Verdict, error) {
			return &call.Verdict{Refuse: &call.Refusal{Why: call.WhyStranger}}, nil
		})
		from := a.call("17100000001", a.sdp("sendrecv"))
		from.acknowledge(a.told(200))
		from.send("INFO", "Signal=4\r\n", "Content-Type: application/dtmf-relay")
		for range 2 { // the answer to INFO and the BYE
			if r, ok := isBye(a.hear(patience)); ok {
				from.reply(r, 200, "OK", "")
			}
		}
		d.reports("ended stranger by us 403/21")
		d.quiet()
	})
	t.Run("asked again and again", func(t *testing.T) {
		d := openCalls(t, Options{})
		a := d.peer("1001")
		d.asks(1, 50*time.Millisecond)
		times := 0
		d.script.understands(func(string) (*call.Verdict, error) {
			times++
			return &call.Verdict{Ask: &call.Ask{Most: 1, Wait: 50 * time.Millisecond}}, nil
		})
		from := a.call("17100000001", a.sdp("sendrecv"))
		from.acknowledge(a.told(200))
		from.hungUp()
		d.reports("ended no_such by us 0/1")
		if times != mostAsks {
			t.Errorf("asked %d times", times)
		}
		d.quiet()
	})
	t.Run("hung up", func(t *testing.T) {
		d := openCalls(t, Options{})
		a := d.peer("1001")
		d.asks(1, 5*time.Second)
		from := a.call("17100000001", a.sdp("sendrecv"))
		from.acknowledge(a.told(200))
		from.hangUp()
		d.reports("ended cancelled by caller 0/16")
		d.quiet()
	})
}

// A digit by INFO is passed on: as a telephone-event where the other side knows those, else by INFO.
func TestInfoIsPassedOn(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	from, to := d.connect(a, b)
	from.send("INFO", "Signal=5\r\nDuration=100\r\n", "Content-Type: application/dtmf-relay")
	a.told(200)
	b.hears()
	to.send("INVITE", "v=0\r\no=- 1 9 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio "+portOf(b)+" RTP/AVP 0\r\n") // no events
	to.acknowledge(b.told(200))
	for _, sign := range []string{"7", "11"} { // 11 is the code of #
		from.send("INFO", "Signal="+sign+"\r\nDuration=100\r\n", "Content-Type: application/dtmf-relay")
		a.told(200)
	}
	for _, want := range []string{"Signal=7\r\nDuration=160\r\n", "Signal=#\r\nDuration=160\r\n"} {
		info := b.asked("INFO")
		if string(info.Body()) != want {
			t.Errorf("passed on: %q", info.Body())
		}
		to.reply(info, 200, "OK", "")
	}
	from.hangUp()
	to.hungUp()
	d.quiet()
}
