package db

import (
	"math/bits"
	"sync/atomic"
)

// Stats tells what the store has done since it was opened.
type Stats struct {
	Changes  uint64 // changes that were committed
	Commits  uint64 // commits that they took; on SQLite each is a flush of the disk
	Failed   uint64 // changes that were not committed, for whatever reason once they had begun
	Busy     uint64 // changes turned away with ErrBusy
	QueueLen int    // changes waiting now
	// Batches counts commits by the number of changes that shared them: Batches[i] had more than 2^(i-1) and at most 2^i.
	Batches [Buckets]uint64
}

// Buckets is the number of sizes that Stats.Batches tells apart: 1, 2, 4, ... 512, more.
const Buckets = 11

type counters struct {
	changes, commits, failed, busy atomic.Uint64
	batches                        [Buckets]atomic.Uint64
}

// commit records one commit of n changes.
func (c *counters) commit(n int) {
	c.commits.Add(1)
	c.changes.Add(uint64(n))
	c.batches[min(bits.Len(uint(n-1)), Buckets-1)].Add(1)
}

func (c *counters) stats(waiting int) Stats {
	s := Stats{
		Changes: c.changes.Load(), Commits: c.commits.Load(),
		Failed: c.failed.Load(), Busy: c.busy.Load(), QueueLen: waiting,
	}
	for i := range s.Batches {
		s.Batches[i] = c.batches[i].Load()
	}
	return s
}
