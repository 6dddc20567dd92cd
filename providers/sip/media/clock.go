package media

import (
	"sync"
	"time"
)

const (
	tick     = 20 * time.Millisecond
	mostLate = 10 * tick // a process that was stopped for longer doesn't send what it missed all at once
)

// clock is the one 20 ms beat by which everything is sent that is not relayed. It stands still while there is nothing to send.
type clock struct {
	mu      sync.Mutex
	beaten  []beaten
	running bool
}

// beaten is what the clock drives. beat sends a frame, using room for the packet; false: it wants no more.
type beaten interface {
	beat(now time.Time, room *[packetRoom]byte) bool
}

func (c *clock) add(b beaten) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beaten = append(c.beaten, b)
	if !c.running {
		c.running = true
		go c.run()
	}
}

func (c *clock) run() {
	var room [packetRoom]byte
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for due := time.Now(); c.beat(&room); {
		due = due.Add(tick)
		wait := time.Until(due)
		if wait < -mostLate {
			due, wait = time.Now(), 0
		}
		timer.Reset(max(wait, 0))
		<-timer.C
	}
}

// beat drives all once; false: nothing is left, and the goroutine is to end.
func (c *clock) beat(room *[packetRoom]byte) bool {
	c.mu.Lock()
	all := c.beaten
	c.beaten = nil
	c.mu.Unlock()
	now := time.Now()
	kept := all[:0]
	for _, b := range all {
		if b.beat(now, room) {
			kept = append(kept, b)
		}
	}
	clear(all[len(kept):])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beaten = append(kept, c.beaten...)
	c.running = len(c.beaten) > 0
	return c.running
}
