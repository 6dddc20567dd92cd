package media

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	ringFrames = 1 << 14                // two seconds, 64 KiB: what is held back, what is waiting for the writer, and some room for a slow disk
	holdBack   = rate / 2               // half a second: a packet may come that late and still find its place
	mostEarly  = rate / 5               // a packet further ahead than this belongs to another time line
	mostDrift  = rate / 20              // 50 ms
	driftSpan  = 5 * time.Second        // over which the peer's clock is compared with ours
	headerSpan = 4 * time.Second        // how often the header is made true, so that a crash leaves a file that plays
	ringMask   = ringFrames - 1         //
	mostLatest = holdBack - holdBack/10 // how late the sound may be before it is placed anew
)

// Recorder writes a call to a stereo WAV file: what the first leg's peer said on the left, the second's on the right. Samples stand
// where their RTP timestamps put them, anchored at the wall clock: loss is silence, and the channels stay side by side.
type Recorder struct {
	writer *writer
	path   string
	began  time.Time
	now    func() time.Time

	mu      sync.Mutex
	ring    []int16 // interleaved; what lies before flushed is empty
	flushed int64   // frames that were handed to the file
	lanes   [2]lane
	stopped bool

	file     sync.Mutex // writes to the file and what follows
	f        *os.File
	size     int64 // bytes of sound in the file
	headerAt time.Time
	failed   error // the first thing that went wrong
	failing  bool  // it still does
}

// tap leads a leg's sound into a recorder.
type tap struct {
	recorder *Recorder
	channel  int
}

// lane places one channel's packets.
type lane struct {
	leg    *Leg
	tap    *tap
	set    bool
	ssrc   uint32
	ts     uint32 // the last packet's, and
	at     int64  // the frame where it was put
	since  time.Time
	newest int64 // within driftSpan, the packet that came with the least delay: how far before (or after) its due place
}

// Record begins a recording. Either leg may be nil: its channel is silent. The file must not exist.
func Record(file string, first, second *Leg) (*Recorder, error) {
	var e *Engine
	for _, l := range []*Leg{first, second} {
		if l != nil {
			e = l.engine
		}
	}
	if e == nil {
		return nil, errors.New("media: record whom?")
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("media: record: %w", err)
	}
	r := &Recorder{writer: &e.writer, path: file, began: time.Now(), now: time.Now, f: f, ring: make([]int16, 2*ringFrames)}
	if err := r.writeHeader(); err != nil {
		return nil, errors.Join(fmt.Errorf("media: record: %w", err), f.Close(), os.Remove(file))
	}
	r.listen(0, first)
	r.listen(1, second)
	e.writer.add(r)
	return r, nil
}

// Replace records another leg on the second channel, from now on: the call was transferred.
func (r *Recorder) Replace(second *Leg) { r.listen(1, second) }

func (r *Recorder) listen(channel int, l *Leg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := &r.lanes[channel]
	if old.leg != nil {
		old.leg.tap.CompareAndSwap(old.tap, nil)
	}
	*old = lane{leg: l}
	if l != nil && !r.stopped {
		old.tap = &tap{recorder: r, channel: channel}
		l.tap.Store(old.tap)
	}
}

// Stop ends the recording: the file is complete and closed when it returns. The error is the first thing that went wrong with the file;
// what could be written is there, and the rest is silence.
func (r *Recorder) Stop() (time.Duration, error) {
	r.mu.Lock()
	if r.stopped {
		length := r.flushed
		r.mu.Unlock()
		return time.Duration(length) * time.Second / rate, nil
	}
	r.stopped = true
	r.mu.Unlock()
	r.listen(0, nil)
	r.listen(1, nil)
	r.writer.remove(r)
	for end := r.now(); r.flush(end, 0); {
		continue // the ring may hold more than one buffer
	}
	r.file.Lock()
	defer r.file.Unlock()
	err := r.writeHeader()
	if r.failed != nil {
		err = r.failed
	}
	if closeErr := r.f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		err = fmt.Errorf("media: record: %w", err)
	}
	return time.Duration(r.flushed) * time.Second / rate, err
}

func (r *Recorder) frames(now time.Time) int64 { return now.Sub(r.began).Microseconds() * rate / 1e6 }

// put places a packet. It is called for each, on a poller's goroutine.
func (r *Recorder) put(channel int, p *arrival, now time.Time) {
	payload := p.payload()
	n := int64(len(payload))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped || n == 0 {
		return
	}
	at := r.lanes[channel].place(p, r.frames(now)-n, now)
	table := decoding(p.codec)
	skip := min(max(0, r.flushed-at), n)           // later than we wait
	end := min(n, max(0, r.flushed+ringFrames-at)) // the disk is far behind: better a hole than a wait
	for i := skip; i < end; i++ {
		r.ring[(at+i)&ringMask<<1|int64(channel)] = table[payload[i]]
	}
}

// place says where in the recording a packet begins. due is where the wall clock would put it had it come without delay.
func (l *lane) place(p *arrival, due int64, now time.Time) int64 {
	if !l.set || p.ssrc != l.ssrc {
		l.anchor(p, due, now)
		return l.at
	}
	l.at += int64(int32(p.ts - l.ts))
	l.ts = p.ts
	early := l.at - due
	if early > mostEarly || early < -mostLatest {
		l.anchor(p, due, now)
		return l.at
	}
	// No two clocks run alike, and the first packet may have been a late one. The packet with the least delay shows by how much the
	// peer's time has moved against ours; a network that stalls now and then doesn't.
	l.newest = max(l.newest, early)
	if now.Sub(l.since) > driftSpan {
		if l.newest > mostDrift || l.newest < -mostDrift {
			l.at -= l.newest
		}
		l.since, l.newest = now, -holdBack
	}
	return l.at
}

func (l *lane) anchor(p *arrival, due int64, now time.Time) {
	l.set, l.ssrc, l.ts, l.at = true, p.ssrc, p.ts, due
	l.since, l.newest = now, -holdBack
}
