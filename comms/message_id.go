package comms

import (
	"math"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"switchboard/internal/clock"
)

// A message's id is a time-ordered integer: milliseconds since idEpoch, a counter of 10 bits within the millisecond, and 10 bits that name
// the process. It is the order of every list of messages, so a page needs no other index than the owner's, and it tells outsiders
// nothing but the time.
const (
	idEpoch   = 1735689600_000 // 2025-01-01T00:00:00Z in Unix milliseconds
	idCounter = 10             // bits
	idProcess = 10             // bits
	idTime    = idCounter + idProcess
)

// idClock draws ids that rise within this process, also when the clock steps back or a millisecond's counter runs over.
type idClock struct {
	last    atomic.Int64 // time and counter of the newest
	process atomic.Int64
}

// draw takes another name for this process. Names are drawn by lot: two processes on one database with the same name could draw the same
// id within one counter tick; the primary key refuses the second, and its process takes another name.
func (c *idClock) draw() { c.process.Store(rand.Int64N(1 << idProcess)) }

// next is n rising ids.
func (c *idClock) next(now clock.Micros, n int) []int64 {
	for {
		last := c.last.Load()
		first := max(idAt(now)>>idProcess, last+1)
		if !c.last.CompareAndSwap(last, first+int64(n)-1) {
			continue
		}
		ids, process := make([]int64, n), c.process.Load()
		for i := range ids {
			ids[i] = (first+int64(i))<<idProcess | process
		}
		return ids
	}
}

// pass has all ids that are drawn from now on lie above one that is taken.
func (c *idClock) pass(id int64) {
	for taken := id >> idProcess; ; {
		last := c.last.Load()
		if last >= taken || c.last.CompareAndSwap(last, taken) {
			return
		}
	}
}

// idAt is the smallest id that a message of that instant can have; of one that no id can hold, the border.
func idAt(t clock.Micros) int64 {
	return min(max(0, t.Milli()-idEpoch), math.MaxInt64>>idTime) << idTime
}

// ParseMessageID reads a message's id as the doors show it.
func ParseMessageID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 || s[0] == '+' || s[0] == '0' {
		return 0, notFound("id", "there is no such message")
	}
	return id, nil
}
