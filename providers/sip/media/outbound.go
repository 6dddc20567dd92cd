package media

import (
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// outbound is what a leg sends: one RTP stream under this program's own SSRC, sequence numbers and timestamps, whoever's sound it
// carries at the moment. So nothing in it tells one party of the other, and a peer never sees the stream break when a tone, a bridge or
// another bridge takes over.
type outbound struct {
	mu      sync.Mutex
	closed  bool
	sending bool // the peer wants it, and there is somewhere to send it to
	to      sockaddr
	control sockaddr // for RTCP
	socket  *socket
	reports *socket // what RTCP is sent from: a port of its own, or the same (RFC 5761)

	pcmu, pcma bool // what the peer can hear
	prefers    byte // which of the two it named first
	event      int  // its payload type for telephone-event; -1: none

	ssrc   uint32
	seq    uint16 // the last that was sent, as the next two
	ts     uint32
	sentAt time.Time // the moment that ts stands for

	from   *Leg   // whose stream is relayed, nil: our own sound
	ssrcIn uint32 // and which
	seqBy  uint16 // what is to be added to its numbers
	tsBy   uint32

	player *player // our own sound; while there is one, or keys, nothing is relayed
	keys   *keys

	srtp    *srtp.Context
	header  rtp.Header
	secured []byte

	packets, octets uint32 // for the sender reports
	counts          *counts
}

// mostGap is the largest step in sequence numbers that is taken for loss or disorder and not for a new beginning: MAX_DROPOUT of
// RFC 3550, appendix A.1.
const mostGap = 3000

// relay passes a packet on to this leg's peer, as it came: a jitter buffer belongs to who listens, and would only add delay here.
func (l *Leg) relay(from *Leg, p *arrival, now time.Time) {
	o := &l.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || !o.sending || o.player != nil || o.keys != nil {
		return
	}
	h := header{ssrc: o.ssrc, marker: p.marker}
	switch {
	case p.kind == event && o.event >= 0:
		h.number = byte(o.event)
	case p.kind != audio:
		return
	case p.codec == pcmu && o.pcmu, p.codec == pcma && o.pcma:
		h.number = p.codec
	default:
		translate(p.payload(), p.codec)
		h.number = o.prefers
	}
	if o.place(&h, from, p, now) {
		h.marker = h.marker || p.kind == audio
	}
	packet := p.room[p.at-headerSize:]
	h.put(packet)
	o.write(packet)
}

// place gives a relayed packet its number and time. Within one stream they keep their distances, so that the peer sees loss and disorder
// as they were; a new stream goes on where the last one ended, by the wall clock. It tells whether this is a new beginning.
func (o *outbound) place(h *header, from *Leg, p *arrival, now time.Time) bool {
	h.seq, h.ts = p.seq+o.seqBy, p.ts+o.tsBy
	step := int16(h.seq - o.seq)
	if o.from != from || o.ssrcIn != p.ssrc || step > mostGap || step < -mostGap {
		o.from, o.ssrcIn = from, p.ssrc
		h.seq, h.ts = o.seq+1, o.resume(now)
		o.seqBy, o.tsBy = h.seq-p.seq, h.ts-p.ts
		o.seq, o.ts, o.sentAt = h.seq, h.ts, now
		return true
	}
	if step > 0 {
		if o.seq = h.seq; h.ts != o.ts { // all packets of a press bear the time at which it began
			o.ts, o.sentAt = h.ts, now
		}
	}
	return false
}

// resume is the timestamp of a sound that begins now.
func (o *outbound) resume(now time.Time) uint32 {
	if o.sentAt.IsZero() {
		return o.ts
	}
	return o.ts + uint32(max(frame, now.Sub(o.sentAt).Microseconds()*rate/1e6))
}

// own begins or goes on with a sound of our own: its next packet is a frame after the last. begins: mark it.
func (o *outbound) own(now time.Time) (begins bool) {
	begins = o.from != nil || o.sentAt.IsZero()
	if begins {
		o.ts = o.resume(now)
	} else {
		o.ts += frame
	}
	o.from, o.sentAt = nil, now
	return begins
}

// write sends a packet that is ready but for its encryption.
func (o *outbound) write(packet []byte) {
	plain := len(packet) - headerSize
	if o.srtp != nil {
		sealed, err := o.srtp.EncryptRTP(o.secured[:0], packet, &o.header)
		if err != nil {
			o.counts.unsent.Add(1)
			return
		}
		packet = sealed
	}
	if err := o.socket.send(packet, &o.to); err != nil {
		o.counts.unsent.Add(1)
		return
	}
	o.packets++
	o.octets += uint32(plain)
	o.counts.sent.Add(1)
}

// redirect sends to where the peer's packets really come from (symmetric RTP, RFC 4961).
func (o *outbound) redirect(to netip.AddrPort) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.to = sockaddrOf(to, o.socket.six)
	}
}

// interrupt ends what is played and pressed, because something else is to be sent.
func (o *outbound) interrupt(why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop(why)
}

func (o *outbound) stop(why error) {
	if p := o.player; p != nil {
		o.player = nil
		p.done <- why
	}
	if k := o.keys; k != nil {
		o.keys = nil
		k.done <- why
	}
}
