package media

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// readRecording reads a WAV file by its header alone, as a player would.
func readRecording(t *testing.T, name string) (left, right []int16) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || string(b[36:40]) != "data" {
		t.Fatalf("%d bytes that are no WAV file", len(b))
	}
	channels, hz, bits := binary.LittleEndian.Uint16(b[22:]), binary.LittleEndian.Uint32(b[24:]), binary.LittleEndian.Uint16(b[34:])
	if channels != 2 || hz != 8000 || bits != 16 {
		t.Fatalf("%d channels, %d Hz, %d bits", channels, hz, bits)
	}
	size := int(binary.LittleEndian.Uint32(b[40:]))
	if size > len(b)-44 || int(binary.LittleEndian.Uint32(b[4:])) != size+36 {
		t.Fatalf("the header says %d bytes, there are %d", size, len(b)-44)
	}
	for at := 44; at+4 <= 44+size; at += 4 {
		left = append(left, int16(binary.LittleEndian.Uint16(b[at:])))
		right = append(right, int16(binary.LittleEndian.Uint16(b[at+2:])))
	}
	return left, right
}

// The whole way, in real time: a tone on each side, through the relay (transcoded) and into the file's two channels.
func TestRecordCall(t *testing.T) {
	a, b, la, lb := twoSides(t, "0", "8")
	file := filepath.Join(t.TempDir(), "call.wav")
	r, err := Record(file, la, lb)
	if err != nil {
		t.Fatal(err)
	}
	const frames = 60
	var both sync.WaitGroup
	both.Go(func() { a.speak(440, pcmu, frames) })
	both.Go(func() { b.speak(1000, pcma, frames) })
	both.Wait()
	length, err := r.Stop()
	if err != nil {
		t.Fatal(err)
	}
	left, right := readRecording(t, file)
	if spoken := len(left); spoken != int(length.Milliseconds())*8 && spoken/80 != int(length.Milliseconds())/10 {
		t.Errorf("%d samples are not %v", spoken, length)
	}
	if length < 1100*time.Millisecond || length > 2500*time.Millisecond {
		t.Errorf("1.2 s became %v", length)
	}
	middle := func(s []int16) []int16 { return s[2000:8000] }
	for _, c := range []struct {
		name    string
		channel []int16
		own     float64
		others  float64
	}{{"left", middle(left), 440, 1000}, {"right", middle(right), 1000, 440}} {
		if own, others := power(c.channel, c.own), power(c.channel, c.others); own < 7000 || others > 150 {
			t.Errorf("%s: its own tone at %.0f, the other's at %.0f", c.name, own, others)
		}
	}
	if n := la.engine.Stats().Recordings; n != 0 {
		t.Errorf("%d recordings are still live", n)
	}
}

// lab is a recorder whose time a test makes.
type lab struct {
	*Recorder
	at   time.Duration
	file string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	e := newEngine(t)
	l := openLeg(t, e, LegOptions{})
	file := filepath.Join(t.TempDir(), "lab.wav")
	r, err := Record(file, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.writer.remove(r) // the test writes
	lab := &lab{Recorder: r, file: file}
	r.now = func() time.Time { return r.began.Add(lab.at) }
	return lab
}

// arrive is a packet of one level on a channel, which comes at a moment of the recording and bears a timestamp in frames of 20 ms.
func (l *lab) arrive(channel int, at time.Duration, ts int, value int16) {
	l.at = max(l.at, at)
	room := make([]byte, headerSize+frame)
	p := arrival{room: room, at: headerSize, codec: pcma, ts: uint32(4294960000 + ts*frame), ssrc: uint32(channel + 1)} // soon past 2³²
	samples := make([]int16, frame)
	for i := range samples {
		samples[i] = value
	}
	encode(room[headerSize:], samples, pcma)
	l.put(channel, &p, l.began.Add(at))
	l.flush(l.began.Add(l.at), holdBack)
}

// stopped is the left and the right channel at the end, in frames of 20 ms: the level in the middle of each.
func (l *lab) stopped(t *testing.T, at time.Duration) (left, right []int16) {
	t.Helper()
	l.at = at
	if _, err := l.Stop(); err != nil {
		t.Fatal(err)
	}
	a, b := readRecording(t, l.file)
	for i := frame / 2; i < len(a); i += frame {
		left, right = append(left, a[i]), append(right, b[i])
	}
	return left, right
}

func beats(n int) time.Duration { return time.Duration(n) * 20 * time.Millisecond }

// quantized is a level as A-law carries it.
func quantized(v int16) int16 { return decodePCMA(encodePCMA(int(v))) }

// Loss is silence, disorder is put right, jitter leaves no trace, and the other channel stays in step.
func TestRecorderPlaces(t *testing.T) {
	l := newLab(t)
	const n = 200 // four seconds: several writes
	order := make([]int, 0, n)
	for i := range n {
		order = append(order, i)
	}
	order[50], order[53] = order[53], order[50]
	for i, ts := range order {
		if ts >= 100 && ts < 120 { // lost
			continue
		}
		late := time.Duration(0)
		if ts >= 130 && ts < 140 { // the network stalls, then all comes at once
			late = beats(140 - ts)
		}
		l.arrive(0, beats(i+1)+late, ts, int16(1000+40*ts))
		l.arrive(1, beats(i+1), ts, int16(-1000-40*ts))
	}
	left, right := l.stopped(t, beats(n))
	if len(left) != n {
		t.Fatalf("%d frames of %d", len(left), n)
	}
	for i := range n {
		want := quantized(int16(1000 + 40*i))
		if i >= 100 && i < 120 {
			want = 0
		}
		if left[i] != want {
			t.Errorf("left, frame %d: %d, want %d", i, left[i], want)
		}
		if want := quantized(int16(-1000 - 40*i)); right[i] != want && (i < 100 || i >= 120) {
			t.Errorf("right, frame %d: %d, want %d", i, right[i], want)
		}
	}
}

// A side that says nothing for a while, and one that comes later, stand where they belong.
func TestRecorderAlignsByTheClock(t *testing.T) {
	l := newLab(t)
	for i := range 150 {
		if i < 20 || i >= 100 {
			l.arrive(0, beats(i+1), i, 5000)
		}
		if i >= 75 {
			l.arrive(1, beats(i+1), i+9000, 6000) // its own time line
		}
	}
	left, right := l.stopped(t, beats(150))
	for i := range left {
		if silent := i >= 20 && i < 100; (left[i] == 0) != silent {
			t.Errorf("left, frame %d: %d", i, left[i])
		}
		if silent := i < 75; (right[i] == 0) != silent {
			t.Errorf("right, frame %d: %d", i, right[i])
		}
	}
}

// A peer whose clock runs wrong by one in five hundred stays within 100 ms of the other channel.
func TestRecorderFollowsTheClock(t *testing.T) {
	for _, c := range []struct {
		name string
		off  float64
	}{{"fast", 1.002}, {"slow", 0.998}} {
		l := newLab(t)
		for i := range 3000 {
			now := time.Duration(float64(beats(i+1)) / c.off)
			l.arrive(0, now, i, 5000)
			if apart := l.lanes[0].at + frame - l.frames(l.began.Add(now)); apart > rate/10 || apart < -rate/10 {
				t.Fatalf("%s: after %v the channel is off by %d samples", c.name, now, apart)
			}
		}
	}
}

// A new stream, and a timestamp that jumps, are placed by the clock.
func TestRecorderTakesANewTimeLine(t *testing.T) {
	l := newLab(t)
	for i := range 100 {
		ts := i
		if i >= 50 {
			ts = i + 1_000_000
		}
		l.arrive(0, beats(i+1), ts, 5000)
	}
	left, _ := l.stopped(t, beats(100))
	for i, v := range left {
		if v == 0 {
			t.Errorf("frame %d is silent", i)
		}
	}
}

// What the process has written when it dies is a file that plays.
func TestRecorderCrash(t *testing.T) {
	l := newLab(t)
	for i := range 500 { // ten seconds
		l.arrive(0, beats(i+1), i, 5000)
	}
	left, _ := readRecording(t, l.file) // without Stop
	if len(left) < 5*rate {
		t.Errorf("only %d samples can be heard after ten seconds", len(left))
	}
	l.stopped(t, beats(500))
}

// A disk that is full is told, the call goes on, and what comes after room was made is in step.
func TestRecorderDiskFull(t *testing.T) {
	l := newLab(t)
	good, full := l.f, openFull(t)
	for i := range 600 {
		switch i {
		case 150:
			l.f = full
		case 350:
			l.f = good
		}
		l.arrive(0, beats(i+1), i, int16(1000+i*20))
	}
	l.at = beats(600)
	_, err := l.Stop()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("it ended with %v", err)
	}
	left, _ := readRecording(t, l.file)
	if len(left) != 600*frame {
		t.Fatalf("%d samples", len(left))
	}
	for _, i := range []int{10, 90, 400, 599} {
		if got, want := left[i*frame+frame/2], quantized(int16(1000+i*20)); got != want {
			t.Errorf("frame %d: %d, want %d", i, got, want)
		}
	}
	if left[250*frame] != 0 {
		t.Error("there is sound where the disk was full")
	}
}

func openFull(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// A transferred call goes on in the same file; a leg that is closed is silence.
func TestRecordReplace(t *testing.T) {
	a, b, la, lb := twoSides(t, "0", "0")
	file := filepath.Join(t.TempDir(), "call.wav")
	r, err := Record(file, la, lb)
	if err != nil {
		t.Fatal(err)
	}
	other := newPeer(t)
	lc := openLeg(t, la.engine, LegOptions{})
	other.call(lc, "0")
	b.speak(1000, pcmu, 20)
	lb.Close()
	r.Replace(lc)
	var both sync.WaitGroup
	both.Go(func() { other.speak(2000, pcmu, 20) })
	both.Go(func() { a.speak(440, pcmu, 20) })
	both.Wait()
	if _, err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Stop(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	_, right := readRecording(t, file)
	if first, then := power(right[800:2400], 1000), power(right[4000:5600], 2000); first < 7000 || then < 7000 {
		t.Errorf("1000 Hz at %.0f, then 2000 Hz at %.0f", first, then)
	}
	if _, err := Record(file, la, nil); err == nil {
		t.Error("a file that exists was written over")
	}
}
