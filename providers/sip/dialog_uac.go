package sip

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// ring is one leg that is to be rung: what it takes to write the INVITE.
type ring struct {
	side    call.Side
	to      address
	shownAs string
	number  string // whom we ask for, for To
	hops    uint32
}

// invite begins a dialog of ours (RFC 3261 section 13.2). Names and addresses in it are ours or the verdict's.
func (l *leg) invite(r ring) error {
	host, _ := l.s.localFor(r.to)
	l.state, l.sent, l.side = legCalling, r.to, r.side
	l.quit = make(chan struct{})
	l.d = dialog{callID: token(), local: shown(r.shownAs, host), target: r.to.uri, at: r.to, behind: l.trunk == nil, hops: r.hops}
	l.d.remote.uri = sip.Uri{Scheme: "sip", User: r.number, Host: r.to.uri.Host}
	l.softly = r.to.transport == "tls" && !r.to.secure
	if err := l.openSound(r.to.secure || l.softly); err != nil {
		return err
	}
	offer, err := l.sound.Offer()
	if err != nil {
		l.sound.Close()
		return err
	}
	l.renewal.interval = l.s.sessionExpires()
	req := l.d.request(sip.INVITE)
	req.AppendHeader(l.s.contact(contactUser, r.to))
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	req.AppendHeader(sip.NewHeader("Supported", "timer"))
	req.AppendHeader(sip.NewHeader("Session-Expires", strconv.Itoa(l.renewal.interval)))
	req.AppendHeader(sip.NewHeader("Min-SE", strconv.Itoa(minSE)))
	if r.shownAs == "" {
		req.AppendHeader(sip.NewHeader("Privacy", "id")) // RFC 3325
	}
	describe(req, offer)
	l.enlist()
	l.send(req)
	return nil
}

// contactUser is the user part of every Contact of ours: our dialogs are found by their Call-ID, so it needs to say nothing.
const contactUser = "call"

// shown is the caller as the callee sees it: the number that the verdict names, or nobody (RFC 3323 section 4.1).
func shown(number, host string) party {
	p := party{tag: token(), uri: sip.Uri{Scheme: "sip", User: number, Host: host}}
	if number == "" {
		p.name, p.uri = "Anonymous", sip.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}
	}
	return p
}

// send sends the INVITE and follows its transaction beside the call. Sending may resolve a name or open a connection, so it is not done
// in the call's goroutine either.
func (l *leg) send(req *sip.Request) {
	l.out = req
	to, quit := l.sent, l.quit
	l.c.aside(func(ctx context.Context) { l.follow(ctx, req, to, quit) }, func() {})
}

// follow hands what comes back to the call, in order. It ends with the final response, or when the transaction dies, or when a callee
// that was sent a CANCEL says nothing more (RFC 3261 section 9.1: after 64*T1 the transaction is considered cancelled).
func (l *leg) follow(ctx context.Context, req *sip.Request, to address, quit chan struct{}) {
	tx, err := l.s.request(ctx, req, to)
	if err != nil {
		l.post(func() { l.unanswered(req, err) })
		return
	}
	tx.OnRetransmission(func(res *sip.Response) { l.repeated(res) })
	for {
		select {
		case res := <-tx.Responses():
			l.post(func() { l.responded(req, res) })
			if !res.IsProvisional() {
				return // the transaction lives on by itself: it absorbs what is sent again
			}
		case <-tx.Done():
			err := tx.Err()
			l.post(func() { l.unanswered(req, err) })
			return
		case <-quit:
			tx.Terminate()
			l.post(func() { l.unanswered(req, sip.ErrTransactionTimeout) })
			return
		case <-ctx.Done():
			tx.Terminate()
			l.post(func() { l.unanswered(req, ctx.Err()) })
			return
		}
	}
}

// responded takes a response to the INVITE.
func (l *leg) responded(req *sip.Request, res *sip.Response) {
	if req != l.out || res.CSeq() == nil {
		return // of an attempt that was repeated since
	}
	switch {
	case res.IsProvisional():
		l.provisional(res)
	case res.IsSuccess():
		l.succeeded(res)
	default:
		if !l.retried(res) && l.move(evFailure) {
			l.gone()
			l.c.refused(l, ending(res))
		}
	}
}

// unanswered is told when nothing final came: time-out, or the transport failed.
func (l *leg) unanswered(req *sip.Request, err error) {
	if req != l.out || !l.move(evFailure) {
		return
	}
	l.s.log.Debug("an invitation had no answer", "call", l.c.id, "err", err)
	l.gone()
	end := call.End{Why: call.WhyUnreachable, By: call.ByCallee, Cause: meant(call.WhyUnreachable).cause}
	if errors.Is(err, sip.ErrTransactionTimeout) {
		end.Status = 408 // RFC 3261 section 8.1.3.1: a time-out counts as 408
	}
	l.c.refused(l, end)
}

// provisional takes a 1xx. A CANCEL that is owed can be sent now.
func (l *leg) provisional(res *sip.Response) {
	was := l.state
	if !l.move(evProvisional) {
		return
	}
	if was == legAbandoned {
		l.sendCancel(l.cancel)
		return
	}
	if l.state != legProceeding || res.StatusCode == 100 {
		return
	}
	if l.d.remote.tag == "" {
		l.d.accepted(res) // the early dialog, for what must be sent within it
	}
	l.acknowledgeProvisional(res)
	if sdp := described(res); sdp != nil && !l.early {
		if err := l.sound.Accept(sdp); err != nil {
			l.s.log.Info("early media could not be used", "call", l.c.id, "err", err)
		} else {
			l.early = true
		}
	}
	l.c.rang(l, res.StatusCode)
}

// acknowledgeProvisional sends PRACK where a callee wants one (RFC 3262), though we never say that we support it: it would ring for a
// while and then fail the call.
func (l *leg) acknowledgeProvisional(res *sip.Response) {
	seq := res.GetHeader("RSeq")
	to := res.To()
	if seq == nil || to == nil || !listed(res.GetHeaders("Require"), "100rel") {
		return
	}
	was := l.d.remote.tag
	l.d.remote.tag = to.Params.GetOr("tag", was)
	req := l.d.request(sip.PRACK)
	l.d.remote.tag = was
	req.AppendHeader(sip.NewHeader("RAck", seq.Value()+" "+l.out.CSeq().Value()))
	l.request(req, func(*sip.Response) {})
}

// succeeded takes the 2xx: it is acknowledged at once, whatever comes of it, or the callee would repeat it until it gives up.
func (l *leg) succeeded(res *sip.Response) {
	if !l.move(evSuccess) {
		return
	}
	l.d.accepted(res)
	l.sendAck(res)
	if l.state == legClosing { // it crossed our CANCEL, or nobody wants it any more: ACK, then BYE (RFC 3261 section 15.1.1)
		l.bye(orHungUp(l.cancel))
		return
	}
	l.renewal.agreed(l, res)
	sdp := described(res)
	var err error
	switch {
	case sdp != nil:
		err = l.sound.Accept(sdp)
	case !l.early:
		err = errNoAnswer
	}
	if err != nil {
		l.s.log.Info("an answer could not be used", "call", l.c.id, "err", err)
		l.hangUp(call.WhyNoMedia, "")
		l.c.refused(l, call.End{Why: call.WhyNoMedia, By: call.ByCallee, Status: 488, Cause: meant(call.WhyNoMedia).cause})
		return
	}
	l.c.answered(l)
}

var errNoAnswer = errors.New("the 2xx has no session description")

func orHungUp(header string) string {
	if header == "" {
		return reason(call.WhyHungUp)
	}
	return header
}

func tagOf(to *sip.ToHeader) string {
	if to == nil {
		return ""
	}
	return to.Params.GetOr("tag", "")
}

// sendAck acknowledges a 2xx (RFC 3261 section 13.2.2.4) and keeps the ACK: it is sent again whenever the 2xx is.
func (l *leg) sendAck(res *sip.Response) {
	ack := l.d.numbered(sip.ACK, res.CSeq().SeqNo)
	ack.SetBody(nil)
	kept := sentAck{ack, l.d.next()}
	l.acks.Lock()
	defer l.acks.Unlock()
	if l.acked == nil {
		l.acked = map[ackKey]sentAck{}
	}
	l.acked[keyOf(res)] = kept
	l.writeAck(kept)
}

// keyOf tells the 2xx responses apart that one dialog, or one forked INVITE, may bring.
func keyOf(res *sip.Response) ackKey { return ackKey{tagOf(res.To()), res.CSeq().SeqNo} }

func (l *leg) writeAck(a sentAck) {
	if err := l.s.write(a.req, a.to); err != nil {
		l.s.log.Warn("an ACK could not be sent", "err", err)
	}
}

// repeated takes a further 2xx of the same INVITE, from the transaction's own goroutine. The same callee missed our ACK; another one
// (the INVITE was forked by a proxy, RFC 3261 section 13.2.2.4) is acknowledged and sent away.
func (l *leg) repeated(res *sip.Response) {
	if res.CSeq() == nil {
		return
	}
	l.acks.Lock()
	kept, known := l.acked[keyOf(res)]
	if known {
		l.writeAck(kept)
	}
	l.acks.Unlock()
	if !known {
		l.post(func() { l.sendAway(res) })
	}
}

// sendAway ends the dialog of a callee that answered after another.
func (l *leg) sendAway(res *sip.Response) {
	l.acks.Lock()
	kept, known := l.acked[keyOf(res)]
	if known { // the first 2xx was looked at only now, while this one was under way
		l.writeAck(kept)
	}
	l.acks.Unlock()
	if known {
		return
	}
	other := &leg{s: l.s, c: l.c, side: l.side, d: l.d, state: legConfirmed, trunk: l.trunk}
	other.d.remote.tag = ""
	other.d.accepted(res)
	other.d.localSeq = res.CSeq().SeqNo
	other.sendAck(res)
	l.acks.Lock()
	l.acked[keyOf(res)] = other.acked[keyOf(res)]
	l.acks.Unlock()
	req := other.d.request(sip.BYE)
	req.AppendHeader(sip.NewHeader("Reason", elsewhere))
	other.request(req, func(*sip.Response) {})
}

// sendCancel sends CANCEL for the INVITE: same branch, same CSeq number (RFC 3261 section 9.1).
func (l *leg) sendCancel(header string) {
	l.cancel = header
	req := sip.NewRequest(sip.CANCEL, *l.out.Recipient.Clone())
	req.AppendHeader(l.out.Via().Clone())
	for _, name := range []string{"Route", "From", "To", "Call-ID"} {
		sip.CopyHeaders(name, l.out, req)
	}
	req.AppendHeader(&sip.CSeqHeader{SeqNo: l.out.CSeq().SeqNo, MethodName: sip.CANCEL})
	hops := sip.MaxForwardsHeader(l.d.hops)
	req.AppendHeader(&hops)
	req.AppendHeader(sip.NewHeader("Reason", header))
	req.SetBody(nil)
	to := l.sent
	l.c.aside(func(ctx context.Context) {
		if _, err := l.s.transact(ctx, req, to); err != nil {
			l.s.log.Debug("a CANCEL had no answer", "err", err)
		}
	}, func() {})
	quit := l.quit
	time.AfterFunc(64*sip.T1, func() { close(quit) })
}

// retried sends the INVITE again where the response says how: with credentials (401, 407) or with a longer session (422).
func (l *leg) retried(res *sip.Response) bool {
	if l.state != legCalling && l.state != legProceeding || l.tries >= 3 {
		return false
	}
	again := anew(l.out)
	switch res.StatusCode {
	case 401, 407: // the trunk raises the CSeq
		if l.trunk == nil {
			return false
		}
		if err := l.trunk.authorize(again, res); err != nil {
			l.s.log.Warn("a trunk asks for what we can't answer", "trunk", l.trunk.Name, "err", err)
			return false
		}
	case 422:
		if !l.renewal.longer(again, res) {
			return false
		}
		again.CSeq().SeqNo++
	case 488, 606, 415:
		if !l.plainly(again) {
			return false
		}
	default:
		return false
	}
	l.tries++
	l.state = legCalling // a new transaction: nothing was heard of it yet
	l.d.localSeq = again.CSeq().SeqNo
	l.d.remote.tag = ""
	l.send(again)
	return true
}

// plainly puts an offer of plain media in the place of an encrypted one that a telephone refused without having to have it.
func (l *leg) plainly(again *sip.Request) bool {
	if !l.softly || l.early {
		return false
	}
	l.softly = false
	l.sound.Close()
	if err := l.openSound(false); err != nil {
		return false
	}
	offer, err := l.sound.Offer()
	if err != nil {
		return false
	}
	again.SetBody(offer)
	again.CSeq().SeqNo++
	return true
}
