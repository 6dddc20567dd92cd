package media

import (
	"encoding/binary"
	"sync"
	"time"
)

// keyNames are the DTMF events of RFC 4733, section 3.2, by their codes 0 to 15.
const keyNames = "0123456789*#ABCD"

const (
	endBit      = 0x80
	fullSegment = 0xffff
	pressLost   = 200 * time.Millisecond // without a packet for so long a press is over: its end packets were lost
	stale       = 10 * rate              // timestamps that go back by more than this are a new beginning, not disorder
)

// presses reads telephone-events (RFC 4733) so that each press is told once. A press is known by its timestamp, never by the marker bit,
// which many senders leave out and any network may lose; its end comes three times, or never.
type presses struct {
	tell  func(digit byte, pressed time.Duration)
	mu    *sync.Mutex // the inbound's, under which read is called
	timer *time.Timer

	begun  bool // a press was seen at all
	over   bool // and has been told
	code   byte
	ts     uint32
	ssrc   uint32
	length uint16 // of the segment at hand
	before uint32 // of the segments before it (section 2.5.1.3)
}

func (k *presses) read(p *arrival, _ time.Time) {
	b := p.payload()
	if len(b) < 4 {
		return
	}
	code, end, length := b[0], b[1]&endBit != 0, binary.BigEndian.Uint16(b[2:])
	if k.begun && p.ssrc == k.ssrc {
		step := int32(p.ts - k.ts)
		switch {
		case step < 0 && step > -stale:
			return // late: the press it belongs to has been told
		case step == 0 || k.wanders(code, end, length, step):
			k.ts = p.ts
			k.goesOn(length, end)
			return
		case !k.over && code == k.code && step == int32(k.length) && k.length == fullSegment:
			k.before += uint32(k.length)
			k.ts, k.length = p.ts, 0
			k.goesOn(length, end)
			return
		}
	}
	k.finish() // the press before this one never said that it ended
	k.begun, k.over, k.code, k.ts, k.ssrc, k.length, k.before = true, false, code, p.ts, p.ssrc, 0, 0
	k.goesOn(length, end)
}

// wanders tells a press whose sender moves the timestamp on with each packet, against section 2.4.1, from a new press of the same key: a
// new one begins with a shorter duration.
func (k *presses) wanders(code byte, end bool, length uint16, step int32) bool {
	if code != k.code || step > 3*frame {
		return false
	}
	return !k.over && length > k.length || k.over && end && length == k.length
}

func (k *presses) goesOn(length uint16, end bool) {
	k.length = max(k.length, length)
	if k.over {
		return
	}
	if end {
		k.finish()
		return
	}
	if k.timer == nil {
		k.timer = time.AfterFunc(pressLost, k.expired)
		return
	}
	k.timer.Reset(pressLost)
}

func (k *presses) expired() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.finish()
}

func (k *presses) finish() {
	k.stop()
	if !k.begun || k.over {
		return
	}
	k.over = true
	if int(k.code) < len(keyNames) { // flash and the like are no digits
		k.tell(keyNames[k.code], time.Duration(k.before+uint32(k.length))*time.Second/rate)
	}
}

func (k *presses) stop() {
	if k.timer != nil {
		k.timer.Stop()
	}
}

// mostPresses bounds what waits for a listener that is slow.
const mostPresses = 64

// pressQueue tells digits in order, away from the goroutines that carry sound: whoever is told may take its time.
type pressQueue struct {
	mu      sync.Mutex
	tell    func(digit byte, pressed time.Duration)
	waiting []press
	running bool
	closed  bool
}

type press struct {
	digit   byte
	pressed time.Duration
}

// OnDigit sets who is told of the peer's digits: once for each press, when it is over, in order. Nil: nobody.
func (l *Leg) OnDigit(tell func(digit byte, pressed time.Duration)) {
	l.presses.mu.Lock()
	defer l.presses.mu.Unlock()
	l.presses.tell = tell
}

// Digit tells of a digit that came another way (SIP INFO): 0-9 * # A-D. How long it was pressed is not known then: 0.
func (l *Leg) Digit(d byte) { l.presses.add(d, 0) }

func (q *pressQueue) add(digit byte, pressed time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.tell == nil || len(q.waiting) >= mostPresses {
		return
	}
	q.waiting = append(q.waiting, press{digit, pressed})
	if !q.running {
		q.running = true
		go q.run()
	}
}

func (q *pressQueue) run() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 || q.tell == nil {
			q.running, q.waiting = false, nil
			q.mu.Unlock()
			return
		}
		p, tell := q.waiting[0], q.tell
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		tell(p.digit, p.pressed)
	}
}

func (q *pressQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.tell = true, nil
}
