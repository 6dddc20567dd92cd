package sip

import (
	"slices"

	"switchboard/comms/call"
)

// parted is told when a side has left, or was lost: its dialog is being closed already. That ends the call, unless that side was being
// replaced anyway.
func (c *liveCall) parted(l *leg, e call.End) {
	switch {
	case c.stage == stageEnded:
	case c.transfer != nil && l == c.transfer.leaving:
		c.transfer.left = &e
	case l == c.first || l == c.second:
		c.end(e)
	case c.dial != nil && slices.Contains(c.dial.rings, l):
		c.refused(l, e)
	}
}

// end ends the call, once: whatever is lost, late or doubled. The dialogs part cleanly after that, however long it takes; what became of
// the call is told at once.
func (c *liveCall) end(e call.End) {
	if c.stage == stageEnded {
		return
	}
	c.stage = stageEnded
	if e.By == "" {
		e.By = call.ByUs
	}
	if e.Cause == 0 {
		e.Cause = meant(e.Why).cause
	}
	c.ended = e
	c.decided()
	for _, t := range c.timers {
		t.Stop()
	}
	c.ask.stop()
	c.part()
	if d := c.dial; d != nil {
		c.giveUp(d, e.Why, "")
	}
	if t := c.transfer; t != nil {
		c.dropTransfer(t, call.End{Why: call.WhyCancelled, By: e.By, Status: 487})
	}
	for _, l := range []*leg{c.first, c.second} {
		if l != nil {
			l.hangUp(e.Why, "")
		}
	}
	c.s.tables.Lock()
	c.s.open--
	c.s.tables.Unlock()
	c.tellEnd()
	c.sideOver(c.joined, e)
	c.stopTape()
}
