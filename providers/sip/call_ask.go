package sip

import (
	"context"
	"time"

	"switchboard/comms/call"
	"switchboard/providers/sip/media"
)

// asking collects digits from the caller.
type asking struct {
	want   *call.Ask
	digits []byte
	timer  *time.Timer
	heard  bool // the caller is there and was asked
}

const (
	mostAsks  = 5 // a caller who can't be understood is not asked for ever
	mostAsked = 32
	askFor    = 10 * time.Second // where the rules don't say
)

func (a *asking) stop() {
	if a != nil && a.timer != nil {
		a.timer.Stop()
	}
}

// startAsking answers the caller and asks for digits. The conversation has not begun by that: nothing is reported.
func (c *liveCall) startAsking(want *call.Ask) {
	if c.asks++; c.asks > mostAsks {
		c.end(call.End{Why: call.WhyNoSuch, By: call.ByUs})
		return
	}
	c.stage = stageAsking
	c.decided()
	c.ask = &asking{want: want}
	switch c.first.state {
	case legIncoming, legRinging:
		c.first.accept() // its ACK goes on; a CANCEL that was faster ends the call
	case legConfirmed:
		c.prompt()
	}
}

// prompt lets the caller hear that it is to press something.
func (c *liveCall) prompt() {
	if c.ask.heard {
		return
	}
	c.ask.heard = true
	c.first.playing(&inTurn{media.Beep(), media.Silence()}, nil)
	c.waitForDigit()
}

func (c *liveCall) waitForDigit() {
	a := c.ask
	a.stop()
	wait := a.want.Wait
	if wait <= 0 {
		wait = askFor
	}
	a.timer = c.after(wait, func() {
		if c.ask == a {
			c.asked()
		}
	})
}

// digit takes one digit: # ends them, and so does the last that may come.
func (c *liveCall) digit(d byte) {
	a := c.ask
	if d != '#' {
		a.digits = append(a.digits, d)
	}
	most := a.want.Most
	if most <= 0 {
		most = mostAsked
	}
	if d == '#' || len(a.digits) >= most {
		c.asked()
		return
	}
	c.waitForDigit()
}

// asked hands the digits to the rules.
func (c *liveCall) asked() {
	digits := string(c.ask.digits)
	c.ask.stop()
	c.ask = nil
	id := c.id
	c.consult(func(ctx context.Context) (*call.Verdict, error) { return c.s.rules.RouteDigits(ctx, id, digits) }, c.understood)
}

// understood does what the rules say about the digits.
func (c *liveCall) understood(v *call.Verdict, err error) {
	switch {
	case c.stage == stageEnded:
	case err != nil:
		c.s.log.Warn("digits could not be routed", "call", c.id, "err", err)
		c.end(call.End{Why: undecided(err), By: call.ByUs})
	case v.Refuse != nil:
		c.end(call.End{Why: v.Refuse.Why, By: call.ByUs, Status: meant(v.Refuse.Why).status})
	default:
		c.verdict = v
		c.proceed(v)
	}
}
