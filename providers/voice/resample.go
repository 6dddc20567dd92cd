package voice

import (
	"encoding/binary"
	"errors"
	"math"
)

const (
	rate   = 8000
	cutoff = 3500.0 // Hz: what is above 4000 would come back as noise below it; a telephone carries 300 to 3400
	lobes  = 12     // of the filter's sinc on each side: 60 dB down at 4000 Hz
)

var errSound = errors.New("voice: espeak-ng gave no sound")

// readWAV takes the samples out of a WAV file. What is written to a pipe bears no true sizes, so the sound is what follows its heading.
func readWAV(b []byte) (samples []int16, hz int, err error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, 0, errSound
	}
	for b = b[12:]; len(b) >= 8; {
		name, size := string(b[:4]), int(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		switch {
		case name == "data" && hz >= rate:
			b = b[:min(size, len(b))]
			samples = make([]int16, len(b)/2)
			for i := range samples {
				samples[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
			}
			return samples, hz, nil
		case name == "fmt " && len(b) >= 16:
			hz = int(binary.LittleEndian.Uint32(b[4:]))
			if mono, bits := binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint16(b[14:]); mono != 1 || bits != 16 {
				return nil, 0, errSound
			}
		}
		b = b[min(size, len(b)):]
	}
	return nil, 0, errSound
}

// resample makes 8 kHz of it: a low-pass filter that is evaluated only where a sample is wanted. The two rates have a common measure
// (22050 and 8000 are 441 and 160 times 50), so the filter is needed in that many positions only.
func resample(in []int16, hz int) []int16 {
	if hz == rate {
		return in
	}
	g := gcd(hz, rate)
	up, down := rate/g, hz/g
	wide := int(math.Ceil(lobes * float64(hz) / (2 * cutoff)))
	filter := make([][]float64, up)
	for phase := range filter {
		filter[phase] = taps(wide, float64(phase)/float64(up), cutoff/float64(hz))
	}
	out := make([]int16, len(in)*up/down)
	for i := range out {
		at, phase := i*down/up, i*down%up
		sum := 0.0
		for k, tap := range filter[phase] {
			if j := at + k - wide + 1; j >= 0 && j < len(in) {
				sum += tap * float64(in[j])
			}
		}
		out[i] = int16(max(math.MinInt16, min(math.MaxInt16, math.Round(sum))))
	}
	return out
}

// taps is a sinc under a Blackman window, its middle between two samples, with a sum of one.
func taps(wide int, shift, corner float64) []float64 {
	out := make([]float64, 2*wide)
	sum := 0.0
	for k := range out {
		x := float64(k-wide+1) - shift
		w := x / float64(wide)
		if math.Abs(w) >= 1 {
			continue
		}
		out[k] = 0.42 + 0.5*math.Cos(math.Pi*w) + 0.08*math.Cos(2*math.Pi*w)
		if x != 0 {
			out[k] *= math.Sin(2*math.Pi*corner*x) / (2 * math.Pi * corner * x)
		}
		sum += out[k]
	}
	for k := range out {
		out[k] /= sum
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
