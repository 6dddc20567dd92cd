package sip

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// unacked is a 2xx of ours whose ACK is not there yet. The 2xx is repeated until it is (RFC 3261 section 13.3.1.4), over any transport.
type unacked struct {
	tx    sip.ServerTransaction
	res   *sip.Response
	seq   uint32
	late  bool // it carries our offer: the ACK brings the answer
	wait  time.Duration
	until time.Time
	timer *time.Timer
}

// onInvite takes an INVITE that begins a call. It returns when the INVITE has its final response: its transaction lives no longer than
// this function.
func (s *Server) onInvite(req *sip.Request, tx sip.ServerTransaction, who caller) {
	if who.decided == nil {
		who.decided = func() {}
	}
	if code, phrase, headers := unusable(req); code != 0 {
		who.decided()
		s.answer(req, tx, code, phrase, headers...)
		return
	}
	release := func() {}
	if who.trunk != nil {
		var ok bool
		if release, ok = who.trunk.take(); !ok {
			who.decided()
			s.answer(req, tx, 503, "Service Unavailable", sip.NewHeader("Retry-After", "5"))
			return
		}
	}
	l := &leg{s: s, release: release, side: call.ByCaller, state: legIncoming, in: req, tx: tx, trunk: who.trunk, d: uasDialog(req, who.at, who.phone != nil)}
	if who.phone != nil {
		l.phone = who.phone.ID
	}
	done := make(chan struct{})
	l.final = sync.OnceFunc(func() { close(done) })
	// Every response to this INVITE names our end of the dialog by the same tag, those too that the transaction makes by itself.
	req.To().Params.Add("tag", l.d.local.tag)
	s.answer(req, tx, 100, "Trying")

	c := newCall(s)
	c.first, c.decided, l.c = l, who.decided, c
	began := c.start(func() {
		l.enlist()
		// sipgo has answered the CANCEL, and the INVITE with 487, when it calls this.
		if !tx.OnCancel(func(*sip.Request) { l.post(l.cancelled) }) {
			l.cancelled()
			return
		}
		c.begin(who)
	})
	if !began {
		release()
		who.decided()
		s.answer(req, tx, 503, "Service Unavailable", sip.NewHeader("Retry-After", "5"))
		return
	}
	<-done
}

// unusable looks for what no call can come of, after what dispatch has looked for already; 0: nothing.
func unusable(req *sip.Request) (code int, phrase string, headers []sip.Header) {
	if req.Contact() == nil { // RFC 3261 section 8.1.1.8: a dialog can't do without
		return 400, "Bad Request", nil
	}
	if tooShort(req) {
		return 422, "Session Interval Too Small", []sip.Header{sip.NewHeader("Min-SE", strconv.Itoa(minSE))}
	}
	return 0, "", nil
}

// answer sends a response that needs nothing of a dialog.
func (s *Server) answer(req *sip.Request, tx sip.ServerTransaction, code int, phrase string, headers ...sip.Header) {
	res := sip.NewResponseFromRequest(req, code, phrase, nil)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	if err := tx.Respond(res); err != nil && !errors.Is(err, sip.ErrTransactionCanceled) {
		s.log.Info("a response could not be sent", "status", code, "err", err)
	}
}

// response is the frame of a response within a leg's dialog.
func (l *leg) response(req *sip.Request, code int, phrase string) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, phrase, nil)
	if code > 100 && code < 300 {
		res.AppendHeader(l.s.contact(contactUser, l.d.at))
		res.AppendHeader(sip.NewHeader("Allow", allowed))
		res.AppendHeader(sip.NewHeader("Supported", "timer"))
	}
	res.AppendHeader(sip.NewHeader("Server", agent))
	return res
}

// respond answers the INVITE that began the dialog. It says no where a CANCEL was faster: the transaction has said 487 then, and what
// follows from that is on its way to the call.
func (l *leg) respond(res *sip.Response) bool {
	err := l.tx.Respond(res)
	if err == nil {
		return true
	}
	if !errors.Is(err, sip.ErrTransactionCanceled) {
		l.s.log.Info("a response could not be sent", "status", res.StatusCode, "err", err)
		return true // the transport is gone; the timers find out
	}
	// sipgo keeps the last response that it was given for its retransmissions, though it did not send it: give it the 487 back.
	if err := l.tx.Respond(l.response(l.in, 487, "Request Terminated")); err != nil && !errors.Is(err, sip.ErrTransactionCanceled) {
		l.s.log.Info("a response could not be sent", "status", 487, "err", err)
	}
	return false
}

// agree settles the media with the caller's offer. Where it made none (late offer), ours goes into the 2xx.
func (l *leg) agree(secure bool) error {
	if err := l.openSound(secure); err != nil {
		return err
	}
	var err error
	if offer := described(l.in); offer != nil {
		l.body, err = l.sound.Answer(offer)
	} else {
		l.late = true
		l.body, err = l.sound.Offer()
	}
	if err == nil {
		l.renewal.offered(l, l.in)
	}
	return err
}

// ringing tells the caller that the far side rings: with the sound that it is to hear (183), or with none (180).
func (l *leg) ringing(withSound bool) {
	if l.state != legIncoming && l.state != legRinging {
		return
	}
	if l.owed != nil {
		l.owed.next, l.owed.sound = true, withSound
		return
	}
	res := l.response(l.in, 180, "Ringing")
	if withSound && !l.late {
		res = l.response(l.in, 183, "Session Progress")
		describe(res, l.body)
	}
	send := l.respond
	if l.mustPrack() {
		send = l.respondReliably
	}
	if send(res) {
		l.move(evProvisional)
	}
}

// accept answers the caller's INVITE. It says no where the caller has given up meanwhile.
func (l *leg) accept() bool {
	if l.state != legIncoming && l.state != legRinging {
		return false
	}
	res := l.response(l.in, 200, "OK")
	for _, h := range l.renewal.headers() {
		res.AppendHeader(h)
	}
	describe(res, l.body)
	if !l.respond(res) || !l.move(evSuccess) {
		return false
	}
	l.awaitAck(&unacked{tx: l.tx, res: res, seq: l.in.CSeq().SeqNo, late: l.late})
	l.final()
	return true
}

// refuse sends the final response that a word stands for.
func (l *leg) refuse(why call.Why) {
	m := meant(why)
	res := l.response(l.in, m.status, m.phrase)
	res.AppendHeader(sip.NewHeader("Reason", reason(why)))
	if m.status == 503 {
		res.AppendHeader(sip.NewHeader("Retry-After", "5"))
	}
	l.respond(res)
	l.final()
}

// cancelled is told of a CANCEL. Where the 2xx was faster it changes nothing: the caller has to send BYE.
func (l *leg) cancelled() {
	if l.state != legIncoming && l.state != legRinging || !l.move(evBye) {
		return
	}
	l.left()
	l.c.parted(l, call.End{Why: call.WhyCancelled, By: l.side, Status: 487, Cause: meant(call.WhyCancelled).cause})
}

// awaitAck repeats a 2xx until its ACK is there.
func (l *leg) awaitAck(u *unacked) {
	if l.unacked != nil {
		l.unacked.timer.Stop()
	}
	u.wait, u.until = sip.T1, time.Now().Add(64*sip.T1)
	l.unacked = u
	u.timer = l.after(u.wait, func() { l.repeat(u) })
}

func (l *leg) repeat(u *unacked) {
	if l.unacked != u {
		return
	}
	if time.Now().After(u.until) {
		l.unacked = nil
		l.unconfirmed()
		return
	}
	if err := u.tx.Respond(u.res); err != nil {
		l.s.log.Info("a 2xx could not be repeated", "call", l.c.id, "err", err)
	}
	u.wait = min(2*u.wait, sip.T2)
	u.timer = l.after(u.wait, func() { l.repeat(u) })
}

// unconfirmed is told when the ACK never came: the dialog is confirmed all the same, and ended with BYE.
func (l *leg) unconfirmed() {
	wanted := l.state == legAnswered || l.state == legConfirmed
	if !l.move(evNoAck) && !l.move(evHangUp) {
		return
	}
	l.mute()
	l.bye(reason(call.WhyLost))
	if wanted {
		l.c.parted(l, call.End{Why: call.WhyLost, By: l.side, Status: 408, Cause: meant(call.WhyLost).cause})
	}
}

// acknowledged takes an ACK.
func (l *leg) acknowledged(ack *sip.Request) {
	u := l.unacked
	if u == nil || ack.CSeq() == nil || ack.CSeq().SeqNo != u.seq {
		return
	}
	u.timer.Stop()
	l.unacked = nil
	first := l.state == legAnswered
	l.move(evAck)
	if l.state == legClosing { // it was owing
		l.bye(orHungUp(l.cancel))
		return
	}
	if u.late {
		err := errNoAnswer
		if sdp := described(ack); sdp != nil {
			err = l.sound.Accept(sdp)
		}
		if err != nil {
			l.s.log.Info("the answer in an ACK could not be used", "call", l.c.id, "err", err)
			l.hangUp(call.WhyNoMedia, "")
			l.c.parted(l, call.End{Why: call.WhyNoMedia, By: l.side, Status: 488, Cause: meant(call.WhyNoMedia).cause})
			return
		}
	}
	if first {
		l.c.confirmed(l)
	}
}
