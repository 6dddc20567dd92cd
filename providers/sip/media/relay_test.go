package media

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// twoSides are two telephones, bridged.
func twoSides(t testing.TB, first, second string) (a, b *peer, la, lb *Leg) {
	t.Helper()
	e := newEngine(t)
	a, b = newPeer(t), newPeer(t)
	la, lb = openLeg(t, e, LegOptions{Name: "a"}), openLeg(t, e, LegOptions{Name: "b"})
	a.call(la, first)
	b.call(lb, second)
	if _, err := Connect(la, lb); err != nil {
		t.Fatal(err)
	}
	return a, b, la, lb
}

func TestRelayTranscodes(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		said, heard         uint8
	}{
		{"same", "0", "0", pcmu, pcmu},
		{"to A-law", "0", "8", pcmu, pcma},
		{"to µ-law", "8", "0", pcma, pcmu},
		{"not where the peer can hear it", "0 8", "8 0", pcmu, pcmu},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b, _, _ := twoSides(t, c.first, c.second)
			var got []rtp.Packet
			for i := range 50 {
				a.send(c.said, toneFrame(440, i, c.said))
				got = append(got, b.next())
			}
			for i, p := range got {
				if p.PayloadType != c.heard {
					t.Fatalf("packet %d has payload type %d", i, p.PayloadType)
				}
			}
			sound := heardSamples(got)
			if p := power(sound, 440); p < 7000 || p > 9000 {
				t.Errorf("440 Hz at an amplitude of %.0f, said were 8000", p)
			}
			if p := power(sound, 1000); p > 100 {
				t.Errorf("1000 Hz at %.0f, which nobody said", p)
			}
		})
	}
}

// Nothing of one party's stream may reach the other: no SSRC, sequence, timestamp, contributing source or extension. Loss stays loss.
func TestRelayHidesTheSender(t *testing.T) {
	a, b, _, _ := twoSides(t, "0", "0")
	payload := make([]byte, frame)
	var first rtp.Packet
	for i, gap := range []uint16{0, 1, 2, 5} {
		h := rtp.Header{Version: 2, PayloadType: 0, SequenceNumber: a.seq + gap, Timestamp: a.ts + uint32(gap)*frame, SSRC: a.ssrc,
			CSRC: []uint32{0xabcdef01}, Extension: true, ExtensionProfile: 0xbede}
		if err := h.SetExtension(1, []byte{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		a.write(h, payload)
		got := b.next()
		if i == 0 {
			first = got
		}
		if got.SSRC == a.ssrc || got.SequenceNumber == h.SequenceNumber || got.Timestamp == h.Timestamp {
			t.Errorf("the sender shows: %+v", got.Header)
		}
		if len(got.CSRC) > 0 || got.Extension {
			t.Errorf("contributing sources or extension were passed on: %+v", got.Header)
		}
		if got.SequenceNumber-first.SequenceNumber != gap || got.Timestamp-first.Timestamp != uint32(gap)*frame {
			t.Errorf("gap %d became %d packets, %d samples", gap, got.SequenceNumber-first.SequenceNumber, got.Timestamp-first.Timestamp)
		}
		if got.Marker != (i == 0) {
			t.Errorf("packet %d: marker %t", i, got.Marker)
		}
	}
}

// What one peer hears is one stream, whatever it is made of.
func TestStreamGoesOnThroughChanges(t *testing.T) {
	a, b, la, lb := twoSides(t, "0", "0")
	var got []rtp.Packet
	relay := func() {
		for range 3 {
			a.send(pcmu, make([]byte, frame))
			got = append(got, b.next())
		}
	}
	relay()
	if err := lb.Play(context.Background(), Samples(make([]int16, 3*frame))); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		got = append(got, b.next())
	}
	relay()
	a.ssrc, a.seq, a.ts = a.ssrc+1, 60000, 1 // the phone was restarted
	relay()
	other := newPeer(t)
	lc := openLeg(t, la.engine, LegOptions{Name: "c"})
	other.call(lc, "0")
	if _, err := Connect(lc, lb); err != nil { // transferred
		t.Fatal(err)
	}
	a.send(pcmu, make([]byte, frame)) // hears and says nothing any more
	for range 3 {
		other.send(pcmu, make([]byte, frame))
		got = append(got, b.next())
	}
	for i, p := range got[1:] {
		if p.SSRC != got[0].SSRC || p.SequenceNumber != got[0].SequenceNumber+uint16(i+1) {
			t.Errorf("packet %d: SSRC %x, sequence %d after %d", i+1, p.SSRC, p.SequenceNumber, got[i].SequenceNumber)
		}
		if step := int32(p.Timestamp - got[i].Timestamp); step < frame || step > rate {
			t.Errorf("packet %d: %d samples after the one before", i+1, step)
		}
		if p.Marker != (i+1 == 3 || i+1 == 6 || i+1 == 9 || i+1 == 12) {
			t.Errorf("packet %d: marker %t", i+1, p.Marker)
		}
	}
}

// A stranger's packets change nothing: not what the other side hears, nor where this side's sound goes (RTP bleed).
func TestStrangersAreNotHeard(t *testing.T) {
	a, b, la, _ := twoSides(t, "0", "0")
	a.send(pcmu, toneFrame(440, 0, pcmu))
	b.next()
	strange := newPeer(t) // the same host, another port: what a re-mapped NAT would look like, but the phone is not silent
	strange.to = a.to
	elsewhere, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 9, 9)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := elsewhere.Close(); err != nil {
			t.Error(err)
		}
	}()
	far := &peer{t: t, conn: elsewhere, to: a.to}
	for range 20 {
		strange.send(pcmu, make([]byte, frame))
		far.send(pcmu, make([]byte, frame))
	}
	a.send(pcmu, toneFrame(440, 1, pcmu))
	if got := b.next(); string(got.Payload) != string(toneFrame(440, 1, pcmu)) {
		t.Error("the other side heard a stranger")
	}
	b.send(pcmu, make([]byte, frame))
	a.next()
	if n := len(strange.got); n != 0 {
		t.Errorf("a stranger got %d packets", n)
	}
	if s := la.engine.Stats(); s.Strangers != 40 {
		t.Errorf("%d packets of strangers counted, sent were 40", s.Strangers)
	}
}

func TestLatch(t *testing.T) {
	said := netip.MustParseAddrPort("192.0.2.10:4000")
	nat, gateway := netip.MustParseAddrPort("192.0.2.10:61000"), netip.MustParseAddrPort("192.0.2.77:5000")
	far := netip.MustParseAddrPort("192.0.3.10:4000")
	begin := time.Now()
	for _, c := range []struct {
		name string
		used netip.AddrPort // believed at the beginning
		from netip.AddrPort
		at   time.Duration
		lets bool
	}{
		{"the address said", netip.AddrPort{}, said, 0, true},
		{"another port at first", netip.AddrPort{}, nat, 0, true},
		{"the same network at first", netip.AddrPort{}, gateway, 0, true},
		{"anybody", netip.AddrPort{}, far, 0, false},
		{"anybody after a silence", nat, far, time.Minute, false},
		{"a nearer one at once", gateway, nat, 0, true},
		{"the address said at once", nat, said, 0, true},
		{"a farther one not", said, nat, time.Second, false},
		{"an equal one not", nat, netip.MustParseAddrPort("192.0.2.10:61001"), time.Second, false},
		{"an equal one after a silence", nat, netip.MustParseAddrPort("192.0.2.10:61001"), 3 * time.Second, true},
	} {
		var l latch
		l.expect(said)
		if c.used.IsValid() {
			l.believe(c.used, begin)
		}
		if got := l.lets(c.from, begin.Add(c.at)); got != c.lets {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	var l latch
	l.expect(said)
	l.believe(nat, begin)
	if l.expect(said); l.used != nat {
		t.Error("the same SDP again forgot the peer's NAT")
	}
	if l.expect(far); l.used.IsValid() {
		t.Error("another SDP left the old source in place")
	}
}

func TestEchoAndPlay(t *testing.T) {
	e := newEngine(t)
	p, l := newPeer(t), openLeg(t, e, LegOptions{})
	p.call(l, "8")
	l.Echo(true)
	p.send(pcma, toneFrame(440, 0, pcma))
	if got := p.next(); string(got.Payload) != string(toneFrame(440, 0, pcma)) {
		t.Error("the echo says something else")
	}
	l.Echo(false)
	begin := time.Now()
	if err := l.Play(t.Context(), Tone(1000, 500*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 450*time.Millisecond || took > 900*time.Millisecond {
		t.Errorf("half a second took %v", took)
	}
	var got []rtp.Packet
	for range 25 {
		got = append(got, p.next())
	}
	if amplitude := power(heardSamples(got), 1000); amplitude < 4500 || amplitude > 5500 {
		t.Errorf("1000 Hz at %.0f", amplitude)
	}
}

type broken struct{}

func (broken) Read([]int16) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestPlayEnds(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct {
		name   string
		source Source
		by     func(l *Leg, cancel context.CancelFunc)
		want   error
	}{
		{"by its source", broken{}, func(*Leg, context.CancelFunc) {}, io.ErrUnexpectedEOF},
		{"by its caller", Silence(), func(_ *Leg, cancel context.CancelFunc) { cancel() }, context.Canceled},
		{"by the leg's end", Silence(), func(l *Leg, _ context.CancelFunc) { l.Close() }, ErrClosed},
		{"by another sound", Silence(), func(l *Leg, _ context.CancelFunc) {
			if err := l.Play(t.Context(), Samples([]int16{1})); err != nil {
				t.Error(err)
			}
		}, ErrInterrupted},
		{"by a bridge", Silence(), func(l *Leg, _ context.CancelFunc) {
			if _, err := Connect(l, openLeg(t, e, LegOptions{})); err != nil {
				t.Error(err)
			}
		}, ErrInterrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, l := newPeer(t), openLeg(t, e, LegOptions{})
			p.call(l, "0")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- l.Play(ctx, c.source) }()
			if c.want != io.ErrUnexpectedEOF {
				p.next() // it plays
			}
			c.by(l, cancel)
			if err := <-done; !errors.Is(err, c.want) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
