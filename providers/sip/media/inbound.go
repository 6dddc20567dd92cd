package media

import (
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// inbound is what a leg receives.
type inbound struct {
	mu      sync.Mutex
	agreed  bool // until an SDP said who the peer is nobody is let in
	latch   latch
	control latch // RTCP comes from its own port
	events  [2]byte
	srtp    *srtp.Context
	header  rtp.Header
	presses presses
	report  reception
}

// receiver is told of each packet, on a poller's goroutine: it must not wait. The packet is its own only until it returns.
type receiver interface {
	arrived(control bool, packet []byte, from netip.AddrPort, now time.Time)
}

// arrived takes a packet from one of the leg's two sockets.
func (l *Leg) arrived(control bool, packet []byte, from netip.AddrPort, now time.Time) {
	if control || isControl(packet) {
		l.controlArrived(control, packet, from, now)
		return
	}
	var p arrival
	moved, ok := l.admit(&p, packet, from, now)
	if !ok {
		return
	}
	l.engine.counts.received.Add(1)
	l.heardAt.Store(l.engine.since(now))
	if moved {
		l.out.redirect(from)
	}
	if p.kind == other {
		return
	}
	if tap := l.tap.Load(); tap != nil && p.kind == audio {
		tap.recorder.put(tap.channel, &p, now)
	}
	if to := l.sink.Load(); to != nil {
		to.relay(l, &p, now)
	}
}

// admit checks a packet and reads it.
func (l *Leg) admit(p *arrival, packet []byte, from netip.AddrPort, now time.Time) (moved, ok bool) {
	in := &l.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.agreed || !in.latch.lets(from, now) {
		l.engine.counts.strangers.Add(1)
		return false, false
	}
	if in.srtp != nil {
		clear, err := in.srtp.DecryptRTP(packet[:0], packet, &in.header)
		if err != nil { // not authentic, or a replay (RFC 3711, section 3.3)
			l.engine.counts.broken.Add(1)
			return false, false
		}
		packet = clear
	}
	if !p.parse(packet) {
		l.engine.counts.broken.Add(1)
		return false, false
	}
	switch p.number {
	case pcmu, pcma:
		p.kind, p.codec = audio, p.number
	case in.events[0], in.events[1]:
		p.kind = event
		in.presses.read(p, now)
	default:
		p.kind = other
	}
	in.report.note(p, now)
	return in.latch.believe(from, now), true
}
