package peers

import (
	"bytes"
	"encoding/binary"
	"math"
	"net"
	"os"
	"strconv"
	"testing"
	"time"
)

const rate = 8000

// wave is a WAV file with a tone.
func wave(hz float64, long time.Duration) []byte {
	samples := make([]int16, int(long.Seconds()*rate))
	for i := range samples {
		samples[i] = int16(12000 * math.Sin(2*math.Pi*hz*float64(i)/rate))
	}
	var b bytes.Buffer
	size := uint32(2 * len(samples))
	for _, part := range []any{[]byte("RIFF"), 36 + size, []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate),
		uint16(2), uint16(16), []byte("data"), size, samples} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			panic(err) // a bytes.Buffer takes everything
		}
	}
	return b.Bytes()
}

// ReadWAV reads 16-bit PCM, channel by channel. What a header says of a length that the file doesn't have is not believed.
func ReadWAV(t testing.TB, file string) [][]int16 {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return Channels(t, b)
}

// Channels takes the bytes of a WAV file apart.
func Channels(t testing.TB, b []byte) [][]int16 {
	t.Helper()
	if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		t.Fatalf("%d bytes are no WAV file", len(b))
	}
	channels := 0
	for at := 12; at+8 <= len(b); {
		name, size := string(b[at:at+4]), int(binary.LittleEndian.Uint32(b[at+4:]))
		body := b[at+8:]
		if name == "fmt " {
			channels = int(binary.LittleEndian.Uint16(body[2:]))
			if r, bits := binary.LittleEndian.Uint32(body[4:]), binary.LittleEndian.Uint16(body[14:]); r != rate || bits != 16 {
				t.Fatalf("a WAV file of %d Hz and %d bits", r, bits)
			}
		}
		if name == "data" && channels > 0 {
			out := make([][]int16, channels)
			if size > 0 { // baresip writes the size when it closes the file
				body = body[:min(size, len(body))]
			}
			for i := 0; i+1 < len(body); i += 2 {
				c := i / 2 % channels
				out[c] = append(out[c], int16(binary.LittleEndian.Uint16(body[i:])))
			}
			return out
		}
		at += 8 + size + size%2
	}
	t.Fatal("a WAV file without sound")
	return nil
}

// Share is how much of the sound's power lies at a frequency, between 0 and 1 (Goertzel's algorithm). A pure tone has nearly 1 at its own.
func Share(samples []int16, hz float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	// In blocks: over a long time the frequencies of two clocks drift apart.
	const block = 800
	var at, all float64
	for ; len(samples) >= block; samples = samples[block:] {
		k := 2 * math.Cos(2*math.Pi*hz/rate)
		var s1, s2 float64
		for _, v := range samples[:block] {
			s1, s2 = float64(v)+k*s1-s2, s1
			all += float64(v) * float64(v)
		}
		at += (s1*s1 + s2*s2 - k*s1*s2) * 2 / block
	}
	if all == 0 {
		return 0
	}
	return at / all
}

// Loud is the samples from the first to the last that is not silence.
func Loud(samples []int16) []int16 {
	first, last := -1, 0
	for i, v := range samples {
		if v > 500 || v < -500 {
			if first < 0 {
				first = i
			}
			last = i + 1
		}
	}
	if first < 0 {
		return nil
	}
	return samples[first:last]
}

// freePorts is the first of ten ports that are free: baresip takes TCP on the port of its UDP, and TLS on the next.
func freePorts(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		port := l.LocalAddr().(*net.UDPAddr).Port &^ 1
		l.Close()
		if port < 65500 && allFree(port) {
			return port
		}
	}
	t.Fatal("there are no free ports")
	return 0
}

func allFree(port int) bool {
	for p := port; p < port+10; p++ {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(p))
		u, err := net.ListenPacket("udp4", at)
		if err != nil {
			return false
		}
		u.Close()
		l, err := net.Listen("tcp4", at)
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// connect waits for a program to listen.
func connect(t testing.TB, port int) net.Conn {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); <-tick.C {
		if c, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return c
		}
	}
	t.Fatalf("nobody listens on port %d", port)
	return nil
}

// FreePort is a port that a peer may take.
func FreePort(t testing.TB) int { t.Helper(); return freePorts(t) }
