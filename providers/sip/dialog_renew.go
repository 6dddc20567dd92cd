package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/emiago/sipgo/sip"
)

// reinvite sends a re-INVITE and does what follows. None other may be sent, or accepted, until it has its answer.
func (l *leg) reinvite(req *sip.Request) {
	l.renewing = true
	l.asking++
	to := l.d.next()
	var res *sip.Response
	c := l.c
	c.aside(func(ctx context.Context) {
		var err error
		if res, err = l.s.transactInvite(ctx, req, to, l.repeated); err != nil {
			l.s.log.Debug("a re-INVITE had no answer", "call", c.id, "err", err)
		}
	}, func() {
		l.asking--
		l.renewing = false
		if res != nil && res.IsSuccess() {
			l.d.retarget(res.Contact())
			l.sendAck(res)
			if sdp := described(res); sdp != nil && l.state == legConfirmed {
				if err := l.sound.Accept(sdp); err != nil {
					l.s.log.Info("the answer to a re-INVITE could not be used", "call", c.id, "err", err)
				}
			}
		}
		if again := l.proven(req, res); again != nil && l.state == legConfirmed {
			l.reinvite(again)
			return
		}
		l.refreshed(req, res)
	})
}

// transactInvite sends an INVITE and waits for its final response. The transaction lives on after that, as long as it must (RFC 6026).
func (s *Server) transactInvite(ctx context.Context, req *sip.Request, to address, repeated func(*sip.Response)) (*sip.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 64*sip.T1+time.Second)
	defer cancel()
	tx, err := s.request(ctx, req, to)
	if err != nil {
		return nil, err
	}
	tx.OnRetransmission(repeated)
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, fmt.Errorf("wait for the answer to %s: %w", req.Method, tx.Err())
		case <-ctx.Done():
			tx.Terminate()
			return nil, fmt.Errorf("wait for the answer to %s: %w", req.Method, ctx.Err())
		}
	}
}

// glare is how long to wait after 491 (RFC 3261 section 14.1): who chose the Call-ID waits longer, so that the two don't cross again.
func (l *leg) glare() time.Duration {
	const unit = 10 * time.Millisecond
	if l.in == nil {
		return unit * time.Duration(210+rand.IntN(191)) // 2.1 to 4 s
	}
	return unit * time.Duration(rand.IntN(201)) // 0 to 2 s
}

// reinvited answers a re-INVITE: a new address, hold, resume, a refresh, or an empty one that asks for our offer.
func (l *leg) reinvited(req *sip.Request, tx sip.ServerTransaction) {
	if code, phrase, headers := l.unready(req); code != 0 {
		l.s.answer(req, tx, code, phrase, headers...)
		return
	}
	// A dialog whose first ACK was lost is confirmed by what else the peer sends in it.
	if l.unacked != nil && l.state == legAnswered {
		l.unacked.timer.Stop()
		l.unacked = nil
		l.move(evAck)
		defer l.c.confirmed(l)
	}
	offer := described(req)
	var body []byte
	var err error
	if offer != nil {
		body, err = l.sound.Answer(offer)
	} else {
		body, err = l.sound.Offer()
	}
	if err != nil { // the session stays what it was (RFC 3261 section 14.2)
		l.s.log.Info("a re-INVITE was refused", "call", l.c.id, "err", err)
		l.s.answer(req, tx, 488, "Not Acceptable Here")
		return
	}
	l.d.retarget(req.Contact())
	l.d.learn(req)
	l.renewal.offered(l, req)
	res := l.response(req, 200, "OK")
	for _, h := range l.renewal.headers() {
		res.AppendHeader(h)
	}
	describe(res, body)
	if err := tx.Respond(res); err != nil {
		l.s.log.Info("a re-INVITE could not be answered", "call", l.c.id, "err", err)
	}
	l.awaitAck(&unacked{tx: tx, res: res, seq: req.CSeq().SeqNo, late: offer == nil})
	l.renewal.arm(l)
	l.c.redescribed(l, offer)
}

// unready says why an offer, in a re-INVITE or an UPDATE, can't be taken now; 0: it can.
func (l *leg) unready(req *sip.Request) (code int, phrase string, headers []sip.Header) {
	switch {
	case l.renewing, l.unacked != nil && l.unacked.late: // an offer of ours is out (RFC 3261 section 14.2, RFC 3311 section 5.2)
		return 491, "Request Pending", nil
	case l.state == legAnswered && l.unacked != nil, l.state == legConfirmed:
		if tooShort(req) {
			return 422, "Session Interval Too Small", []sip.Header{sip.NewHeader("Min-SE", fmt.Sprint(minSE))}
		}
		return 0, "", nil
	case l.state == legIncoming, l.state == legRinging: // the INVITE before this one has no answer yet
		return 500, "Server Internal Error", []sip.Header{sip.NewHeader("Retry-After", fmt.Sprint(1+rand.IntN(10)))}
	default:
		return 481, "Call/Transaction Does Not Exist", nil
	}
}

// updated answers an UPDATE (RFC 3311): a refresh, a new target, or an offer.
func (l *leg) updated(req *sip.Request, tx sip.ServerTransaction) {
	early := l.state == legProceeding || l.state == legRinging || l.state == legIncoming
	offer := described(req)
	if code, phrase, headers := l.unready(req); code != 0 && !(early && offer == nil) {
		l.s.answer(req, tx, code, phrase, headers...)
		return
	}
	var body []byte
	if offer != nil {
		var err error
		if body, err = l.sound.Answer(offer); err != nil {
			l.s.log.Info("an UPDATE was refused", "call", l.c.id, "err", err)
			l.s.answer(req, tx, 488, "Not Acceptable Here")
			return
		}
	}
	l.d.retarget(req.Contact())
	l.d.learn(req)
	res := l.response(req, 200, "OK")
	if !early {
		l.renewal.offered(l, req)
		l.renewal.arm(l)
		for _, h := range l.renewal.headers() {
			res.AppendHeader(h)
		}
	}
	describe(res, body)
	if err := tx.Respond(res); err != nil {
		l.s.log.Info("an UPDATE could not be answered", "call", l.c.id, "err", err)
	}
	if offer != nil {
		l.c.redescribed(l, offer)
	}
}
