package sip

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"switchboard/comms/call"
)

// referred takes a REFER (RFC 3515): a telephone transfers the other side. It may call whom it likes within its account's rights, so the
// rules are asked as for any other call of that telephone; what comes of it is a call of its own in the records.
func (c *liveCall) referred(l *leg, req *sip.Request, tx sip.ServerTransaction) {
	keep := c.other(l)
	to := req.ReferTo()
	switch {
	case l.phone == uuid.Nil: // a carrier may not make our accounts pay for calls
		c.s.answer(req, tx, 403, "Forbidden")
		return
	case len(req.GetHeaders("Refer-To")) != 1 || to == nil || to.Address.User == "":
		c.s.answer(req, tx, 400, "Bad Request")
		return
	case c.stage != stageTalking || keep == nil || c.transfer != nil || l.referring || len(l.notices) > 0:
		c.s.answer(req, tx, 491, "Request Pending")
		return
	}
	if err := tx.Respond(l.response(req, 202, "Accepted")); err != nil {
		c.s.log.Info("a response could not be sent", "status", 202, "err", err)
	}
	l.referring = true
	l.notify("SIP/2.0 100 Trying", false, func() {})
	if replaces, ok := to.Address.Headers.Get("Replaces"); ok {
		c.attend(l, keep, replaces)
		return
	}
	dialled := dialledIn(&sip.Request{Recipient: to.Address})
	in := call.RouteCall{Phone: l.phone, Dialled: dialled}
	c.consult(func(ctx context.Context) (*call.Verdict, error) { return c.s.rules.RouteCall(ctx, in) },
		func(v *call.Verdict, err error) { c.transferRouted(l, keep, v, err) })
}

// transferRouted does what the rules said about a telephone's transfer.
func (c *liveCall) transferRouted(l, keep *leg, v *call.Verdict, err error) {
	no := call.WhyNotAllowed
	switch {
	case err != nil:
		no = undecided(err)
	case v.Refuse != nil:
		no = v.Refuse.Why
	case v.Second != nil && v.Ask == nil && c.stage == stageTalking && c.other(l) == keep && l.there():
		t := &transfer{keep: keep, leaving: l, to: v.Second, id: v.Call, verdict: v, told: l.transferOver}
		if err := c.startTransfer(t); err == nil {
			return
		}
	}
	l.transferOver(no, func() {})
	if v != nil {
		c.tellEndOf(v.Call, call.End{Why: no, By: call.ByUs, Status: meant(no).status, Cause: meant(no).cause})
	}
}

// transferOver tells the telephone what became of its transfer: empty: the new side answered.
func (l *leg) transferOver(w call.Why, then func()) {
	l.referring = false
	line := "SIP/2.0 200 OK"
	if w != "" {
		line = fmt.Sprintf("SIP/2.0 %d %s", meant(w).status, meant(w).phrase)
	}
	l.notify(line, true, then)
}

// notice is a NOTIFY that waits for the one before it to be answered: they must not overtake each other.
type notice struct {
	line  string
	final bool
	then  func()
}

// notify tells a telephone how far its transfer is (RFC 3515 section 2.4.5), and then does what follows.
func (l *leg) notify(line string, final bool, then func()) {
	l.notices = append(l.notices, notice{line, final, then})
	if len(l.notices) == 1 {
		l.notifyNext()
	}
}

func (l *leg) notifyNext() {
	n := l.notices[0]
	next := func(*sip.Response) {
		l.notices = l.notices[1:]
		n.then()
		if len(l.notices) > 0 {
			l.notifyNext()
		}
	}
	if !l.there() {
		next(nil)
		return
	}
	req := l.d.request(sip.NOTIFY)
	req.AppendHeader(l.s.contact(contactUser, l.d.at))
	req.AppendHeader(sip.NewHeader("Event", "refer"))
	state := "active;expires=180"
	if n.final {
		state = "terminated;reason=noresource"
	}
	req.AppendHeader(sip.NewHeader("Subscription-State", state))
	kind := sip.ContentTypeHeader("message/sipfrag;version=2.0")
	req.AppendHeader(&kind)
	req.SetBody([]byte(n.line + "\r\n"))
	l.request(req, next)
}

// attend joins two calls of one telephone (RFC 5589 section 7): the side that it talks to here and the one that it talks to there. Replaces
// names its leg there (RFC 3891).
func (c *liveCall) attend(l, keep *leg, replaces string) {
	there := c.s.replaced(replaces)
	if there == nil || there == l || there.phone != l.phone || there.owner() == c || keep.asking > 0 || keep.unacked != nil || keep.pressing != "" {
		l.transferOver(call.WhyNoSuch, func() {})
		return
	}
	c.part()
	keep.stopPlay()
	if !keep.moveTo(there.owner(), there) {
		c.join(c.first, c.second)
		l.transferOver(call.WhyNoSuch, func() {})
		return
	}
	c.work--
	if c.first == keep {
		c.first = nil
	} else {
		c.second = nil
	}
	l.transferOver("", func() { c.end(call.End{Why: call.WhyHungUp, By: l.side}) })
}

// replaced finds the leg that a Replaces parameter names: "call-id;to-tag=ours;from-tag=the telephone's".
func (s *Server) replaced(text string) *leg {
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	id, params, _ := strings.Cut(text, ";")
	tags := map[string]string{}
	for _, p := range strings.Split(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		tags[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	s.tables.Lock()
	defer s.tables.Unlock()
	return s.dialogs[dialogKey{strings.TrimSpace(id), tags["to-tag"]}]
}

// moveTo gives the leg to another call, in place of one of its legs. It says no where that call is over.
func (l *leg) moveTo(c *liveCall, instead *leg) bool {
	l.owners.Lock()
	defer l.owners.Unlock()
	if !c.box.post(func() {
		if l.owner() == c { // and now it may be touched
			c.adopt(l, instead)
		}
	}) {
		return false
	}
	l.c = c
	return true
}

// adopt takes a leg of another call in place of one of its own.
func (c *liveCall) adopt(l, instead *leg) {
	c.work++
	if c.stage != stageTalking || c.transfer != nil || c.other(instead) == nil {
		l.hangUp(call.WhyHungUp, "")
		return
	}
	l.side = instead.side
	if c.first == instead {
		c.first = l
	} else {
		c.second = l
		if c.tape != nil {
			c.tape.recorder.Replace(l.sound)
		}
	}
	instead.hangUp(call.WhyHungUp, "")
	c.join(c.first, c.second)
}
