package media

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// Mode says when a leg speaks SRTP (RFC 3711), with keys in the SDP (SDES, RFC 4568).
type Mode int

// The modes.
const (
	Never    Mode = iota // plain RTP only
	Offered              // SRTP where the peer offers it
	Required             // SRTP or nothing
)

// LegOptions says what is known of a leg's peer before its SDP is seen.
type LegOptions struct {
	Name string     // for logs; no phone number
	SRTP Mode       // when SRTP is spoken
	Peer netip.Addr // the source of the peer's signalling
	NAT  bool       // the peer may be behind NAT: where its SDP names a private address Peer is believed instead
}

// Leg is the media of one side of a call: a pair of ports, what was agreed with the peer, and what becomes of its sound.
type Leg struct {
	engine  *Engine
	options LegOptions
	public  netip.Addr // what our SDP names
	pair    pair

	session session
	in      inbound
	out     outbound
	presses pressQueue

	sink    atomic.Pointer[Leg] // who hears what this leg's peer says; the leg itself: an echo
	tap     atomic.Pointer[tap] // who records it
	bridge  *Bridge             // under engine.wiring
	heardAt atomic.Int64        // nanoseconds of the engine's life
	quiet   atomic.Bool         // nothing is expected from the peer: nothing agreed yet, or hold
	held    atomic.Bool
	closed  atomic.Bool

	cname    string
	reportAt int64 // when the next RTCP report is due; the reporter's own
}

// Open takes a pair of ports. Nothing is received or sent before Accept or Answer says with whom.
func (e *Engine) Open(o LegOptions) (*Leg, error) {
	l := &Leg{engine: e, options: o, cname: randomName()}
	l.quiet.Store(true)
	l.in.presses.tell, l.in.presses.mu = l.presses.add, &l.in.mu
	l.out.ssrc, l.out.ts, l.out.seq = random32(), random32(), uint16(random32())
	l.out.event, l.out.counts = -1, &e.counts
	l.session.begin()
	var err error
	if l.public, err = e.publicFor(o.Peer); err != nil {
		return nil, fmt.Errorf("media: open leg %s: %w", o.Name, err)
	}
	if err = e.adopt(l); err != nil {
		return nil, fmt.Errorf("media: open leg %s: %w", o.Name, err)
	}
	return l, nil
}

// Held tells whether the peer put us on hold: a=sendonly or a=inactive (RFC 3264, section 8.4), or the old c=0.0.0.0.
func (l *Leg) Held() bool { return l.held.Load() }

// Idle is since when nothing was received from the peer, RTP or RTCP: a peer that suppresses silence still reports. It is 0 while
// nothing is to be expected: before media was agreed, and on hold.
func (l *Leg) Idle() time.Duration {
	if l.quiet.Load() {
		return 0
	}
	return time.Duration(max(0, l.engine.since(time.Now())-l.heardAt.Load()))
}

// Echo sends the peer what it says itself.
func (l *Leg) Echo(on bool) {
	if on {
		l.out.interrupt(ErrInterrupted)
		l.sink.Store(l)
		return
	}
	l.sink.CompareAndSwap(l, nil)
}

// Close says goodbye (RTCP BYE) and frees the ports. Whatever uses the leg goes on without it: a recording hears silence. Safe twice.
func (l *Leg) Close() {
	if l.closed.Swap(true) {
		return
	}
	l.part()
	l.quiet.Store(true)
	l.farewell()
	l.out.mu.Lock()
	l.out.stop(ErrClosed)
	l.out.closed, l.out.sending = true, false
	l.out.mu.Unlock()
	l.in.mu.Lock()
	l.in.agreed = false
	l.in.presses.stop()
	l.in.mu.Unlock()
	l.presses.close()
	l.pair.rtp.close()
	l.pair.rtcp.close()
	l.engine.forget(l)
}
