package media

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// keyPacket is one RFC 4733 packet as a test writes it.
type keyPacket struct {
	code     byte
	end      bool
	length   uint16
	at       uint32 // timestamp
	marker   bool
	reversed bool // comes after the next
}

func (k keyPacket) payload() []byte {
	b := []byte{k.code, 10, 0, 0}
	if k.end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], k.length)
	return b
}

type told struct {
	digit   byte
	pressed time.Duration
}

// pressed are the ways in which a press may arrive, and what is to be told of it.
var pressed = []struct {
	name string
	in   []keyPacket
	want []told
}{
	{"by the book", []keyPacket{{5, false, 160, 1000, true, false}, {5, false, 320, 1000, false, false}, {5, true, 480, 1000, false, false},
		{5, true, 480, 1000, false, false}, {5, true, 480, 1000, false, false}}, []told{{'5', 60 * time.Millisecond}}},
	{"no marker", []keyPacket{{10, false, 160, 1000, false, false}, {10, true, 320, 1000, false, false}}, []told{{'*', 40 * time.Millisecond}}},
	{"only an end", []keyPacket{{11, true, 800, 1000, false, false}}, []told{{'#', 100 * time.Millisecond}}},
	{"no end at all", []keyPacket{{1, false, 160, 1000, true, false}, {1, false, 320, 1000, false, false}}, []told{{'1', 40 * time.Millisecond}}},
	{"the next key instead of an end", []keyPacket{{1, false, 160, 1000, true, false}, {2, false, 160, 2600, true, false},
		{2, true, 320, 2600, false, false}}, []told{{'1', 20 * time.Millisecond}, {'2', 40 * time.Millisecond}}},
	{"the same key twice", []keyPacket{{9, false, 160, 1000, true, false}, {9, true, 320, 1000, false, false},
		{9, false, 160, 2600, true, false}, {9, true, 320, 2600, false, false}}, []told{{'9', 40 * time.Millisecond}, {'9', 40 * time.Millisecond}}},
	{"the same key twice, the first end lost", []keyPacket{{9, false, 320, 1000, true, false}, {9, false, 160, 2600, false, false},
		{9, true, 320, 2600, false, false}}, []told{{'9', 40 * time.Millisecond}, {'9', 40 * time.Millisecond}}},
	{"a late packet of the first", []keyPacket{{1, false, 160, 1000, true, false}, {1, true, 320, 1000, false, false},
		{2, false, 160, 2600, true, false}, {1, true, 320, 1000, false, false}, {2, true, 320, 2600, false, false}}, []told{{'1', 40 * time.Millisecond}, {'2', 40 * time.Millisecond}}},
	{"an end before its last", []keyPacket{{3, false, 160, 1000, true, false}, {3, true, 480, 1000, false, false},
		{3, false, 320, 1000, false, false}}, []told{{'3', 60 * time.Millisecond}}},
	{"a sender whose timestamps move", []keyPacket{{4, false, 160, 1000, true, false}, {4, false, 320, 1160, false, false},
		{4, true, 480, 1320, false, false}, {4, true, 480, 1480, false, false}, {4, true, 480, 1640, false, false}}, []told{{'4', 60 * time.Millisecond}}},
	{"longer than a segment", []keyPacket{{7, false, 64000, 1000, true, false}, {7, false, 0xffff, 1000, false, false},
		{7, false, 160, 1000 + 0xffff, false, false}, {7, true, 320, 1000 + 0xffff, false, false}}, []told{{'7', time.Duration(0xffff+320) * time.Second / rate}}},
	{"A to D", []keyPacket{{12, true, 160, 1000, true, false}, {15, true, 160, 2600, true, false}}, []told{{'A', 20 * time.Millisecond}, {'D', 20 * time.Millisecond}}},
	{"flash is no digit", []keyPacket{{16, true, 160, 1000, true, false}, {0, true, 160, 2600, true, false}}, []told{{'0', 20 * time.Millisecond}}},
	{"cut off", []keyPacket{{1, true, 160, 1000, true, true}}, nil},
}

func TestPresses(t *testing.T) {
	for _, c := range pressed {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			p, l := newPeer(t), openLeg(t, e, LegOptions{})
			p.call(l, "0 96")
			got := make(chan told, 16)
			l.OnDigit(func(d byte, pressed time.Duration) { got <- told{d, pressed} })
			for _, k := range c.in {
				payload := k.payload()
				if k.reversed {
					payload = payload[:2]
				}
				p.write(rtp.Header{Version: 2, PayloadType: 96, Marker: k.marker, SequenceNumber: p.seq, Timestamp: k.at, SSRC: p.ssrc}, payload)
				p.seq++
			}
			// A last press that is told says that nothing else is to come before it.
			p.write(rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: p.seq, Timestamp: 1 << 30, SSRC: p.ssrc}, keyPacket{code: 8, end: true, length: 1234}.payload())
			for i := 0; ; i++ {
				var d told
				select {
				case d = <-got:
				case <-time.After(5 * time.Second):
					t.Fatalf("%d digits and no more", i)
				}
				if d.digit == '8' {
					if i != len(c.want) {
						t.Errorf("%d presses were told, not %d", i, len(c.want))
					}
					return
				}
				if i >= len(c.want) || d != c.want[i] {
					t.Errorf("press %d: %c for %v, want %v", i, d.digit, d.pressed, c.want)
				}
			}
		})
	}
}

// A press whose end is lost, with nothing after it, is told by the clock; what INFO brings goes the same way.
func TestPressWithoutEnd(t *testing.T) {
	e := newEngine(t)
	p, l := newPeer(t), openLeg(t, e, LegOptions{})
	p.call(l, "0 101")
	got := make(chan told, 4)
	l.OnDigit(func(d byte, pressed time.Duration) { got <- told{d, pressed} })
	p.send(101, keyPacket{code: 6, length: 800}.payload())
	for _, want := range []told{{'6', 100 * time.Millisecond}, {'#', 0}} {
		select {
		case d := <-got:
			if d != want {
				t.Errorf("told was %c for %v", d.digit, d.pressed)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("it was never told")
		}
		l.Digit('#')
	}
}

// Digits that this program sends are told once each by its own reading, which the table above holds to the RFC; and the sound goes on after.
func TestSendDigits(t *testing.T) {
	e := newEngine(t)
	p, l := newPeer(t), openLeg(t, e, LegOptions{})
	p.call(l, "0 96")
	if err := l.SendDigits(t.Context(), "1a,#"); err != nil {
		t.Fatal(err)
	}
	var stamps []uint32
	codes, ends := "", 0
	for range 3 * (pressBeats + endBeats) {
		got := p.next()
		if got.PayloadType != 96 || len(got.Payload) != 4 {
			t.Fatalf("no event: %v", got)
		}
		if len(stamps) == 0 || stamps[len(stamps)-1] != got.Timestamp {
			if !got.Marker {
				t.Error("a press begins without the marker")
			}
			stamps = append(stamps, got.Timestamp)
			codes += string(keyNames[got.Payload[0]])
		} else if got.Marker {
			t.Error("a marker within a press")
		}
		if got.Payload[1]&0x80 != 0 {
			ends++
			if d := binary.BigEndian.Uint16(got.Payload[2:]); d != pressBeats*frame {
				t.Errorf("it ends after %d samples", d)
			}
		}
	}
	if codes != "1A#" || ends != 3*endBeats {
		t.Errorf("pressed was %q, with %d ends", codes, ends)
	}
	if pause := stamps[2] - stamps[1]; pause < 6000 || pause > 7500 { // 300 ms of press and rest, 500 ms of comma
		t.Errorf("the comma made it %d samples", pause)
	}
}

func TestSendDigitsRefuses(t *testing.T) {
	e := newEngine(t)
	p, l := newPeer(t), openLeg(t, e, LegOptions{})
	p.call(l, "0")
	if err := l.SendDigits(t.Context(), "1"); !errors.Is(err, ErrNoTelephoneEvent) {
		t.Errorf("without telephone-event: %v", err)
	}
	if err := l.SendDigits(t.Context(), "1x"); err == nil {
		t.Error("x was taken for a digit")
	}
}

// Two who send digits at once don't cut each other short.
func TestSendDigitsTogether(t *testing.T) {
	e := newEngine(t)
	p, l := newPeer(t), openLeg(t, e, LegOptions{})
	p.call(l, "0 101")
	first := make(chan error, 1)
	go func() { first <- l.SendDigits(t.Context(), "12") }()
	got := []rtp.Packet{p.next()}
	if err := l.SendDigits(t.Context(), "34"); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
	for range 4*(pressBeats+endBeats) - 1 {
		got = append(got, p.next())
	}
	codes, last := "", uint32(0)
	for _, g := range got {
		if g.Timestamp != last {
			codes, last = codes+string(keyNames[g.Payload[0]]), g.Timestamp
		}
	}
	if codes != "1234" {
		t.Errorf("pressed was %q", codes)
	}
}

// A press is passed on under the other side's payload type, or not at all where that side knows none.
func TestRelayPasses(t *testing.T) {
	a, b, _, _ := twoSides(t, "0 101", "8 96")
	for i, k := range []keyPacket{{code: 1, length: 160}, {code: 1, length: 320, end: true}} {
		a.write(rtp.Header{Version: 2, PayloadType: 101, Marker: i == 0, SequenceNumber: a.seq + uint16(i), Timestamp: a.ts, SSRC: a.ssrc}, k.payload())
		if got := b.next(); got.PayloadType != 96 || string(got.Payload) != string(k.payload()) || got.Marker != (i == 0) {
			t.Errorf("it became %v", got)
		}
	}
	c, d, _, _ := twoSides(t, "0 101", "8")
	c.send(101, keyPacket{code: 1, length: 160, end: true}.payload())
	c.send(pcmu, toneFrame(440, 0, pcmu))
	if got := d.next(); got.PayloadType != pcma {
		t.Errorf("payload type %d", got.PayloadType)
	}
}
