// Package memory keeps the program fast while it works and small while it rests.
//
// Go's collector has one setting for both: with GOGC=400 lists are a quarter faster than with 100, because the collector runs a quarter as
// often, and four fifths of the heap may then be garbage, also for the minutes in which nobody asks for anything. So the setting
// is for work, and Tend collects when work has stopped.
package memory

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// percent is GOGC while there is work: see docs/adr/0006-memory.md.
	percent = 400
	// look is how often Tend looks. Nobody waits for it; it finds out by what was allocated whether there was work.
	look = 250 * time.Millisecond
	// quiet is what may be allocated between two looks while nothing is going on: pings and tickers.
	quiet = 128 << 10
	// worthwhile is what must have been allocated since the last time.
	worthwhile = 2 << 20
	// rest is how much longer than it took it is not done again: programs that come and go each second must not pay for it each second.
	rest = 100
)

// Tend sets the collector for work, and gives back what is not needed whenever there is none, until ctx ends. A GOGC of the operator's own wins.
func Tend(ctx context.Context, gogc string) {
	if gogc == "" {
		debug.SetGCPercent(percent)
	}
	t := tender{now: time.Now, allocated: allocated, release: debug.FreeOSMemory}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.look()
		}
	}
}

// tender knows when it last looked and released.
type tender struct {
	now       func() time.Time
	allocated func() uint64 // since the program began
	release   func()

	seen, released uint64
	notBefore      time.Time
}

// look releases memory when there was work and is no more.
func (t *tender) look() {
	total := t.allocated()
	still := total-t.seen < quiet
	t.seen = total
	began := t.now()
	if !still || total-t.released < worthwhile || began.Before(t.notBefore) {
		return
	}
	t.release()
	end := t.now()
	t.released, t.notBefore = t.allocated(), end.Add(rest*end.Sub(began))
}

// allocated reads one figure, which costs no stop of the world.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
