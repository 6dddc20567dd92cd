package sip

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"switchboard/comms/call"
	"switchboard/providers/sip/media"
)

// dialling is one leg of a verdict while it is rung: every way to reach it rings at once, and the first that answers wins.
type dialling struct {
	hears    *leg      // who waits for it and hears it ring; nil: nobody
	rings    []*leg    // what rings, or is asked to
	failure  *call.End // the refusal that says most
	rang     bool
	early    *leg // whose early media is heard
	timer    *time.Timer
	reminder *time.Timer
	answered func(*leg)
	failed   func(call.End)
}

const (
	ringFor   = time.Minute // where a verdict doesn't say
	ringAgain = time.Minute // RFC 3261 section 13.3.1.1: a provisional now and then keeps proxies from giving up
)

// way is one way to reach a side.
type way struct {
	to      address
	phone   uuid.UUID
	trunk   *trunkLine
	release func()
}

// ways are all ways to reach a target now. full tells that a trunk has enough at once.
func (c *liveCall) ways(t call.Target) (out []way, full bool) {
	switch {
	case t.Phone != uuid.Nil:
		for _, at := range c.s.contactsOf(t.Phone) {
			out = append(out, way{to: at, phone: t.Phone})
		}
	case t.Trunk != uuid.Nil:
		line, ok := c.s.trunk(t.Trunk)
		if !ok {
			return nil, false
		}
		release, ok := line.take()
		if !ok {
			return nil, true
		}
		out = append(out, way{to: line.address(t.Number), trunk: line, release: release})
	case t.World != "" && c.s.opt.World != "":
		out = append(out, way{to: worldAddress(c.s.opt.World, t.World)})
	}
	return out, false
}

// ring rings a leg of the verdict in all ways there are.
func (c *liveCall) ring(side call.Side, want *call.Leg, d *dialling) {
	c.dial = d
	hops := uint32(70)
	if d.hears != nil && d.hears.in != nil && d.hears.in.MaxForwards() != nil {
		hops = max(1, d.hears.in.MaxForwards().Val()) - 1 // a loop through a carrier ends by itself (RFC 7332)
	}
	nobody := call.End{Why: call.WhyUnreachable, By: side, Status: 480}
	for _, t := range want.Targets {
		ways, full := c.ways(t)
		if full {
			nobody = call.End{Why: call.WhyTooMany, By: call.ByUs, Status: 503}
		}
		for _, w := range ways {
			l := &leg{s: c.s, c: c, phone: w.phone, trunk: w.trunk, release: w.release}
			if err := l.invite(ring{side: side, to: w.to, shownAs: want.ShownAs, number: w.to.uri.User, hops: hops}); err != nil {
				c.s.log.Warn("nobody could be invited", "call", c.id, "err", err)
				nobody = call.End{Why: mediaFailure(err), By: call.ByUs, Status: 500}
				if w.release != nil {
					w.release()
				}
				continue
			}
			d.rings = append(d.rings, l)
		}
	}
	c.decided()
	if len(d.rings) == 0 {
		d.failure = &nobody
		c.failedDial(d)
		return
	}
	wait := want.RingFor
	if wait <= 0 {
		wait = ringFor
	}
	d.timer = c.after(wait, func() {
		if c.dial == d {
			c.giveUp(d, call.WhyNoAnswer, "")
			d.failed(call.End{Why: call.WhyNoAnswer, By: side, Status: 408, Cause: meant(call.WhyNoAnswer).cause})
		}
	})
	c.hear(d)
}

// mediaFailure is the word for media that could not be opened or agreed.
func mediaFailure(err error) call.Why {
	for _, e := range []error{media.ErrNoCodec, media.ErrBadSDP, media.ErrNotSecure} {
		if errors.Is(err, e) {
			return call.WhyNoMedia
		}
	}
	return call.WhyFailed
}

// giveUp ends whatever still rings.
func (c *liveCall) giveUp(d *dialling, why call.Why, header string) {
	if c.dial == d {
		c.dial = nil
	}
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.reminder != nil {
		d.reminder.Stop()
	}
	for _, l := range d.rings {
		l.hangUp(why, header)
	}
	d.rings = nil
}

func (c *liveCall) failedDial(d *dialling) {
	c.giveUp(d, d.failure.Why, "")
	d.failed(*d.failure)
}

// refused is told when one of those that ring says no, or can't be reached. The last refusal ends the ringing; one that speaks for the
// person and not the telephone (6xx) does at once (RFC 3261 section 16.7 step 5).
func (c *liveCall) refused(l *leg, e call.End) {
	d := c.dial
	if d == nil || !slices.Contains(d.rings, l) {
		return
	}
	d.rings = slices.DeleteFunc(d.rings, func(other *leg) bool { return other == l })
	e.By = l.side
	if d.failure == nil || rank(e.Why) >= rank(d.failure.Why) {
		d.failure = &e
	}
	if e.Status >= 600 || len(d.rings) == 0 {
		c.failedDial(d)
		return
	}
	if d.early == l { // another's early media may be heard now
		d.early = nil
		c.part()
		c.hear(d)
	}
}

// rang is told of every provisional response but 100 of one of those that ring.
func (c *liveCall) rang(l *leg, status int) {
	d := c.dial
	if d == nil || !slices.Contains(d.rings, l) || status != 180 && status != 183 && !l.early {
		return
	}
	news := false
	if l.early && d.early == nil {
		d.early, news = l, true
	}
	if !d.rang {
		d.rang, news = true, true
		if l.side == call.ByCallee {
			c.tellRinging()
		}
	}
	if news { // a callee may say 180 many times; it is passed on once
		c.hear(d)
	}
}

// hear lets who waits hear what there is to be heard: early media of the first that sends it, else ringing. A caller who has no answer
// yet is told by 183 or 180 and makes the sound of ringing itself.
func (c *liveCall) hear(d *dialling) {
	l := d.hears
	if l == nil || c.dial != d {
		return
	}
	waits := l.state == legIncoming || l.state == legRinging
	switch {
	case waits && d.rang:
		l.ringing(d.early != nil)
		if d.early != nil && !l.late {
			c.join(l, d.early)
		}
		c.remind(d)
	case waits:
	case d.early != nil:
		c.join(l, d.early)
	default:
		l.playing(media.Ringback(), nil)
	}
}

// remind repeats the provisional response now and then while it rings.
func (c *liveCall) remind(d *dialling) {
	if d.reminder != nil {
		d.reminder.Stop()
	}
	d.reminder = c.after(ringAgain, func() {
		if c.dial == d && c.stage != stageEnded {
			d.hears.ringing(d.early != nil)
			c.remind(d)
		}
	})
}

// answered is told when one of those that ring answers: the others are told that somebody did.
func (c *liveCall) answered(l *leg) {
	d := c.dial
	if d == nil || !slices.Contains(d.rings, l) {
		l.hangUp(call.WhyHungUp, elsewhere)
		return
	}
	d.rings = slices.DeleteFunc(d.rings, func(other *leg) bool { return other == l })
	c.giveUp(d, call.WhyHungUp, elsewhere)
	d.answered(l)
}

// dialSecond rings the one whom the caller, or the first leg, is put through to.
func (c *liveCall) dialSecond(want *call.Leg) {
	c.stage = stageDialling
	c.ring(call.ByCallee, want, &dialling{hears: c.first, answered: c.secondAnswered, failed: c.end})
}

// dialFirst rings the first leg of a click-to-call.
func (c *liveCall) dialFirst(v *call.Verdict) {
	c.stage = stageDialling
	c.ring(call.ByCaller, v.First, &dialling{
		answered: func(l *leg) {
			c.first = l
			c.dialSecond(v.Second)
		},
		failed: c.end,
	})
}

// worldAddress is where the test world is asked for one of its numbers.
func worldAddress(at, number string) address {
	to := address{transport: "udp", at: at, uri: sip.Uri{Scheme: "sip", User: number, Host: at}}
	if host, port, err := net.SplitHostPort(at); err == nil {
		to.uri.Host = host
		to.uri.Port, _ = strconv.Atoi(port) // a port that is no number is not sent
	}
	return to
}
