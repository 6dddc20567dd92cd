package media

// G.711 (ITU-T): PCMU is µ-law, PCMA is A-law. Their numbers are those of RFC 3551, section 6.
const (
	pcmu = 0
	pcma = 8
)

// The tables: one look-up for each sample, 64 KiB + 1 KiB in all for both codecs and both ways.
var (
	fromPCMU, fromPCMA = decodeTables()
	// toPCMU and toPCMA are indexed by the upper 14 bits of a sample (13 would do for A-law): what lies below them G.711 cannot carry.
	toPCMU, toPCMA = encodeTables()
	// between translate one codec's bytes into the other's.
	pcmuToPCMA, pcmaToPCMU = translationTables()
)

func decodeTables() (u, a [256]int16) {
	for i := range 256 {
		u[i], a[i] = decodePCMU(byte(i)), decodePCMA(byte(i))
	}
	return u, a
}

func encodeTables() (u, a [1 << 14]byte) {
	for i := range u {
		sample := int(int16(i<<2)) + 2 // the middle of the four that share a place
		u[i], a[i] = encodePCMU(sample), encodePCMA(sample)
	}
	return u, a
}

func translationTables() (ua, au [256]byte) {
	for i := range 256 {
		ua[i] = encodePCMA(int(decodePCMU(byte(i))))
		au[i] = encodePCMU(int(decodePCMA(byte(i))))
	}
	return ua, au
}

// decodePCMU: sign, three bits of exponent, four of mantissa, all inverted on the wire; the bias of 33 (132 at 16 bits) makes the
// segments meet.
func decodePCMU(b byte) int16 {
	b = ^b
	magnitude := ((int(b&0x0f)<<3)+132)<<(b>>4&7) - 132
	if b&0x80 != 0 {
		return int16(-magnitude)
	}
	return int16(magnitude)
}

func encodePCMU(sample int) byte {
	const clip = 32635
	sign := byte(0)
	if sample < 0 {
		sign, sample = 0x80, -sample
	}
	sample = min(sample, clip) + 132
	exponent := 7
	for mask := 0x4000; sample&mask == 0 && exponent > 0; mask >>= 1 {
		exponent--
	}
	return ^(sign | byte(exponent<<4) | byte(sample>>(exponent+3)&0x0f))
}

// decodePCMA: as µ-law, but every other bit is inverted on the wire, a set sign bit means positive, and the lowest segment is linear.
func decodePCMA(b byte) int16 {
	b ^= 0x55
	magnitude := int(b&0x0f)<<4 + 8
	if exponent := b >> 4 & 7; exponent > 0 {
		magnitude = (magnitude + 0x100) << (exponent - 1)
	}
	if b&0x80 == 0 {
		return int16(-magnitude)
	}
	return int16(magnitude)
}

func encodePCMA(sample int) byte {
	sign := byte(0x80)
	if sample < 0 {
		sign, sample = 0, -sample-1
	}
	sample = min(sample, 32767)
	exponent := 7
	for mask := 0x4000; sample&mask == 0 && exponent > 0; mask >>= 1 {
		exponent--
	}
	mantissa := sample >> 4 & 0x0f
	if exponent > 0 {
		mantissa = sample >> (exponent + 3) & 0x0f
	}
	return (sign | byte(exponent<<4) | byte(mantissa)) ^ 0x55
}

// decoding is the table for one of the two codecs.
func decoding(codec byte) *[256]int16 {
	if codec == pcma {
		return &fromPCMA
	}
	return &fromPCMU
}

// encode writes samples in a codec.
func encode(out []byte, samples []int16, codec byte) {
	table := &toPCMU
	if codec == pcma {
		table = &toPCMA
	}
	for i, s := range samples {
		out[i] = table[uint16(s)>>2]
	}
}

// translate rewrites a payload from its codec into the other one, in place.
func translate(payload []byte, codec byte) {
	table := &pcmuToPCMA
	if codec == pcma {
		table = &pcmaToPCMU
	}
	for i, b := range payload {
		payload[i] = table[b]
	}
}
