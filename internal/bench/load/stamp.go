package load

import (
	"bytes"
	"math"
	"time"
)

// Size is the length of a message's text.
const Size = 100

// Stamp is what a text tells of itself: when it was made, and which of its run it is. Encoded it is printable and needs no escaping in
// any format, so it is found in whatever a server wraps around it.
type Stamp struct {
	At  int64 // Unix nanoseconds
	Seq int
}

var mark = []byte("@T")

const (
	timeDigits = 19
	seqDigits  = 9
	stampLen   = 2 + timeDigits + 1 + seqDigits // mark, time, #, sequence
)

// Now is a stamp of this moment.
func Now(seq int) Stamp { return Stamp{At: time.Now().UnixNano(), Seq: seq} }

// AppendTo adds the text of Size bytes.
func (s Stamp) AppendTo(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, mark...)
	dst = appendDigits(dst, s.At, timeDigits)
	dst = append(dst, '#')
	dst = appendDigits(dst, int64(s.Seq), seqDigits)
	dst = append(dst, '@')
	for len(dst) < at+Size {
		dst = append(dst, 'x')
	}
	return dst
}

// FindStamp is the first stamp in p.
func FindStamp(p []byte) (Stamp, bool) {
	i := bytes.Index(p, mark)
	if i < 0 || len(p) < i+stampLen || p[i+2+timeDigits] != '#' {
		return Stamp{}, false
	}
	p = p[i+2:]
	at, ok := digits(p[:timeDigits])
	seq, also := digits(p[timeDigits+1 : timeDigits+1+seqDigits])
	return Stamp{At: at, Seq: int(seq)}, ok && also
}

// CountStamps is how many texts p holds.
func CountStamps(p []byte) int { return bytes.Count(p, mark) }

func appendDigits(dst []byte, v int64, width int) []byte {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := at + width - 1; i >= at && v > 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}

func digits(p []byte) (v int64, ok bool) {
	for _, c := range p {
		if c < '0' || c > '9' || v > (math.MaxInt64-9)/10 {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}
