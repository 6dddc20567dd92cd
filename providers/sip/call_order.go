package sip

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
)

// Dial implements call.Engine: it begins a call that nobody rang in with.
func (s *Server) Dial(_ context.Context, v *call.Verdict) error {
	if v.Second == nil || v.First == nil && !v.Hold {
		return &comms.Error{Code: comms.Invalid, Text: "the call has no sides"}
	}
	if v.Speak != nil && s.opt.Voice == nil {
		return &comms.Error{Code: comms.Unavailable, Reason: comms.ReasonNoVoice, Text: "nothing here can speak"}
	}
	c := newCall(s)
	c.verdict = v
	c.named(v.Call) // an order may follow at once
	began := c.start(func() {
		c.watchMedia()
		if v.Speak != nil {
			c.prepareSpeech(v.Speak)
		}
		if v.First != nil {
			c.dialFirst(v)
		} else {
			c.dialSecond(v.Second)
		}
	})
	if !began {
		c.forget()
		return &comms.Error{Code: comms.Unavailable, Text: "the server is stopping"}
	}
	return nil
}

// Order implements call.Engine.
func (s *Server) Order(ctx context.Context, id uuid.UUID, o call.Order) error {
	s.tables.Lock()
	c := s.live[id]
	s.tables.Unlock()
	done := make(chan error, 1)
	if c == nil || !c.box.post(func() { done <- c.obey(id, o) }) {
		return unknown()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// obey does what is ordered of the call under one of its names, or says why it can't be done now.
func (c *liveCall) obey(id uuid.UUID, o call.Order) error {
	if c.stage == stageEnded {
		return unknown()
	}
	switch {
	case o.HangUp != nil:
		c.end(*o.HangUp)
		return nil
	case o.SendDigits != nil:
		return c.sendDigits(o.SendDigits)
	case o.StartRecord != nil:
		return c.startTape(id, o.StartRecord.Recording)
	case o.StopRecord:
		if c.tape == nil {
			return notNow("the call is not being recorded")
		}
		c.stopTape()
		return nil
	case o.Transfer != nil:
		return c.startTransfer(&transfer{keep: c.first, leaving: c.second, to: o.Transfer, id: c.id, by: id, joins: o.Joins})
	default:
		return &comms.Error{Code: comms.Invalid, Text: "the order is empty"}
	}
}

// sendDigits sends digits to one side, after those that are being sent.
func (c *liveCall) sendDigits(o *call.SendDigits) error {
	l := c.second
	if o.First {
		l = c.first
	}
	if l == nil || !l.there() {
		return notNow("that side of the call is not there")
	}
	if o.Digits == "" || strings.Trim(o.Digits, "0123456789*#ABCDabcd,") != "" {
		return &comms.Error{Code: comms.Invalid, Field: "digits", Text: "digits are 0-9, *, #, A-D and a comma for a pause"}
	}
	l.press(strings.ToUpper(o.Digits))
	return nil
}
