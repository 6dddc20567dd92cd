package sip

import (
	"bytes"
	"context"
	"io"
	"time"

	"switchboard/comms/call"
	"switchboard/providers/sip/media"
)

// secondAnswered puts the two sides through.
func (c *liveCall) secondAnswered(l *leg) {
	c.second = l
	if c.first == nil {
		c.talk()
		c.alone()
		return
	}
	if waits := c.first.state == legIncoming || c.first.state == legRinging; waits && !c.first.accept() {
		return // the caller's CANCEL was faster; it ends the call, and with it this leg
	}
	if c.join(c.first, l) {
		c.talk()
	}
}

// talk begins the conversation: it is reported, and its longest duration counts from now.
func (c *liveCall) talk() {
	c.stage = stageTalking
	c.tellAnswered(c.id)
	if v := c.verdict; v != nil && v.MaxDuration > 0 {
		c.timers = append(c.timers, c.after(v.MaxDuration, func() {
			c.end(call.End{Why: call.WhyTooLong, By: call.ByUs})
		}))
	}
}

// alone is a call with nobody on the first side: the callee hears the speech, or silence while it is recorded.
func (c *liveCall) alone() {
	if c.verdict != nil && c.verdict.Speak != nil {
		c.speak()
		return
	}
	c.second.playing(media.Silence(), nil)
}

// join relays between two legs, in place of what was relayed or played before. Media that can't be joined ends the call.
func (c *liveCall) join(a, b *leg) bool {
	c.part()
	a.stopPlay()
	b.stopPlay()
	bridge, err := media.Connect(a.sound, b.sound)
	if err != nil {
		c.s.log.Warn("two sides could not be put through", "call", c.id, "err", err)
		c.end(call.End{Why: mediaFailure(err), By: call.ByUs, Status: meant(mediaFailure(err)).status})
		return false
	}
	c.bridge = bridge
	return true
}

func (c *liveCall) part() {
	if c.bridge != nil {
		c.bridge.Close()
		c.bridge = nil
	}
}

// other is the leg that l talks to; nil: none.
func (c *liveCall) other(l *leg) *leg {
	switch l {
	case c.first:
		return c.second
	case c.second:
		return c.first
	default:
		return nil
	}
}

// confirmed is told when a caller's ACK is there, and with it, after a late offer, the media.
func (c *liveCall) confirmed(l *leg) {
	l.renewal.arm(l)
	if c.ask != nil && l == c.first {
		c.prompt()
	}
}

// redescribed is told when a side has changed its media: hold, resume, another address. Hold is kept on our side: the other one's dialog is
// not troubled, and hears what the holder sends (a=sendonly: its music), or silence where it sends nothing (a=inactive, or the
// old address 0.0.0.0).
func (c *liveCall) redescribed(l *leg, offer []byte) {
	other := c.other(l)
	if other == nil || c.stage != stageTalking || c.transfer != nil {
		return
	}
	mute := l.sound.Held() && (bytes.Contains(offer, []byte("a=inactive")) || bytes.Contains(offer, []byte("c=IN IP4 0.0.0.0")))
	switch {
	case mute && c.bridge != nil:
		c.part()
		other.playing(media.Silence(), nil) // so that its own RTP time-out doesn't end the call
	case !mute && c.bridge == nil:
		c.join(c.first, c.second)
	}
}

// playing plays a sound to the leg until it ends or something else is sent; then is done only if it came to its end.
func (l *leg) playing(src media.Source, then func()) {
	l.stopPlay()
	c := l.c
	ctx, cancel := context.WithCancel(c.s.closing)
	l.play = cancel
	err := context.Canceled
	c.aside(func(context.Context) {
		if ctx.Err() == nil { // something newer may be played by now
			err = l.sound.Play(ctx, src)
		}
	}, func() {
		cancel()
		if err == nil && then != nil {
			then()
		}
	})
}

func (l *leg) stopPlay() {
	if l.play != nil {
		l.play()
		l.play = nil
	}
}

// inTurn plays one source after the other.
type inTurn []media.Source

// Read implements media.Source.
func (t *inTurn) Read(samples []int16) (int, error) {
	for len(*t) > 0 {
		n, err := (*t)[0].Read(samples)
		if err == io.EOF {
			*t = (*t)[1:]
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// watchMedia looks, for as long as the call lives, for sides that send nothing any more though they are not on hold: they are gone
// without a word.
func (c *liveCall) watchMedia() {
	limit := c.s.opt.RTPTimeout
	if limit <= 0 {
		limit = time.Minute
	}
	var look func()
	timer := c.after(limit/4, func() { look() })
	c.timers = append(c.timers, timer)
	look = func() {
		if c.stage == stageEnded {
			return
		}
		for _, l := range []*leg{c.first, c.second} {
			if l != nil && l.state == legConfirmed && !l.sound.Held() && l.sound.Idle() > limit {
				l.hangUp(call.WhyLost, "")
				c.parted(l, call.End{Why: call.WhyLost, By: l.side, Status: 408})
				return
			}
		}
		timer.Reset(limit / 4)
	}
}
