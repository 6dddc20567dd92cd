package sip

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms"
	"switchboard/comms/call"
)

// routeIn is how long the rules may think about a call. Whoever rings hears nothing meanwhile.
const routeIn = 10 * time.Second

// begin asks the rules what to do with a call that came in.
func (c *liveCall) begin(who caller) {
	c.watchMedia()
	in := call.RouteCall{From: who.from, Dialled: dialledIn(c.first.in)}
	if who.phone != nil {
		in.Phone = who.phone.ID
		c.first.secure = who.phone.Secure
	}
	if who.trunk != nil {
		in.Trunk = who.trunk.ID
	}
	kept := false
	c.consult(func(ctx context.Context) (*call.Verdict, error) {
		v, err := c.s.rules.RouteCall(ctx, in)
		kept = err == nil && v.Refuse != nil && c.s.keepRefusal(ctx, v)
		return v, err
	}, func(v *call.Verdict, err error) {
		c.kept = kept
		c.routed(v, err)
	})
}

// keepRefusal has the record of a refused call say so before the caller hears of it: whoever asks then finds it. If the store is not up to
// that now the call's end is told as every call's is, again and again.
func (s *Server) keepRefusal(ctx context.Context, v *call.Verdict) bool {
	err := s.rules.CallEnded(ctx, v.Call, refusal(v))
	if err != nil {
		s.log.Warn("a refusal is not stored yet", "call", v.Call, "err", err)
	}
	return err == nil
}

// refusal is how a call ends that the rules refuse.
func refusal(v *call.Verdict) call.End {
	m := meant(v.Refuse.Why)
	return call.End{Why: v.Refuse.Why, By: call.ByUs, Status: m.status, Cause: m.cause}
}

// consult asks the rules beside the call: it hears of a CANCEL or BYE meanwhile.
func (c *liveCall) consult(ask func(context.Context) (*call.Verdict, error), then func(*call.Verdict, error)) {
	var v *call.Verdict
	err := errUndecided
	c.aside(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, routeIn)
		defer cancel()
		v, err = ask(ctx)
	}, func() { then(v, err) })
}

var errUndecided = errors.New("the rules said nothing")

// dialledIn is what was dialled: the user part of the Request-URI, unescaped (RFC 3261 section 19.1.2).
func dialledIn(req *sip.Request) string {
	user := req.Recipient.User
	if plain, err := url.PathUnescape(user); err == nil {
		return plain
	}
	return user
}

// routed does what the rules said.
func (c *liveCall) routed(v *call.Verdict, err error) {
	if v != nil {
		c.verdict = v
		c.named(v.Call)
	}
	if c.stage == stageEnded { // the caller gave up before the rules had named the call: now they can be told
		c.tellEnd()
		return
	}
	if err != nil {
		c.s.log.Warn("a call could not be routed", "err", err)
		c.end(call.End{Why: undecided(err), By: call.ByUs})
		return
	}
	if v.Refuse != nil {
		c.end(refusal(v))
		return
	}
	if err := c.first.agree(c.first.secure); err != nil {
		c.s.log.Info("a caller's media could not be agreed", "call", c.id, "err", err)
		c.end(call.End{Why: mediaFailure(err), By: call.ByUs, Status: meant(mediaFailure(err)).status})
		return
	}
	c.proceed(v)
}

// proceed does what a verdict says comes next for a caller who is there.
func (c *liveCall) proceed(v *call.Verdict) {
	switch {
	case v.Ask != nil:
		c.startAsking(v.Ask)
	case v.Second != nil:
		c.dialSecond(v.Second)
	default:
		c.s.log.Error("a verdict names nobody", "call", c.id)
		c.end(call.End{Why: call.WhyFailed, By: call.ByUs})
	}
}

// undecided is what a caller is told when the rules failed. That they had no time, or the store none for them, is overload: he may come again.
func undecided(err error) call.Why {
	switch comms.AsError(err).Code {
	case comms.Limited:
		return call.WhyTooMany
	case comms.Unavailable:
		return call.WhyOverload
	case comms.NotFound:
		return call.WhyNoSuch
	case comms.Forbidden, comms.Unauthenticated:
		return call.WhyNotAllowed
	default:
		return call.WhyFailed
	}
}
