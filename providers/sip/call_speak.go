package sip

import (
	"context"

	"switchboard/comms/call"
	"switchboard/providers/sip/media"
)

// speech is a text on its way to being spoken. It is made while the callee is rung.
type speech struct {
	samples []int16
	err     error
	ready   bool
	awaited bool // the callee has answered
}

// breath is the silence before the first word: until the callee has the telephone at its ear, and its media has settled.
const breath = 8000 / 2 // samples: half a second

func (c *liveCall) prepareSpeech(text *call.Speech) {
	s := &speech{}
	c.speech = s
	c.aside(func(ctx context.Context) { s.samples, s.err = c.s.opt.Voice.Speak(ctx, text.Text, text.Lang) }, func() {
		s.ready = true
		if s.awaited {
			c.speak()
		}
	})
}

// speak speaks to the callee; then the call ends.
func (c *liveCall) speak() {
	s := c.speech
	if c.stage == stageEnded {
		return
	}
	if !s.ready {
		s.awaited = true
		return
	}
	if s.err != nil {
		c.s.log.Error("a text could not be spoken", "call", c.id, "err", s.err)
		c.end(call.End{Why: call.WhyNoVoice, By: call.ByUs})
		return
	}
	c.second.playing(media.Samples(append(make([]int16, breath), s.samples...)), func() {
		c.end(call.End{Why: call.WhyHungUp, By: call.ByUs})
	})
}
