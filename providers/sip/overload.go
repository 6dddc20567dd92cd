package sip

import (
	"context"
	"sync"
	"time"
)

// load tells when there is enough to do. What counts is the work in hand: new calls that were taken and not decided yet. Past some number
// of them each takes longer than the caller waits before asking again (500 ms, RFC 3261 section 17.1.1.2), and the repeated questions
// then cost what the answers should (RFC 5390 section 4). So above the limit new calls are told to come again, which costs next to
// nothing, while what belongs to calls that were taken always passes.
//
// The limit moves, because how much a machine can do is not known and changes: it falls while decisions are slow, or what comes in waits
// before it is even read (intake), and rises again slowly. As with queues (CoDel, RFC 8289) what counts is the best of a moment, not the
// worst: one commit that waits for the disk is no overload, but when nobody is served in time there is. It never falls below what is
// decided in a quarter of a second: where others take the processors, fewer calls in hand would not make them faster.
type load struct {
	most int

	mu     sync.Mutex
	inHand int
	limit  float64
	fast   time.Duration // the fastest decision since the last look; -1: there was none
	early  time.Duration // the shortest that something new waited before it was read, since the last look; -1: there was nothing
	lag    time.Duration // the same of the look before
	begun  uint64
	done   int       // decided since the last look
	pace   float64   // decisions a second, lately
	looked time.Time // when the last look was

	watched bool          // somebody looks; nobody does while there is nothing to do
	wake    chan struct{} // has a token when somebody is to
}

const (
	leastLoad = 16                     // is always taken
	tooSlow   = 150 * time.Millisecond // for a decision
	tooLate   = 40 * time.Millisecond  // to be read
	lookEvery = 100 * time.Millisecond
	ahead     = 0.25 // seconds' worth of decisions that may always be in hand
	easier    = 0.8  // what is left to callers who have not proved who they are: whoever was asked for a password goes first
)

func newLoad(most int) *load {
	most = max(most, leastLoad)
	return &load{most: most, limit: float64(most), fast: -1, early: -1, wake: make(chan struct{}, 1)}
}

// begin counts a new call until it is decided.
func (l *load) begin() (decided func()) {
	start := time.Now()
	l.mu.Lock()
	l.inHand++
	l.begun++
	if !l.watched {
		l.watched = true
		l.wake <- struct{}{} // the token of the time before was taken
	}
	l.mu.Unlock()
	var once sync.Once
	return func() {
		once.Do(func() {
			took := time.Since(start)
			l.mu.Lock()
			l.inHand--
			l.done++
			l.fast = lesser(l.fast, took)
			l.mu.Unlock()
		})
	}
}

// full tells whether a new call is one too many.
func (l *load) full(proof bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := l.limit
	if !proof {
		limit *= easier
	}
	return float64(l.inHand) >= limit
}

// watch moves the limit until ctx ends. A process without calls is not woken by it.
func (l *load) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			l.attend(ctx)
		}
	}
}

// attend moves the limit as long as there is something to do.
func (l *load) attend(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		l.adjust()
		if l.rest() {
			return
		}
	}
}

// rest tells whether there is nothing to look for: no call is being decided, and the limit is where it was at first.
func (l *load) rest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inHand > 0 || l.limit < float64(l.most) {
		return false
	}
	l.watched, l.lag = false, 0
	return true
}

// late notes how long something new waited before it was read.
func (l *load) late(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.early = lesser(l.early, max(by, 0))
}

// lesser is the lesser of two times, where -1 is none.
func lesser(a, b time.Duration) time.Duration {
	if a < 0 || b < a {
		return b
	}
	return a
}

// adjust looks at what was noted, and begins anew.
func (l *load) adjust() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.pace = 0.7*l.pace + 0.3*float64(l.done)/max(now.Sub(l.looked), lookEvery).Seconds()
	l.done, l.looked = 0, now
	if l.fast > tooSlow || l.early > tooLate {
		l.limit = min(float64(l.most), max(leastLoad, l.limit*0.85, l.pace*ahead))
	} else {
		l.limit = min(float64(l.most), l.limit*1.03+1)
	}
	l.lag, l.fast, l.early = max(l.early, 0), -1, -1
}

// now is how many calls are being decided, and how many may be.
func (l *load) now() (inHand, limit int, lag time.Duration, begun uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inHand, int(l.limit), l.lag, l.begun
}
