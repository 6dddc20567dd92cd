package sip

import (
	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// find is the leg that a request belongs to, by its Call-ID and the tag that we gave the dialog; nil: none.
func (s *Server) find(req *sip.Request) *leg {
	id, to := req.CallID(), req.To()
	if id == nil || to == nil {
		return nil
	}
	s.tables.Lock()
	defer s.tables.Unlock()
	return s.dialogs[dialogKey{id.Value(), tagOf(to)}]
}

// inDialog gives a request to its leg, in the goroutine of its call, and waits until it has been answered: its transaction lives no
// longer than this function.
func (s *Server) inDialog(req *sip.Request, tx sip.ServerTransaction, job func(*leg)) {
	done := make(chan struct{})
	l := s.find(req)
	given := l != nil && l.post(func() {
		defer close(done)
		from := req.From()
		switch {
		case l.state == legEnded, from == nil, !l.d.peerIs(from.Params.GetOr("tag", "")):
			s.noSuchDialog(req, tx)
		case !l.d.take(req): // older than one that came before it (RFC 3261 section 12.2.2)
			s.answer(req, tx, 500, "Server Internal Error")
		default:
			job(l)
		}
	})
	if !given {
		s.noSuchDialog(req, tx)
		return
	}
	<-done
}

func (s *Server) noSuchDialog(req *sip.Request, tx sip.ServerTransaction) {
	s.answer(req, tx, 481, "Call/Transaction Does Not Exist")
}

func (s *Server) onReinvite(req *sip.Request, tx sip.ServerTransaction) {
	s.inDialog(req, tx, func(l *leg) { l.reinvited(req, tx) })
}

func (s *Server) onUpdate(req *sip.Request, tx sip.ServerTransaction) {
	s.inDialog(req, tx, func(l *leg) { l.updated(req, tx) })
}

func (s *Server) onRefer(req *sip.Request, tx sip.ServerTransaction) {
	s.inDialog(req, tx, func(l *leg) { l.c.referred(l, req, tx) })
}

func (s *Server) onPrack(req *sip.Request, tx sip.ServerTransaction) {
	s.inDialog(req, tx, func(l *leg) { l.pracked(req, tx) })
}

// onAck takes the ACK of a 2xx: it is a transaction of its own that has no answer (RFC 3261 section 13.2.2.4).
func (s *Server) onAck(req *sip.Request, _ sip.ServerTransaction) {
	if l := s.find(req); l != nil {
		l.post(func() { l.acknowledged(req) })
	}
}

// onCancel takes a CANCEL that matches no INVITE: those that do the transaction layer answers.
func (s *Server) onCancel(req *sip.Request, tx sip.ServerTransaction) { s.noSuchDialog(req, tx) }

func (s *Server) onBye(req *sip.Request, tx sip.ServerTransaction) {
	s.inDialog(req, tx, func(l *leg) { l.hungUp(req, tx) })
}

// hungUp takes the peer's BYE. Where ours crossed it, it is answered and nothing more.
func (l *leg) hungUp(req *sip.Request, tx sip.ServerTransaction) {
	unanswered := l.state == legIncoming || l.state == legRinging
	moved := l.move(evBye)
	if !moved && l.state != legClosing {
		l.s.noSuchDialog(req, tx)
		return
	}
	l.s.answer(req, tx, 200, "OK")
	if !moved {
		return
	}
	end := call.End{Why: call.WhyHungUp, By: l.side, Cause: q850(req)}
	if l.c.stage != stageTalking {
		end.Why = call.WhyCancelled
	}
	if unanswered { // a caller may end an early dialog so (RFC 3261 section 15): the INVITE is still to be answered
		l.refuse(call.WhyCancelled)
	}
	l.left()
	l.c.parted(l, end)
}

func (s *Server) onInfo(req *sip.Request, tx sip.ServerTransaction) {
	s.inDialog(req, tx, func(l *leg) {
		d, ok := digitIn(req)
		if !ok && len(req.Body()) > 0 {
			s.answer(req, tx, 415, "Unsupported Media Type", sip.NewHeader("Accept", "application/dtmf-relay, application/dtmf"))
			return
		}
		s.answer(req, tx, 200, "OK")
		if ok {
			l.c.informed(l, d)
		}
	})
}

// onNotify answers what a peer tells of a transfer that it was asked for: there is none that we wait for.
func (s *Server) onNotify(req *sip.Request, tx sip.ServerTransaction) {
	s.inDialog(req, tx, func(*leg) { s.answer(req, tx, 200, "OK") })
}

// onOptions answers a peer that wants to know whether its dialog lives (RFC 3261 section 11.2).
func (s *Server) onOptions(req *sip.Request, tx sip.ServerTransaction) {
	s.inDialog(req, tx, func(l *leg) {
		res := l.response(req, 200, "OK")
		res.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
		if err := tx.Respond(res); err != nil {
			s.log.Info("a response could not be sent", "status", 200, "err", err)
		}
	})
}
