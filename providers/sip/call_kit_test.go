package sip

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"switchboard/comms/call"
)

// The timers of RFC 3261 at a tenth: 64*T1 is 3.2 s, so that a test can wait for what must give up.
func init() { sip.SetTimers(50*time.Millisecond, 400*time.Millisecond, 500*time.Millisecond) }

// scripted are the real rules, but for the routing: a test says the verdict, and reads what is reported.
type scripted struct {
	*call.Service
	route  func(in call.RouteCall) (*call.Verdict, error)
	digits func(digits string) (*call.Verdict, error)
	refuse int // so many reports of an end fail before one is taken

	mu    sync.Mutex // guards all but Service
	told  []string
	tape  []call.Recorded
	names map[uuid.UUID]string // what reports of these are noted with
}

func (s *scripted) nameOf(id uuid.UUID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[id]
}

func (s *scripted) RouteCall(_ context.Context, in call.RouteCall) (*call.Verdict, error) {
	s.mu.Lock()
	route := s.route
	s.mu.Unlock()
	return route(in)
}

func (s *scripted) RouteDigits(_ context.Context, _ uuid.UUID, digits string) (*call.Verdict, error) {
	s.mu.Lock()
	understand := s.digits
	s.mu.Unlock()
	return understand(digits)
}

// routes says from now on where calls go.
func (s *scripted) routes(route func(in call.RouteCall) (*call.Verdict, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.route = route
}

// understands says from now on what digits mean.
func (s *scripted) understands(digits func(string) (*call.Verdict, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.digits = digits
}

func (s *scripted) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, line)
}

func (s *scripted) CallRinging(_ context.Context, id uuid.UUID) error {
	s.note("ringing" + s.nameOf(id))
	return nil
}
func (s *scripted) CallAnswered(_ context.Context, id uuid.UUID) error {
	s.note("answered" + s.nameOf(id))
	return nil
}
func (s *scripted) CallTransferred(_ context.Context, _ uuid.UUID, why call.Why) error {
	s.note(strings.TrimSpace("transferred " + string(why)))
	return nil
}
func (s *scripted) CallEnded(_ context.Context, id uuid.UUID, e call.End) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		return fmt.Errorf("the store is away")
	}
	s.told = append(s.told, fmt.Sprintf("ended%s %s by %s %d/%d", s.names[id], e.Why, e.By, e.Status, e.Cause))
	return nil
}

func (s *scripted) RecordingEnded(_ context.Context, _ uuid.UUID, r call.Recorded) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tape = append(s.tape, r)
	s.told = append(s.told, "recorded")
	return nil
}

func (s *scripted) reported() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.told, "; ")
}

// stage is a desk with telephones whose calls go where the test says.
type callDesk struct {
	*desk
	script *scripted
	phones map[string]uuid.UUID // script.mu guards it
	faulty bool                 // the test makes something panic
}

func openCalls(t *testing.T, opt Options) *callDesk {
	t.Helper()
	opt.Throttle.Off, opt.DrainTimeout = true, 100*time.Millisecond
	opt.Recordings = t.TempDir()
	d := &callDesk{desk: newDesk(t, opt), phones: map[string]uuid.UUID{}}
	d.script = &scripted{Service: d.rules}
	d.Server.rules = d.script
	d.serve()
	t.Cleanup(func() {
		if log := d.log.String(); strings.Contains(log, "panic=") != d.faulty {
			t.Errorf("something failed, or didn't though it should:\n%s", log)
		}
	})
	return d
}

// to is a verdict: ring these telephones together.
func (d *callDesk) to(shownAs string, numbers ...string) *call.Verdict {
	v := &call.Verdict{Call: uuid.New(), Second: d.leg(shownAs, numbers...)}
	return v
}

func (d *callDesk) leg(shownAs string, numbers ...string) *call.Leg {
	l := &call.Leg{ShownAs: shownAs, RingFor: 20 * time.Second}
	d.script.mu.Lock()
	defer d.script.mu.Unlock()
	for _, n := range numbers {
		l.Targets = append(l.Targets, call.Target{Phone: d.phones[n]})
	}
	return l
}

// always routes every call to a verdict of the same kind.
func (d *callDesk) always(verdict func() *call.Verdict) {
	d.script.routes(func(call.RouteCall) (*call.Verdict, error) { return verdict(), nil })
}

// scriptByCaller routes every call to the telephone whose number was dialled.
func (d *callDesk) scriptByCaller() {
	d.script.routes(func(in call.RouteCall) (*call.Verdict, error) { return d.to("+8617100000001", in.Dialled), nil })
}

// reports waits until exactly that was reported.
func (d *callDesk) reports(want string) {
	d.Helper()
	over := time.NewTimer(patience)
	defer over.Stop()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for d.script.reported() != want {
		select {
		case <-over.C:
			d.Fatalf("reported: %s\nwant:     %s", d.script.reported(), want)
		case <-look.C:
		}
	}
}

// quiet waits until nothing of any call is left.
func (d *callDesk) quiet() {
	d.Helper()
	d.until("an end of all calls", func() bool {
		d.tables.Lock()
		defer d.tables.Unlock()
		return len(d.all) == 0 && len(d.live) == 0 && len(d.dialogs) == 0 && d.Server.calls.open == 0 && d.engine.Stats().Legs == 0
	})
}

// connect lets a call b, which answers, and gives both ends.
func (d *callDesk) connect(a, b *peer) (from, to *talk) {
	d.Helper()
	d.always(func() *call.Verdict { return d.to("+8617100000001", b.number) })
	from = a.call("17100000001", a.sdp("sendrecv"))
	to = b.rung()
	to.answer(180, "Ringing", "")
	a.told(180)
	to.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	from.acknowledge(a.told(200))
	return from, to
}
