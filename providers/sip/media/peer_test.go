package media

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
)

var home = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func newEngine(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Options{Bind: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func openLeg(t testing.TB, e *Engine, o LegOptions) *Leg {
	t.Helper()
	l, err := e.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// peer is a telephone as far as RTP goes: nothing of the package under test reads or writes its packets.
type peer struct {
	t    testing.TB
	conn *net.UDPConn
	to   netip.AddrPort

	ssrc uint32
	seq  uint16
	ts   uint32
	got  chan rtp.Packet
}

func newPeer(t testing.TB) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(home, 0)))
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, conn: conn, ssrc: 0xfeed0000 + uint32(conn.LocalAddr().(*net.UDPAddr).Port), seq: 7000, ts: 123456, got: make(chan rtp.Packet, 4096)}
	var done sync.WaitGroup
	done.Go(p.listen)
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		done.Wait()
	})
	return p
}

func (p *peer) listen() {
	room := make([]byte, 2048)
	for {
		n, _, err := p.conn.ReadFromUDPAddrPort(room)
		if err != nil {
			return
		}
		var packet rtp.Packet
		if err := packet.Unmarshal(append([]byte(nil), room[:n]...)); err != nil {
			p.t.Errorf("a packet that is no RTP: %v", err)
			continue
		}
		if packet.Header.PayloadType >= 64 && packet.Header.PayloadType < 96 {
			continue // RTCP on one port
		}
		p.got <- packet
	}
}

func (p *peer) port() int { return p.conn.LocalAddr().(*net.UDPAddr).Port }

// sdp is what the telephone would say of itself.
func (p *peer) sdp(formats string, attributes ...string) []byte {
	return describePeer(p.port(), formats, attributes...)
}

func describePeer(port int, formats string, attributes ...string) []byte {
	lines := []string{"v=0", "o=phone 1 1 IN IP4 127.0.0.1", "s=call", "c=IN IP4 127.0.0.1", "t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP %s", port, formats)}
	if strings.Contains(formats, "101") {
		lines = append(lines, "a=rtpmap:101 telephone-event/8000")
	}
	if strings.Contains(formats, "96") {
		lines = append(lines, "a=rtpmap:96 telephone-event/8000")
	}
	return []byte(strings.Join(append(lines, attributes...), "\r\n") + "\r\n")
}

// call gives the leg the peer's offer, as an incoming call would.
func (p *peer) call(l *Leg, formats string, attributes ...string) {
	p.t.Helper()
	if _, err := l.Answer(p.sdp(formats, attributes...)); err != nil {
		p.t.Fatal(err)
	}
	p.to = netip.AddrPortFrom(home, l.pair.port)
}

// send sends a packet that follows the last one.
func (p *peer) send(number uint8, payload []byte) {
	p.t.Helper()
	p.write(rtp.Header{Version: 2, PayloadType: number, SequenceNumber: p.seq, Timestamp: p.ts, SSRC: p.ssrc}, payload)
	p.seq++
	p.ts += uint32(len(payload))
}

func (p *peer) write(h rtp.Header, payload []byte) {
	p.t.Helper()
	b, err := (&rtp.Packet{Header: h, Payload: payload}).Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.WriteToUDPAddrPort(b, p.to); err != nil {
		p.t.Error(err)
	}
}

// next is the next packet that the peer gets.
func (p *peer) next() rtp.Packet {
	p.t.Helper()
	select {
	case packet := <-p.got:
		return packet
	case <-time.After(5 * time.Second):
		p.t.Fatal("nothing came")
		return rtp.Packet{}
	}
}

// speak sends a tone in real time, frame by frame, until the channel is closed or it has said so much.
func (p *peer) speak(hz float64, codec uint8, frames int) {
	beat := time.NewTicker(20 * time.Millisecond)
	defer beat.Stop()
	for i := range frames {
		p.send(codec, toneFrame(hz, i, codec))
		<-beat.C
	}
}

// toneFrame is a frame of a tone, encoded by formulas that are not those of the package under test.
func toneFrame(hz float64, index int, codec uint8) []byte {
	out := make([]byte, frame)
	for i := range out {
		sample := 8000 * math.Sin(2*math.Pi*hz*float64(index*frame+i)/rate)
		if codec == pcma {
			out[i] = referenceA(sample / 32768)
		} else {
			out[i] = referenceU(sample / 32768)
		}
	}
	return out
}

// referenceU is the continuous µ-law, cut into 8 bits: within a step of G.711's segments.
func referenceU(x float64) byte {
	y := math.Log1p(255*math.Abs(x)) / math.Log(256)
	code := byte(min(127, y*128))
	if x < 0 {
		return ^(code | 0x80)
	}
	return ^code
}

func referenceA(x float64) byte {
	const a = 87.6
	y, m := 0.0, math.Abs(x)
	if m < 1/a {
		y = a * m / (1 + math.Log(a))
	} else {
		y = (1 + math.Log(a*m)) / (1 + math.Log(a))
	}
	code := byte(min(127, y*128))
	if x >= 0 {
		code |= 0x80
	}
	return code ^ 0x55
}

// power is how much of a sound is at one frequency: the amplitude of a sine (Goertzel).
func power(samples []int16, hz float64) float64 {
	w := 2 * math.Pi * hz / rate
	var s1, s2 float64
	for _, s := range samples {
		s1, s2 = float64(s)+2*math.Cos(w)*s1-s2, s1
	}
	return 2 * math.Sqrt(s1*s1+s2*s2-2*math.Cos(w)*s1*s2) / float64(len(samples))
}

// heardSamples decodes what came in packets of a codec.
func heardSamples(packets []rtp.Packet) []int16 {
	var out []int16
	for _, p := range packets {
		table := decoding(p.PayloadType)
		for _, b := range p.Payload {
			out = append(out, table[b])
		}
	}
	return out
}
