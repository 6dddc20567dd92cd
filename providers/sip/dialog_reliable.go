package sip

import (
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// reliable is a provisional response to a caller that requires them to be reliable (RFC 3262): it is repeated until its PRACK is there.
// One at a time is under way; what is to be said meanwhile is said after that.
type reliable struct {
	seq   uint32
	res   *sip.Response
	wait  time.Duration
	until time.Time
	timer *time.Timer
	next  bool // another is to follow
	sound bool // and it has early media
}

// mustPrack tells whether the caller requires reliable provisional responses.
func (l *leg) mustPrack() bool { return listed(l.in.GetHeaders("Require"), "100rel") }

// respondReliably sends a provisional response until it is acknowledged.
func (l *leg) respondReliably(res *sip.Response) bool {
	l.rseq++
	res.AppendHeader(sip.NewHeader("Require", "100rel"))
	res.AppendHeader(sip.NewHeader("RSeq", fmt.Sprint(l.rseq)))
	if !l.respond(res) {
		return false
	}
	r := &reliable{seq: l.rseq, res: res, wait: sip.T1, until: time.Now().Add(64 * sip.T1)}
	l.owed = r
	r.timer = l.after(r.wait, func() { l.repeatReliably(r) })
	return true
}

func (l *leg) repeatReliably(r *reliable) {
	if l.owed != r || l.state != legRinging {
		return
	}
	if time.Now().After(r.until) { // RFC 3262 section 3: the INVITE is refused then
		l.owed = nil
		if l.move(evFailure) {
			l.refuse(call.WhyLost)
			l.gone()
			l.c.parted(l, call.End{Why: call.WhyLost, By: l.side, Status: 408})
		}
		return
	}
	l.respond(r.res)
	r.wait *= 2
	r.timer = l.after(r.wait, func() { l.repeatReliably(r) })
}

// pracked takes a PRACK.
func (l *leg) pracked(req *sip.Request, tx sip.ServerTransaction) {
	r := l.owed
	rack := req.GetHeader("RAck")
	if r == nil || rack == nil || strings.Join(strings.Fields(rack.Value()), " ") != fmt.Sprintf("%d %d INVITE", r.seq, l.in.CSeq().SeqNo) {
		l.s.noSuchDialog(req, tx)
		return
	}
	if described(req) != nil { // an offer within a PRACK: we have made none that it could follow
		l.s.answer(req, tx, 488, "Not Acceptable Here")
		return
	}
	r.timer.Stop()
	l.owed = nil
	l.s.answer(req, tx, 200, "OK")
	if r.next {
		l.ringing(r.sound)
	}
}
