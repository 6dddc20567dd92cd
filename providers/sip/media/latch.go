package media

import (
	"net/netip"
	"time"
)

// relatch is how long the source in use must have been silent before another of no better standing may take its place: a router that
// forgot its mapping gives the phone a new port in the middle of a call.
const relatch = 2 * time.Second

// latch decides whose packets are a leg's. What was said in the SDP is the measure, for anybody may send to the port: the first source
// to come would let a stranger take the sound of a call over ("RTP bleed"). Within it the source is followed wherever it really is.
type latch struct {
	said netip.AddrPort
	used netip.AddrPort // what was last believed
	rank standing
	at   time.Time
}

// standing orders sources by how near they are to what the SDP said.
type standing byte

const (
	stranger standing = iota
	sameNet           // a gateway's other address
	sameHost          // a phone behind NAT: another port than it knows
	exact
)

func (l *latch) standing(from netip.AddrPort) standing {
	switch {
	case from == l.said:
		return exact
	case from.Addr() == l.said.Addr():
		return sameHost
	case sameNetwork(from.Addr(), l.said.Addr()):
		return sameNet
	}
	return stranger
}

// sameNetwork: the same /24, or for IPv6 the same /64.
func sameNetwork(a, b netip.Addr) bool {
	if a.Is4() != b.Is4() {
		return false
	}
	bits := 24
	if a.Is6() {
		bits = 64
	}
	net, err := b.Prefix(bits)
	return err == nil && net.Contains(a)
}

// expect sets what the SDP says. The same again changes nothing: a re-INVITE must not undo what was learned of the peer's NAT.
func (l *latch) expect(said netip.AddrPort) {
	if said != l.said {
		*l = latch{said: said}
	}
}

// lets tells whether a packet from there may come in now, without believing it yet: SRTP has to be checked first.
func (l *latch) lets(from netip.AddrPort, now time.Time) bool {
	if from == l.used {
		return true
	}
	rank := l.standing(from)
	return rank != stranger && (!l.used.IsValid() || rank > l.rank || now.Sub(l.at) > relatch)
}

// believe takes the source of a packet that was let in; moved: it is another than before.
func (l *latch) believe(from netip.AddrPort, now time.Time) (moved bool) {
	l.at = now
	if from == l.used {
		return false
	}
	l.used, l.rank = from, l.standing(from)
	return true
}
