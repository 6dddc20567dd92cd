package sip

import (
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// supported are the extensions that a request may require of us (RFC 3261 section 8.2.2.3).
var supported = map[string]bool{"timer": true, "100rel": true}

// notHere are methods that are known and not for us (405); any other is unknown (501).
var notHere = map[sip.RequestMethod]bool{sip.MESSAGE: true, sip.SUBSCRIBE: true, sip.PUBLISH: true}

// dispatch is where every request arrives, each in a goroutine of its own: it must live, whatever a handler does.
func (s *Server) dispatch(req *sip.Request, tx *sip.ServerTx) {
	defer tx.TerminateGracefully()
	if !s.guard(string(req.Method), func() { s.deliver(req, tx) }) && !req.IsAck() {
		s.reply(tx, req, 500, "Server Internal Error")
	}
}

// guard runs fn and tells whether it came back. A panic is a fault of ours: one call suffers, not all.
func (s *Server) guard(what string, fn func()) (whole bool) {
	defer func() {
		if p := recover(); p != nil {
			s.panics.Add(1)
			s.log.Error("a SIP handler failed", "at", what, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn()
	return true
}

// deliver gives a request to the part that it is for.
func (s *Server) deliver(req *sip.Request, tx sip.ServerTransaction) {
	if req.IsAck() {
		s.onAck(req, tx)
		return
	}
	if !s.acceptable(req, tx) {
		return
	}
	if to := req.To(); to != nil && to.Params.Has("tag") && req.Method != sip.REGISTER {
		s.within(req, tx)
		return
	}
	switch req.Method {
	case sip.INVITE:
		s.begin(req, tx)
	case sip.REGISTER:
		s.onRegister(req, tx)
	case sip.OPTIONS:
		s.tellOptions(req, tx)
	case sip.CANCEL:
		s.onCancel(req, tx)
	case sip.REFER:
		s.reply(tx, req, 403, "Forbidden") // a call is transferred from within (RFC 5589)
	default: // BYE, INFO, UPDATE, NOTIFY, PRACK without a dialog (RFC 3261 section 12.2.2)
		s.reply(tx, req, 481, "Call/Transaction Does Not Exist")
	}
}

// within gives a request to the dialog that it belongs to. Nothing of that is ever refused because there is much to do.
func (s *Server) within(req *sip.Request, tx sip.ServerTransaction) {
	switch req.Method {
	case sip.INVITE:
		s.onReinvite(req, tx)
	case sip.BYE:
		s.onBye(req, tx)
	case sip.CANCEL:
		s.onCancel(req, tx)
	case sip.INFO:
		s.onInfo(req, tx)
	case sip.UPDATE:
		s.onUpdate(req, tx)
	case sip.REFER:
		s.onRefer(req, tx)
	case sip.NOTIFY:
		s.onNotify(req, tx)
	case sip.OPTIONS:
		s.onOptions(req, tx)
	case sip.PRACK:
		s.onPrack(req, tx)
	}
}

// begin takes an INVITE that would begin a call.
func (s *Server) begin(req *sip.Request, tx sip.ServerTransaction) {
	tag, _ := req.From().Params.Get("tag")
	branch, _ := req.Via().Params.Get("branch")
	key, now := inviteKey(req.CallID().Value(), tag, req.CSeq().SeqNo), time.Now()
	proof := req.GetHeader("Proxy-Authorization") != nil || req.GetHeader("Authorization") != nil
	if full := s.draining.Load() || s.load.full(proof) || s.liveCalls() >= s.opt.MaxCalls; full && !s.invites.has(key, now) {
		s.gate.told.shed.Add(1) // and is not noted: whoever comes again is no copy
		s.reply(tx, req, 503, "Service Unavailable", sip.NewHeader("Retry-After", "5"))
		return
	}
	switch s.invites.take(key, branch, now) {
	case isAgain: // its answer is being sent, or was: RFC 3261 section 17.2.1 leaves that to the transaction
		return
	case isMerged:
		s.reply(tx, req, 482, "Loop Detected")
		return
	}
	decided := s.load.begin()
	defer decided()
	c, ok := s.identify(req, tx)
	if !ok {
		return
	}
	c.decided = decided
	s.onInvite(req, tx, c)
}

// acceptable checks what RFC 3261 section 8.2 asks of every request, and answers where it isn't so.
func (s *Server) acceptable(req *sip.Request, tx sip.ServerTransaction) bool {
	if req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil || req.Via() == nil {
		s.reply(tx, req, 400, "Bad Request") // it came over a connection that we opened: the gate has not seen it
		return false
	}
	if !known[req.Method] {
		if notHere[req.Method] {
			s.reply(tx, req, 405, "Method Not Allowed", sip.NewHeader("Allow", methods))
		} else {
			s.reply(tx, req, 501, "Not Implemented", sip.NewHeader("Allow", methods))
		}
		return false
	}
	if scheme := req.Recipient.Scheme; scheme != "sip" && scheme != "sips" {
		s.reply(tx, req, 416, "Unsupported URI Scheme")
		return false
	}
	if req.Method == sip.CANCEL {
		return true // it has no Require (RFC 3261 section 9.1)
	}
	if left := req.MaxForwards(); left != nil && left.Val() == 0 && !req.To().Params.Has("tag") {
		s.reply(tx, req, 483, "Too Many Hops") // a back-to-back agent passes calls on: it is a hop
		return false
	}
	if no := unsupported(req); no != "" {
		s.reply(tx, req, 420, "Bad Extension", sip.NewHeader("Unsupported", no))
		return false
	}
	return s.readable(req, tx)
}

// methods are all that we answer.
const methods = allowed + ", REGISTER"

var known = func() map[sip.RequestMethod]bool {
	set := map[sip.RequestMethod]bool{}
	for m := range strings.SplitSeq(methods, ", ") {
		set[sip.RequestMethod(m)] = true
	}
	return set
}()

// unsupported lists what a request requires and we can't do.
func unsupported(req *sip.Request) string {
	var out []string
	for _, name := range []string{"Require", "Proxy-Require"} {
		for _, h := range req.GetHeaders(name) {
			for tag := range strings.SplitSeq(h.Value(), ",") {
				if tag = strings.TrimSpace(tag); tag != "" && !supported[strings.ToLower(tag)] {
					out = append(out, tag)
				}
			}
		}
	}
	return strings.Join(out, ", ")
}

// readable checks that the body of a request that describes sound can be read (RFC 3261 section 8.2.3), and so the answer to it.
func (s *Server) readable(req *sip.Request, tx sip.ServerTransaction) bool {
	if req.Method != sip.INVITE && req.Method != sip.UPDATE {
		return true
	}
	const sdp = "application/sdp"
	if len(req.Body()) > 0 {
		kind := ""
		if h := req.ContentType(); h != nil {
			kind, _, _ = strings.Cut(strings.ToLower(h.Value()), ";")
			kind = strings.TrimSpace(kind)
		}
		if kind != sdp && kind != "multipart/mixed" {
			s.reply(tx, req, 415, "Unsupported Media Type", sip.NewHeader("Accept", sdp))
			return false
		}
		for _, name := range []string{"Content-Encoding", "e"} { // its compact form
			if h := req.GetHeader(name); h != nil && !strings.EqualFold(strings.TrimSpace(h.Value()), "identity") {
				s.reply(tx, req, 415, "Unsupported Media Type", sip.NewHeader("Accept-Encoding", "identity"))
				return false
			}
		}
	}
	if accepts := req.GetHeaders("Accept"); len(accepts) > 0 {
		all := ""
		for _, h := range accepts {
			all += "," + strings.ToLower(h.Value())
		}
		if !strings.Contains(all, sdp) && !strings.Contains(all, "*/*") && !strings.Contains(all, "application/*") {
			s.reply(tx, req, 406, "Not Acceptable")
			return false
		}
	}
	return true
}

// tellOptions says what we can do (RFC 3261 section 11). Carriers and telephones also ask to hear whether we live.
func (s *Server) tellOptions(req *sip.Request, tx sip.ServerTransaction) {
	if s.draining.Load() {
		s.reply(tx, req, 503, "Service Unavailable", sip.NewHeader("Retry-After", strconv.Itoa(int(s.opt.DrainTimeout.Seconds())+1)))
		return
	}
	s.reply(tx, req, 200, "OK", sip.NewHeader("Allow", methods), sip.NewHeader("Accept", "application/sdp"),
		sip.NewHeader("Accept-Encoding", "identity"), sip.NewHeader("Accept-Language", "en"), sip.NewHeader("Supported", "timer, 100rel"))
}

// reply sends a final response. That it can't be sent is the sender's loss: he asks again, or his transaction ends.
func (s *Server) reply(tx sip.ServerTransaction, req *sip.Request, status int, reason string, more ...sip.Header) {
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	for _, h := range more {
		res.AppendHeader(h)
	}
	res.AppendHeader(sip.NewHeader("Server", agent))
	if err := tx.Respond(res); err != nil {
		s.log.Debug("a SIP response could not be sent", "status", status, "method", string(req.Method))
	}
}
