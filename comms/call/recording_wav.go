package call

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// sound is what a WAV file holds.
type sound struct {
	size     int64 // of the file
	duration time.Duration
}

// errNoSound: the file holds none.
var errNoSound = errors.New("there is no sound in the file")

// wavHead is how long the head of a recording is: RIFF, the format (PCM) and the beginning of the data.
const wavHead = 44

// The format of recordings: 8 kHz, 16 bits, two channels.
const (
	wavRate  = 8000
	wavFrame = 4 // bytes of one moment, both channels
)

// mendWAV makes the head of a recording say what is in the file. The writer sets the lengths now and then; who was killed, or found
// the disk full, leaves a file that players cut off where the head says. Mending what is right changes nothing.
func mendWAV(name string) (s sound, err error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return sound{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return sound{}, err
	}
	data := (info.Size() - wavHead) / wavFrame * wavFrame
	if data <= 0 {
		return sound{}, errNoSound
	}
	var have [wavHead]byte
	if _, err := io.ReadFull(f, have[:]); err != nil {
		return sound{}, err
	}
	want := head(data)
	if have != want {
		if _, err := f.WriteAt(want[:], 0); err != nil {
			return sound{}, err
		}
	}
	if size := wavHead + data; size != info.Size() { // half a moment at its end
		if err := f.Truncate(size); err != nil {
			return sound{}, err
		}
	}
	return sound{size: wavHead + data, duration: lasting(data)}, f.Sync()
}

// head is the head of a recording with so many bytes of sound.
func head(data int64) (h [wavHead]byte) {
	le := binary.LittleEndian
	copy(h[0:], "RIFF")
	le.PutUint32(h[4:], uint32(min(data+wavHead-8, 1<<32-1)))
	copy(h[8:], "WAVEfmt ")
	le.PutUint32(h[16:], 16)
	le.PutUint16(h[20:], 1) // PCM
	le.PutUint16(h[22:], 2) // channels
	le.PutUint32(h[24:], wavRate)
	le.PutUint32(h[28:], wavRate*wavFrame)
	le.PutUint16(h[32:], wavFrame)
	le.PutUint16(h[34:], 16) // bits
	copy(h[36:], "data")
	le.PutUint32(h[40:], uint32(min(data, 1<<32-1)))
	return h
}

func lasting(data int64) time.Duration {
	return time.Duration(data/wavFrame) * time.Second / wavRate
}

// readWAV is what a kept recording holds; it was mended before it was kept.
func readWAV(r io.Seeker) (sound, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return sound{}, fmt.Errorf("measure a recording: %w", err)
	}
	if size <= wavHead {
		return sound{}, errNoSound
	}
	return sound{size: size, duration: lasting(size - wavHead)}, nil
}
