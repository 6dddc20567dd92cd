package sip

import (
	"github.com/google/uuid"

	"switchboard/comms/call"
	"switchboard/providers/sip/media"
)

// transfer replaces one side of a call by another that is rung first. Until it answers, the side that stays hears it ring, and the one
// that is to leave hears silence; if nobody answers the two talk on.
type transfer struct {
	keep    *leg
	leaving *leg
	to      *call.Leg
	id      uuid.UUID              // what the call is called afterwards: a telephone's transfer is a call of its own
	by      uuid.UUID              // under which of the call's names it was ordered
	joins   uuid.UUID              // what the new side of one that keeps its name is called by itself; Nil: nothing is told of it
	verdict *call.Verdict          // of that call
	left    *call.End              // the one that was to leave has left already
	told    func(call.Why, func()) // hears what became of it, and then does what follows; nil: nobody asked
}

func (t *transfer) tell(w call.Why, then func()) {
	if t.told == nil {
		then()
		return
	}
	t.told(w, then)
}

// startTransfer rings the new side.
func (c *liveCall) startTransfer(t *transfer) error {
	switch {
	case c.stage != stageTalking, t.keep == nil, t.leaving == nil:
		return notNow("the call has no two sides yet")
	case c.transfer != nil:
		return notNow("the call is being transferred already")
	}
	c.transfer = t
	c.also(t.joins)
	c.part()
	t.leaving.playing(media.Silence(), nil)
	c.ring(call.ByCallee, t.to, &dialling{
		hears:    t.keep,
		answered: func(l *leg) { c.transferred(t, l) },
		failed:   func(e call.End) { c.notTransferred(t, e) },
	})
	return nil
}

// transferred puts the new side in place of the one that leaves.
func (c *liveCall) transferred(t *transfer, l *leg) {
	c.transfer = nil
	leaver := t.leaving.side
	if t.keep == c.second {
		c.first = t.keep
		c.first.side = call.ByCaller
	}
	c.second = l
	t.tell("", func() { t.leaving.hangUp(call.WhyHungUp, "") })
	was := c.joined
	c.joined = t.joins
	if t.id == c.id {
		c.tellTransfer(t.by, "")
	}
	c.sideOver(was, call.End{Why: call.WhyHungUp, By: call.ByUs})
	if t.id == c.id {
		if c.tape != nil {
			c.tape.recorder.Replace(l.sound)
		}
		if c.join(c.first, c.second) && t.joins != uuid.Nil {
			c.tellAnswered(t.joins)
		}
		return
	}
	c.stopTape()
	c.tellEndOf(c.id, call.End{Why: call.WhyHungUp, By: leaver, Cause: meant(call.WhyHungUp).cause})
	c.named(t.id)
	c.verdict = t.verdict
	for _, timer := range c.timers { // the longest duration counts anew
		timer.Stop()
	}
	c.watchMedia()
	if c.join(c.first, c.second) {
		c.talk()
	}
}

// notTransferred goes back to how it was, or ends the call where the side that was to leave has left.
func (c *liveCall) notTransferred(t *transfer, e call.End) {
	if c.transfer != t {
		return
	}
	c.dropTransfer(t, e)
	if t.left != nil {
		c.end(*t.left)
		return
	}
	c.join(c.first, c.second)
}

// dropTransfer tells those who asked that nothing came of it.
func (c *liveCall) dropTransfer(t *transfer, e call.End) {
	c.transfer = nil
	t.tell(e.Why, func() {})
	c.sideOver(t.joins, e)
	if t.id == c.id {
		c.tellTransfer(t.by, e.Why)
		return
	}
	if e.Cause == 0 {
		e.Cause = meant(e.Why).cause
	}
	c.tellEndOf(t.id, e)
}
