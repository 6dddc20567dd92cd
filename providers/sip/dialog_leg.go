package sip

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"switchboard/comms/call"
	"switchboard/providers/sip/media"
)

// leg is one side of a call: a dialog with a peer and the media that goes with it. It belongs to the goroutine of its call.
type leg struct {
	s      *Server
	side   call.Side
	d      dialog
	state  legState
	sound  *media.Leg
	secure bool       // its media must be encrypted
	softly bool       // UAC: encryption was offered because the telephone came by TLS; where it refuses, plain media will do
	phone  uuid.UUID  // the telephone at the other end; Nil: a trunk or the test world
	trunk  *trunkLine // nil: none

	in      *sip.Request // UAS: the INVITE; UAC: nil
	tx      sip.ServerTransaction
	final   func()    // UAS: the INVITE has its final response; calling it twice does nothing
	body    []byte    // UAS: the description that the 2xx carries: the answer, or our offer (late)
	late    bool      // UAS: the INVITE had no offer
	unacked *unacked  // a 2xx of ours without its ACK
	owed    *reliable // a provisional response of ours without its PRACK
	rseq    uint32    // of the last of those

	out     *sip.Request // UAC: the INVITE, as it was last sent
	sent    address      // where it was sent to
	cancel  string       // the Reason of the CANCEL or BYE that is owed
	quit    chan struct{}
	tries   int    // answered challenges and 422s
	early   bool   // its media was agreed before the answer
	release func() // gives the trunk's place back

	renewal   renewal // session timer
	renewing  bool    // a re-INVITE of ours is under way
	asking    int     // requests of ours within the dialog that are under way
	play      context.CancelFunc
	notices   []notice // NOTIFYs that are under way or wait
	referring bool     // it asked for a transfer
	pressing  string   // digits that are being sent to it, and those that wait

	owners sync.Mutex
	c      *liveCall // whose goroutine this belongs to; owners guards it

	acks  sync.Mutex
	acked map[ackKey]sentAck // the ACKs of 2xx responses, sent again when those come again
}

type ackKey struct {
	tag string
	seq uint32
}

type sentAck struct {
	req *sip.Request
	to  address
}

// owner is the call that the leg belongs to at this moment: an attended transfer gives it to another.
func (l *leg) owner() *liveCall {
	l.owners.Lock()
	defer l.owners.Unlock()
	return l.c
}

// post does a job in the goroutine of the leg's call, whichever that is when its turn comes.
func (l *leg) post(job func()) bool {
	c := l.owner()
	return c.box.post(func() {
		if now := l.owner(); now != c && now.box.post(job) {
			return
		}
		job() // here too where that call is over: whoever waits for the job is told so by it
	})
}

// enlist makes the leg known to the requests that come within its dialog.
func (l *leg) enlist() {
	l.c.work++
	l.s.tables.Lock()
	defer l.s.tables.Unlock()
	l.s.dialogs[l.d.key()] = l
}

// after does a job of the leg later. It must look whether it is still wanted: the leg may have ended since.
func (l *leg) after(d time.Duration, job func()) *time.Timer {
	return time.AfterFunc(d, func() { l.post(job) })
}

// mute frees the leg's media. Its dialog may live on for a while, to part cleanly.
func (l *leg) mute() {
	l.stopPlay()
	if l.sound != nil {
		l.sound.Close()
	}
}

// gone is what remains to be done once the leg's state is ended.
func (l *leg) gone() {
	l.mute()
	l.renewal.stop()
	if l.unacked != nil {
		l.unacked.timer.Stop()
		l.unacked = nil
	}
	if l.owed != nil {
		l.owed.timer.Stop()
		l.owed = nil
	}
	if l.final != nil {
		l.final()
	}
	if l.release != nil {
		l.release()
		l.release = nil
	}
	l.s.tables.Lock()
	delete(l.s.dialogs, l.d.key())
	l.s.tables.Unlock()
	l.c.work--
}

// hangUp ends the leg from our side, in the way that its state asks for. why says what a caller who still waits for an answer is told,
// and header is the Reason; empty: that of why.
func (l *leg) hangUp(why call.Why, header string) {
	if header == "" {
		header = reason(why)
	}
	was := l.state
	if !l.move(evHangUp) {
		return
	}
	l.mute()
	l.renewal.stop()
	switch {
	case l.state == legEnded: // it rang in and has no answer yet
		l.refuse(why)
		l.gone()
	case l.state == legClosing:
		l.bye(header)
	case l.state == legCancelling && was == legProceeding:
		l.sendCancel(header)
	default: // owed: the CANCEL, if ever a provisional comes; the BYE, when the ACK does
		l.cancel = header
	}
}

// left is called when the peer ended the leg: its BYE or CANCEL has been answered.
func (l *leg) left() { l.gone() }

// bye sends BYE and closes the leg when that is answered, or never will be.
func (l *leg) bye(header string) {
	req := l.d.request(sip.BYE)
	req.AppendHeader(sip.NewHeader("Reason", header))
	l.request(req, func(*sip.Response) {
		if l.move(evDone) {
			l.gone()
		}
	})
}

// request sends a request within the dialog and does what follows with its final response; nil: none came. A carrier's challenge is
// answered once.
func (l *leg) request(req *sip.Request, then func(res *sip.Response)) {
	to := l.d.next()
	l.asking++
	var res *sip.Response
	c := l.c
	c.aside(func(ctx context.Context) {
		var err error
		if res, err = l.s.transact(ctx, req, to); err != nil {
			l.s.log.Debug("a request within a call had no answer", "method", req.Method, "call", c.id, "err", err)
		}
	}, func() {
		l.asking--
		if again := l.proven(req, res); again != nil {
			l.request(again, then)
			return
		}
		then(res)
	})
}

// proven is the request once more, with our credentials, where a carrier asked for them; nil: it didn't, or refuses them.
func (l *leg) proven(req *sip.Request, res *sip.Response) *sip.Request {
	if l.trunk == nil || res == nil || res.StatusCode != 401 && res.StatusCode != 407 ||
		req.GetHeader("Authorization") != nil || req.GetHeader("Proxy-Authorization") != nil {
		return nil
	}
	again := anew(req)
	again.CSeq().SeqNo = l.d.localSeq // the trunk raises it
	if err := l.trunk.authorize(again, res); err != nil {
		l.s.log.Warn("a trunk asks for what we can't answer", "trunk", l.trunk.Name, "err", err)
		return nil
	}
	l.d.localSeq = again.CSeq().SeqNo
	return again
}

// anew copies a request for a new transaction: without its Via, whose branch names the old one.
func anew(req *sip.Request) *sip.Request {
	again := req.Clone()
	again.RemoveHeader("Via")
	again.SetSource("")
	again.SetDestination("")
	return again
}

// transact sends a request other than INVITE and waits for its final response, at most as long as the transaction lives (Timer F).
func (s *Server) transact(ctx context.Context, req *sip.Request, to address) (*sip.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 64*sip.T1+time.Second)
	defer cancel()
	tx, err := s.request(ctx, req, to)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, fmt.Errorf("wait for the answer to %s: %w", req.Method, tx.Err())
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the answer to %s: %w", req.Method, ctx.Err())
		}
	}
}

// openSound takes the media for a leg.
func (l *leg) openSound(secure bool) error {
	o := media.LegOptions{Name: string(l.side), SRTP: media.Offered, NAT: l.d.behind}
	if secure {
		o.SRTP = media.Required
	}
	if at, err := netip.ParseAddrPort(l.d.at.at); err == nil {
		o.Peer = at.Addr().Unmap()
	}
	sound, err := l.s.engine.Open(o)
	if err != nil {
		return fmt.Errorf("open the media: %w", err)
	}
	l.sound = sound
	sound.OnDigit(func(d byte, _ time.Duration) {
		l.post(func() { l.c.pressed(l, d) })
	})
	return nil
}
