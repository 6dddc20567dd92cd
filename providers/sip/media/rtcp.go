package media

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"
)

// RTCP (RFC 3550, section 6): each leg reports to its peer every five seconds or so and says goodbye at the end. Peers want it to see
// that we live and to measure the way; we want it from them for the same reason.
const (
	senderReport   = 200
	receiverReport = 201
	sourceInfo     = 202
	goodbye        = 203
	reportEvery    = 5 * time.Second
	reporterWakes  = time.Second
	ntpEpoch       = 2208988800 // seconds from 1900 to 1970
)

// reception is what the report says of the peer's stream (section 6.4.1, appendix A).
type reception struct {
	ssrc      uint32
	first     uint32 // extended sequence numbers
	highest   uint32
	got       uint32
	jitter    float64
	transit   int64
	lastSent  uint32 // the middle of the NTP time in the last sender report, and when that came
	lastAt    time.Time
	gotBefore uint32
	dueBefore uint32
}

func (r *reception) note(p *arrival, now time.Time) {
	transit := now.UnixMicro()*rate/1e6 - int64(p.ts)
	if r.got == 0 || p.ssrc != r.ssrc {
		*r = reception{ssrc: p.ssrc, first: 1<<16 + uint32(p.seq), highest: 1<<16 + uint32(p.seq), got: 1, transit: transit}
		return
	}
	r.got++
	step := int16(p.seq - uint16(r.highest))
	if step > 0 {
		r.highest += uint32(step)
	}
	if p.kind == audio { // the packets of one press share a timestamp: they say nothing of jitter
		d := float64(int32(transit - r.transit))
		r.transit = transit
		r.jitter += (max(d, -d) - r.jitter) / 16
	}
}

// block writes the report on the peer's stream; false: nothing has come.
func (r *reception) block(b []byte, now time.Time) bool {
	if r.got == 0 {
		return false
	}
	due := r.highest - r.first + 1
	lost := max(0, int64(due)-int64(r.got))
	var fraction int64
	if span := int64(due - r.dueBefore); span > 0 {
		fraction = min(255, max(0, span-int64(r.got-r.gotBefore))*256/span)
	}
	r.dueBefore, r.gotBefore = due, r.got
	binary.BigEndian.PutUint32(b[0:], r.ssrc)
	binary.BigEndian.PutUint32(b[4:], uint32(min(lost, 0x7fffff)))
	b[4] = byte(fraction)
	binary.BigEndian.PutUint32(b[8:], r.highest)
	binary.BigEndian.PutUint32(b[12:], uint32(r.jitter))
	var since uint32
	if !r.lastAt.IsZero() {
		since = uint32(now.Sub(r.lastAt).Seconds() * 65536)
	}
	binary.BigEndian.PutUint32(b[16:], r.lastSent)
	binary.BigEndian.PutUint32(b[20:], since)
	return true
}

// report is the goroutine that reports for all legs, while there are any.
func (e *Engine) report() {
	beat := time.NewTicker(reporterWakes)
	defer beat.Stop()
	var due []*Leg
	for {
		select {
		case <-e.done:
			return
		case <-beat.C:
		}
		now := e.since(time.Now())
		e.mu.Lock()
		if len(e.legs) == 0 {
			e.reporting = false
			e.mu.Unlock()
			return
		}
		due = due[:0]
		for l := range e.legs {
			if now >= l.reportAt {
				l.reportAt = now + int64(float64(reportEvery)*(0.5+rand.Float64())) // section 6.2: not all at once
				due = append(due, l)
			}
		}
		e.mu.Unlock()
		for _, l := range due {
			l.sendReport(false)
		}
		clear(due)
	}
}

// farewell tells the peer that nothing more comes.
func (l *Leg) farewell() { l.sendReport(true) }

// sendReport sends one compound packet: a report, our CNAME (section 6.1 wants both) and at the end BYE.
func (l *Leg) sendReport(bye bool) {
	now := time.Now()
	var block [24]byte
	l.in.mu.Lock()
	agreed := l.in.agreed
	reports := l.in.report.block(block[:], now)
	l.in.mu.Unlock()
	o := &l.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if !agreed || o.closed || !o.control.known() {
		return
	}
	b := make([]byte, 0, 128)
	if o.packets > 0 {
		b = o.senderInfo(b, now)
	} else {
		b = append(b, 2<<6, receiverReport, 0, 0)
		b = binary.BigEndian.AppendUint32(b, o.ssrc)
	}
	if reports {
		b[0]++
		b = append(b, block[:]...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	b = appendName(b, o.ssrc, l.cname)
	if bye {
		b = append(b, 2<<6|1, goodbye, 0, 1)
		b = binary.BigEndian.AppendUint32(b, o.ssrc)
	}
	if o.srtp != nil {
		sealed, err := o.srtp.EncryptRTCP(nil, b, nil)
		if err != nil {
			o.counts.unsent.Add(1)
			return
		}
		b = sealed
	}
	if err := o.reports.send(b, &o.control); err != nil {
		o.counts.unsent.Add(1)
	}
}

func (o *outbound) senderInfo(b []byte, now time.Time) []byte {
	b = append(b, 2<<6, senderReport, 0, 0)
	b = binary.BigEndian.AppendUint32(b, o.ssrc)
	b = binary.BigEndian.AppendUint32(b, uint32(now.Unix()+ntpEpoch))
	b = binary.BigEndian.AppendUint32(b, uint32(uint64(now.Nanosecond())<<32/1e9))
	b = binary.BigEndian.AppendUint32(b, o.ts+uint32(now.Sub(o.sentAt).Microseconds()*rate/1e6))
	b = binary.BigEndian.AppendUint32(b, o.packets)
	return binary.BigEndian.AppendUint32(b, o.octets)
}

// appendName is the source description with the one item that must be there (section 6.5.1), padded to a word.
func appendName(b []byte, ssrc uint32, name string) []byte {
	at := len(b)
	b = append(b, 2<<6|1, sourceInfo, 0, 0)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	b = append(b, 1, byte(len(name)))
	b = append(b, name...)
	b = append(b, 0)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[at+2:], uint16((len(b)-at)/4-1))
	return b
}

// controlArrived takes an RTCP packet. Of what is in it only a sender report's time is kept, for our own report to answer.
func (l *Leg) controlArrived(apart bool, packet []byte, from netip.AddrPort, now time.Time) {
	in := &l.in
	in.mu.Lock()
	defer in.mu.Unlock()
	source := &in.latch // both come to one port (RFC 5761)
	if apart {
		source = &in.control
	}
	if !in.agreed || !source.lets(from, now) {
		l.engine.counts.strangers.Add(1)
		return
	}
	if in.srtp != nil {
		clear, err := in.srtp.DecryptRTCP(packet[:0], packet, nil)
		if err != nil {
			l.engine.counts.broken.Add(1)
			return
		}
		packet = clear
	}
	if len(packet) < 8 || packet[0]>>6 != 2 {
		l.engine.counts.broken.Add(1)
		return
	}
	if apart {
		source.believe(from, now)
	}
	l.heardAt.Store(l.engine.since(now))
	if packet[1] == senderReport && len(packet) >= 28 {
		in.report.lastSent = binary.BigEndian.Uint32(packet[10:])
		in.report.lastAt = now
	}
}
