package media

import "encoding/binary"

const (
	headerSize = 12  // an RTP header without contributing sources or extension
	frame      = 160 // samples in 20 ms
	rate       = 8000
)

// kind says what a packet carries, of what this program understands.
type kind byte

const (
	audio kind = iota
	event      // RFC 4733
	other      // comfort noise and whatever else: noticed, but not passed on
)

// arrival is one RTP packet that was received and let in.
type arrival struct {
	room   []byte // the whole packet; room[at:] is its payload
	at     int    // never less than headerSize: a new header fits before the payload, so that relaying copies nothing
	kind   kind
	codec  byte // of audio: pcmu or pcma
	number byte // the payload type as it came
	marker bool
	seq    uint16
	ts     uint32
	ssrc   uint32
}

func (p *arrival) payload() []byte { return p.room[p.at:] }

// parse reads a header (RFC 3550, section 5.1), passing over contributing sources, extension and padding.
func (p *arrival) parse(b []byte) bool {
	if len(b) < headerSize || b[0]>>6 != 2 {
		return false
	}
	at, end := headerSize+4*int(b[0]&0x0f), len(b)
	if b[0]&0x10 != 0 {
		if at+4 > end {
			return false
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	}
	if b[0]&0x20 != 0 {
		end -= int(b[end-1])
	}
	if at > end {
		return false
	}
	p.room, p.at = b[:end], at
	p.marker, p.number = b[1]&0x80 != 0, b[1]&0x7f
	p.seq, p.ts, p.ssrc = binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	return true
}

// header is what this program says of a packet that it sends.
type header struct {
	number byte
	marker bool
	seq    uint16
	ts     uint32
	ssrc   uint32
}

func (h header) put(b []byte) {
	b[0], b[1] = 2<<6, h.number
	if h.marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], h.seq)
	binary.BigEndian.PutUint32(b[4:], h.ts)
	binary.BigEndian.PutUint32(b[8:], h.ssrc)
}

// isControl tells RTCP from RTP where both come to one port (RFC 5761, section 4).
func isControl(b []byte) bool { return len(b) >= 8 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223 }
