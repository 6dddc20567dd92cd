package media

import (
	"io"
	"math"
	"time"
)

// level is how loud the tones are: -15 dBm0 or so, the level of a telephone network's own tones (ITU-T E.180).
const level = 5000

// Samples is a sound in memory.
func Samples(samples []int16) Source { return &memory{left: samples} }

type memory struct{ left []int16 }

func (m *memory) Read(samples []int16) (int, error) {
	if len(m.left) == 0 {
		return 0, io.EOF
	}
	n := copy(samples, m.left)
	m.left = m.left[n:]
	return n, nil
}

// cadence is a tone with pauses, for ever or for a while.
type cadence struct {
	step     float64 // radians for each sample
	phase    float64
	on, off  int // samples; off 0: no pause
	at, ends int // ends 0: never
}

func (c *cadence) Read(samples []int16) (int, error) {
	if c.ends > 0 {
		if c.at >= c.ends {
			return 0, io.EOF
		}
		samples = samples[:min(len(samples), c.ends-c.at)]
	}
	for i := range samples {
		samples[i] = 0
		if c.off == 0 || c.at%(c.on+c.off) < c.on {
			samples[i] = int16(level * math.Sin(c.phase))
		}
		c.phase = math.Mod(c.phase+c.step, 2*math.Pi)
		c.at++
	}
	return len(samples), nil
}

func steps(hz float64) float64 { return 2 * math.Pi * hz / rate }

func samplesIn(d time.Duration) int { return int(d.Microseconds() * rate / 1e6) }

// Ringback is what a caller hears while the far side rings: 450 Hz, one second in five, as in China, whose numbers are this program's
// default (ITU-T E.180, supplement 2).
func Ringback() Source { return &cadence{step: steps(450), on: rate, off: 4 * rate} }

// Tone is a sine; dur 0: without end.
func Tone(hz float64, dur time.Duration) Source {
	return &cadence{step: steps(hz), on: rate, ends: samplesIn(dur)}
}

// Beep says that it is the listener's turn to speak or to press.
func Beep() Source { return Tone(1000, 200*time.Millisecond) }

// Silence never ends: it keeps a stream, and the NAT on its way, alive.
func Silence() Source { return silence{} }

type silence struct{}

func (silence) Read(samples []int16) (int, error) {
	clear(samples)
	return len(samples), nil
}
