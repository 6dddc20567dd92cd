package sip

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
)

// Click-to-call: the first leg is rung, hears ringing while the second is, and then the two talk.
func TestClickToCall(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	v := &call.Verdict{Call: uuid.New(), First: d.leg("+8617100000001", "1001"), Second: d.leg("+8617100000001", "1002")}
	if err := d.Dial(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	from := a.rung()
	from.answer(180, "Ringing", "")
	from.answer(200, "OK", a.sdp("sendrecv"))
	a.asked("ACK")
	to := b.rung()
	to.answer(180, "Ringing", "")
	d.reports("ringing")
	a.hears() // ringing
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	stop := make(chan struct{})
	defer close(stop)
	b.speaks(to.invite.Body(), stop)
	d.reports("ringing; answered")
	a.hears()
	from.hangUp()
	to.hungUp()
	d.reports("ringing; answered; ended hung_up by caller 0/16")
	d.quiet()
}

func TestClickToCallFirstRefuses(t *testing.T) {
	d := openCalls(t, Options{})
	a := d.peer("1001")
	d.another("1002")
	if err := d.Dial(t.Context(), &call.Verdict{Call: uuid.New(), First: d.leg("", "1001"), Second: d.leg("", "1002")}); err != nil {
		t.Fatal(err)
	}
	from := a.rung()
	from.answer(486, "Busy Here", "")
	a.asked("ACK")
	d.reports("ended busy by caller 486/17")
	d.quiet()
}

// The first leg hangs up while the second rings: the call was cancelled.
func TestClickToCallFirstGivesUp(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	if err := d.Dial(t.Context(), &call.Verdict{Call: uuid.New(), First: d.leg("", "1001"), Second: d.leg("", "1002")}); err != nil {
		t.Fatal(err)
	}
	from := a.rung()
	from.answer(200, "OK", a.sdp("sendrecv"))
	a.asked("ACK")
	to := b.rung()
	to.answer(180, "Ringing", "")
	d.reports("ringing")
	from.hangUp()
	to.reply(b.asked("CANCEL"), 200, "OK", "")
	to.answer(487, "Request Terminated", "")
	b.asked("ACK")
	d.reports("ringing; ended cancelled by caller 0/16")
	d.quiet()
}

type voice struct {
	err error
}

func (v voice) Speaks(string) bool { return v.err == nil }
func (v voice) Speak(context.Context, string, string) ([]int16, error) {
	return make([]int16, 800), v.err
}

func TestSpeak(t *testing.T) {
	for _, one := range []struct {
		voice Voice
		want  string
	}{{voice{}, "answered; ended hung_up by us 0/16"}, {voice{errors.New("hoarse")}, "answered; ended no_voice by us 0/79"}} {
		d := openCalls(t, Options{Voice: one.voice})
		b := d.peer("1002")
		v := &call.Verdict{Call: uuid.New(), Hold: true, Second: d.leg("", "1002"), Speak: &call.Speech{Text: "Good morning"}}
		if err := d.Dial(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		to := b.rung()
		to.answer(200, "OK", b.sdp("sendrecv"))
		b.asked("ACK")
		if one.voice == (voice{}) {
			b.hears()
		}
		to.hungUp()
		d.reports(one.want)
		d.quiet()
	}
}

func TestNothingCanSpeak(t *testing.T) {
	d := openCalls(t, Options{})
	d.another("1002")
	err := d.Dial(t.Context(), &call.Verdict{Call: uuid.New(), Hold: true, Second: d.leg("", "1002"), Speak: &call.Speech{Text: "Good morning"}})
	var e *comms.Error
	if !errors.As(err, &e) || e.Code != comms.Unavailable || e.Reason != comms.ReasonNoVoice {
		t.Errorf("Dial says %v", err)
	}
	d.quiet()
}

func TestOrders(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	code := func(err error) comms.Code {
		var e *comms.Error
		if err == nil || !errors.As(err, &e) {
			t.Helper()
			t.Fatalf("not refused: %v", err)
		}
		return e.Code
	}
	if got := code(d.Order(t.Context(), uuid.New(), call.Order{StopRecord: true})); got != comms.NotFound {
		t.Errorf("an unknown call: %s", got)
	}
	v := d.to("", "1002")
	d.always(func() *call.Verdict { return v })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	for name, o := range map[string]call.Order{"record": {StartRecord: &call.StartRecord{Recording: uuid.New()}}, "stop": {StopRecord: true},
		"digits": {SendDigits: &call.SendDigits{Digits: "1"}}, "transfer": {Transfer: d.leg("", "1002")}} {
		if got := code(d.Order(t.Context(), v.Call, o)); got != comms.Conflict {
			t.Errorf("%s before the answer: %s", name, got)
		}
	}
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	d.reports("answered")
	recording := uuid.New()
	order := func(o call.Order) {
		t.Helper()
		if err := d.Order(t.Context(), v.Call, o); err != nil {
			t.Fatal(err)
		}
	}
	order(call.Order{StartRecord: &call.StartRecord{Recording: recording}})
	if got := code(d.Order(t.Context(), v.Call, call.Order{StartRecord: &call.StartRecord{Recording: uuid.New()}})); got != comms.Conflict {
		t.Errorf("a second recording: %s", got)
	}
	if got := code(d.Order(t.Context(), v.Call, call.Order{SendDigits: &call.SendDigits{Digits: "x"}})); got != comms.Invalid {
		t.Errorf("wrong digits: %s", got)
	}
	order(call.Order{SendDigits: &call.SendDigits{Digits: "5"}})
	b.hears()
	order(call.Order{StopRecord: true})
	d.reports("answered; recorded")
	order(call.Order{HangUp: &call.End{Why: call.WhyHungUp, By: call.ByUs}})
	from.hungUp()
	to.hungUp()
	d.reports("answered; recorded; ended hung_up by us 0/16")
	d.quiet()
	tape := d.script.tape[0]
	if tape.Err != nil || filepath.Base(tape.File) != recording.String()+".wav" {
		t.Errorf("recorded %+v", tape)
	}
	if info, err := os.Stat(tape.File); err != nil || info.Size() < 44 {
		t.Errorf("the file: %v %v", info, err)
	}
}

// The account hangs up before the answer: the caller is told, the callee cancelled.
func TestHungUpBeforeTheAnswer(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	v := d.to("", "1002")
	d.always(func() *call.Verdict { return v })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(180, "Ringing", "")
	a.told(180)
	if err := d.Order(t.Context(), v.Call, call.Order{HangUp: &call.End{Why: call.WhyCancelled}}); err != nil {
		t.Fatal(err)
	}
	from.acknowledge(a.told(487))
	to.reply(b.asked("CANCEL"), 200, "OK", "")
	to.answer(487, "Request Terminated", "")
	b.asked("ACK")
	d.reports("ringing; ended cancelled by us 0/16")
	d.quiet()
}

// A recording that runs when the call ends is finished, after the end was told.
func TestRecordingEndsWithTheCall(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	v := d.to("", "1002")
	d.always(func() *call.Verdict { return v })
	from := a.call("17100000001", a.sdp("sendrecv"))
	to := b.rung()
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	if err := d.Order(t.Context(), v.Call, call.Order{StartRecord: &call.StartRecord{Recording: uuid.New()}}); err != nil {
		t.Fatal(err)
	}
	from.hangUp()
	to.hungUp()
	d.reports("answered; ended hung_up by caller 0/16; recorded")
	d.quiet()
}

// An end that can't be stored is told again until it is.
func TestEndIsToldUntilItIsStored(t *testing.T) {
	d := openCalls(t, Options{})
	a := d.peer("1001")
	d.another("1002")
	d.script.refuse = 3
	d.always(func() *call.Verdict { return d.to("", "1002") })
	a.call("17100000001", a.sdp("sendrecv")).acknowledge(a.told(480))
	d.reports("ended unreachable by callee 480/20")
	if !strings.Contains(d.log.String(), "is not stored yet") {
		t.Error("nobody was told that the store is away")
	}
}

// The caller gives up before the rules have said where the call goes: they are told under the name that they give it then.
func TestCancelledWhileRouting(t *testing.T) {
	d := openCalls(t, Options{})
	a, b := d.peer("1001"), d.peer("1002")
	asked, going := make(chan struct{}), make(chan struct{})
	d.script.routes(func(call.RouteCall) (*call.Verdict, error) {
		close(asked)
		<-going
		return d.to("", "1002"), nil
	})
	from := a.call("17100000001", a.sdp("sendrecv"))
	<-asked
	from.send("CANCEL", "")
	a.told(200)
	from.acknowledge(a.told(487))
	close(going)
	d.reports("ended cancelled by caller 487/16")
	b.hush(100 * time.Millisecond)
	d.quiet()
}

func TestRoutingFails(t *testing.T) {
	d := openCalls(t, Options{})
	a := d.peer("1001")
	for _, one := range []struct {
		err    error
		status int
	}{{errors.New("broken"), 500}, {&comms.Error{Code: comms.Limited}, 480}, {&comms.Error{Code: comms.Unavailable}, 503}} {
		d.script.routes(func(call.RouteCall) (*call.Verdict, error) { return nil, one.err })
		a.call("17100000001", a.sdp("sendrecv")).acknowledge(a.told(one.status))
	}
	d.script.routes(func(call.RouteCall) (*call.Verdict, error) { panic("a fault") })
	d.faulty = true
	a.call("17100000001", a.sdp("sendrecv")).acknowledge(a.told(500))
	d.quiet()
}
