package media

import (
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ready is a leg that has agreed with a peer that nobody plays: packets are put in by hand.
func ready(t testing.TB, e *Engine, formats string, port int) (*Leg, netip.AddrPort) {
	t.Helper()
	l := openLeg(t, e, LegOptions{})
	if _, err := l.Answer(describePeer(port, formats)); err != nil {
		t.Fatal(err)
	}
	return l, netip.AddrPortFrom(home, uint16(port))
}

// Nothing is allocated for a packet, whatever becomes of it.
func TestNoAllocations(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		recorded, echoed    bool
		packet              byte
	}{
		{"relayed", "0", "0", false, false, pcmu},
		{"transcoded and recorded", "0", "8", true, false, pcmu},
		{"echoed", "0", "0", false, true, pcmu},
		{"a press", "0 101", "0 96", false, false, 101},
		{"unknown", "0", "0", false, false, 77},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			a, from := ready(t, e, c.first, 9)
			b, _ := ready(t, e, c.second, 19)
			if _, err := Connect(a, b); err != nil {
				t.Fatal(err)
			}
			a.Echo(c.echoed)
			if c.recorded {
				r, err := Record(filepath.Join(t.TempDir(), "x.wav"), a, b)
				if err != nil {
					t.Fatal(err)
				}
				e.writer.remove(r) // its goroutine allocates when it likes; here only packets count
				defer func() {
					if _, err := r.Stop(); err != nil {
						t.Error(err)
					}
				}()
			}
			room := make([]byte, packetRoom)
			h := header{number: c.packet, ssrc: 1}
			packet := room[:headerSize+frame]
			now := time.Now()
			if n := testing.AllocsPerRun(1000, func() {
				h.seq++
				h.ts += frame
				now = now.Add(20 * time.Millisecond)
				h.put(packet)
				a.arrived(false, packet, from, now)
			}); n != 0 {
				t.Errorf("%v allocations for each packet", n)
			}
			if c.packet != 77 && e.Stats().Sent+e.Stats().Unsent < 1000 {
				t.Errorf("only %d packets were sent on", e.Stats().Sent)
			}
		})
	}
}

// The clock allocates nothing either while it plays.
func TestNoAllocationsPlaying(t *testing.T) {
	e := newEngine(t)
	l, _ := ready(t, e, "8", 9)
	p := &player{leg: l, source: Ringback(), done: make(chan error, 1)}
	if err := l.out.begin(p); err != nil {
		t.Fatal(err)
	}
	var room [packetRoom]byte
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(tick)
		p.beat(now, &room)
	}); n != 0 {
		t.Errorf("%v allocations for each frame", n)
	}
}

// FuzzPacket: whatever comes to the two ports from the peer's own address, nothing panics.
func FuzzPacket(f *testing.F) {
	f.Add(false, []byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3})
	f.Add(false, []byte{0x80, 101, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0x8a, 0, 160})
	f.Add(false, []byte{0xbf, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 255})
	f.Add(false, []byte{0x90, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 5})
	f.Add(true, []byte{0x81, 200, 0, 6, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1})
	f.Add(true, []byte{0x80, 203})
	e := newEngine(f)
	a, from := ready(f, e, "0 101", 9)
	b, _ := ready(f, e, "8 96", 19)
	if _, err := Connect(a, b); err != nil {
		f.Fatal(err)
	}
	a.OnDigit(func(byte, time.Duration) {})
	r, err := Record(filepath.Join(f.TempDir(), "x.wav"), a, b)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if _, err := r.Stop(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, control bool, packet []byte) {
		if len(packet) > packetRoom {
			return
		}
		before := e.Stats()
		room := make([]byte, packetRoom)
		a.arrived(control, room[:copy(room, packet)], from, time.Now())
		if after := e.Stats(); after.Strangers != before.Strangers {
			t.Error("the peer was taken for a stranger")
		}
	})
}

// G.711 has 256 levels: each survives decoding and encoding, the laws agree with the continuous ones, and translating is decoding and
// encoding.
func TestG711(t *testing.T) {
	for i := range 256 {
		b := byte(i)
		if got := encodePCMU(int(fromPCMU[b])); got != b && b != 0x7f { // µ-law has two zeros
			t.Errorf("µ-law %#x became %#x", b, got)
		}
		if got := encodePCMA(int(fromPCMA[b])); got != b {
			t.Errorf("A-law %#x became %#x", b, got)
		}
		if pcmuToPCMA[b] != encodePCMA(int(fromPCMU[b])) || pcmaToPCMU[b] != encodePCMU(int(fromPCMA[b])) {
			t.Errorf("the translation of %#x", b)
		}
	}
	for s := -32768; s <= 32767; s++ {
		in := []int16{int16(s)}
		var out [1]byte
		for _, codec := range []byte{pcmu, pcma} {
			encode(out[:], in, codec)
			back := float64(decoding(codec)[out[0]])
			if apart := math.Abs(back - float64(s)); apart > max(20, math.Abs(float64(s))/24) {
				t.Fatalf("codec %d: %d came back as %.0f", codec, s, back)
			}
		}
	}
	// From ITU-T G.711's tables 1 and 2, with the bits as they go on the wire: the ends and the middle of each law, in 16 bits.
	for _, c := range []struct {
		codec byte
		code  byte
		level int16
	}{{pcmu, 0x00, -32124}, {pcmu, 0x80, 32124}, {pcmu, 0xff, 0}, {pcma, 0x2a, -32256}, {pcma, 0xaa, 32256}, {pcma, 0xd5, 8}, {pcma, 0x55, -8}} {
		if got := decoding(c.codec)[c.code]; got != c.level {
			t.Errorf("codec %d, %#x: %d, not %d", c.codec, c.code, got, c.level)
		}
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(peersEnv) != "" {
		os.Exit(playPeers())
	}
	os.Exit(m.Run())
}
