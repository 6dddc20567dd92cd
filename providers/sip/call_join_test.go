package sip

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
)

// What becomes of a side that joins by an ordered transfer is reported of it by itself, in any case once: it has not come, it has made room
// for another, or it was there to the end. Until then orders may name it.
func TestJoinedSides(t *testing.T) {
	d := openCalls(t, Options{})
	a, b, c := d.peer("1001"), d.peer("1002"), d.peer("1003")
	from, to := d.connect(a, b)
	main := d.live1()
	one, two, three := uuid.New(), uuid.New(), uuid.New()
	d.script.mu.Lock()
	d.script.names = map[uuid.UUID]string{one: " 1", two: " 2", three: " 3"}
	d.script.mu.Unlock()
	order := func(by, joins uuid.UUID, to string) {
		t.Helper()
		d.until("a transfer", func() bool {
			return d.Order(t.Context(), by, call.Order{Transfer: d.leg("+8617100000001", to), Joins: joins}) == nil
		})
	}
	order(main, one, "1003")
	refused := c.rung()
	refused.answer(180, "Ringing", "")
	d.reports("ringing; answered; ringing 1")
	refused.answer(486, "Busy Here", "")
	c.asked("ACK")
	d.reports("ringing; answered; ringing 1; ended 1 busy by callee 486/17; transferred busy")

	order(main, two, "1003")
	second := c.rung()
	second.answer(200, "OK", c.sdp("sendrecv"))
	c.asked("ACK")
	to.hungUp()
	d.reports("ringing; answered; ringing 1; ended 1 busy by callee 486/17; transferred busy; transferred; answered 2")

	order(two, three, "1002")
	third := b.rung()
	third.answer(200, "OK", b.sdp("sendrecv"))
	b.asked("ACK")
	second.hungUp()
	var e *comms.Error
	if err := d.Order(t.Context(), two, call.Order{StopRecord: true}); !errors.As(err, &e) || e.Code != comms.NotFound {
		t.Errorf("an order by the name of a side that has left: %v", err)
	}
	if err := d.Order(t.Context(), three, call.Order{HangUp: &call.End{Why: call.WhyHungUp, By: call.ByUs}}); err != nil {
		t.Error(err)
	}
	from.hungUp()
	third.hungUp()
	d.reports("ringing; answered; ringing 1; ended 1 busy by callee 486/17; transferred busy; transferred; answered 2; transferred; " +
		"ended 2 hung_up by us 0/16; answered 3; ended hung_up by us 0/16; ended 3 hung_up by us 0/16")
	d.quiet()
}

// live1 is the name of the only call.
func (d *callDesk) live1() uuid.UUID {
	d.Helper()
	d.tables.Lock()
	defer d.tables.Unlock()
	for id := range d.live {
		return id
	}
	d.Fatal("there is no call")
	return uuid.Nil
}
