package media

import (
	"encoding/binary"
	"log/slog"
	"sync"
	"time"
)

const (
	writerWakes = 100 * time.Millisecond
	writeFrames = rate // a second of sound at a time
)

// writer is the one goroutine that writes all recordings: a system call for each second of each call, not for each packet. It lives
// while there are recordings.
type writer struct {
	log       *slog.Logger
	mu        sync.Mutex
	recorders map[*Recorder]struct{}
	running   bool
}

func (w *writer) live() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.recorders)
}

func (w *writer) add(r *Recorder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.recorders == nil {
		w.recorders = map[*Recorder]struct{}{}
	}
	w.recorders[r] = struct{}{}
	if !w.running {
		w.running = true
		go w.run()
	}
}

func (w *writer) remove(r *Recorder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.recorders, r)
}

func (w *writer) run() {
	beat := time.NewTicker(writerWakes)
	defer beat.Stop()
	var all []*Recorder
	for range beat.C {
		w.mu.Lock()
		if len(w.recorders) == 0 {
			w.running = false
			w.mu.Unlock()
			return
		}
		all = all[:0]
		for r := range w.recorders {
			all = append(all, r)
		}
		w.mu.Unlock()
		for _, r := range all {
			r.flush(time.Now(), holdBack)
		}
		clear(all)
	}
}

// buffers are what a flush takes its bytes from: the writer's, and for a moment those of recordings that stop.
var buffers = sync.Pool{New: func() any { return new([wavHeader + writeFrames*frameSize]byte) }}

// flush writes a second of sound that is older than what is held back; with nothing held back, all that there is up to a second. It tells
// whether it wrote anything.
func (r *Recorder) flush(now time.Time, held int64) bool {
	r.file.Lock()
	defer r.file.Unlock()
	buffer := buffers.Get().(*[wavHeader + writeFrames*frameSize]byte)
	defer buffers.Put(buffer)
	r.mu.Lock()
	n := min(r.frames(now)-held-r.flushed, writeFrames)
	if n <= 0 || held > 0 && (n < writeFrames || r.stopped) {
		r.mu.Unlock()
		return false
	}
	at := r.flushed * frameSize
	for i := range n {
		from := (r.flushed + i) & ringMask << 1
		binary.LittleEndian.PutUint16(buffer[i*frameSize:], uint16(r.ring[from]))
		binary.LittleEndian.PutUint16(buffer[i*frameSize+2:], uint16(r.ring[from+1]))
		r.ring[from], r.ring[from+1] = 0, 0
	}
	r.flushed += n
	r.mu.Unlock()
	r.write(buffer[:n*frameSize], at, now)
	return true
}

// write puts sound where it belongs in the file. A full disk does not end the call: each second is tried anew at its own place, so that
// what comes after room was made is in step again, with a hole, which reads as silence, before it.
func (r *Recorder) write(b []byte, at int64, now time.Time) {
	n, err := r.f.WriteAt(b, wavHeader+at)
	r.size = max(r.size, at+int64(n)/frameSize*frameSize)
	if err == nil && now.Sub(r.headerAt) >= headerSpan {
		r.headerAt = now
		err = r.writeHeader()
	}
	if err != nil && r.failed == nil {
		r.failed = err
	}
	if (err != nil) != r.failing {
		r.failing = err != nil
		if r.failing {
			r.writer.log.Error("a recording can't be written; the call goes on", "file", r.path, "error", err)
		} else {
			r.writer.log.Info("a recording can be written again", "file", r.path)
		}
	}
}

func (r *Recorder) writeHeader() error {
	var h [wavHeader]byte
	putWAVHeader(&h, r.size)
	_, err := r.f.WriteAt(h[:], 0)
	return err
}
