package sip

import "sync"

// hands are goroutines that are used again for what a call does beside itself: asking the rules, reporting, following a transaction. A new
// goroutine begins with a small stack, which each of these outgrows several times: the copying was a twentieth of what a call costs. When
// nothing is left to do all of them end.
type hands struct {
	mu   sync.Mutex
	busy int           // jobs that are being done
	free []chan func() // of those that wait for one; the last was at work most lately
}

// mostFree is how many wait for more to do; others end.
const mostFree = 64

// do has a job done at once, by who waits or by a new goroutine.
func (h *hands) do(job func()) {
	h.mu.Lock()
	h.busy++
	n := len(h.free)
	if n == 0 {
		h.mu.Unlock()
		go h.work(job)
		return
	}
	next := h.free[n-1]
	h.free = h.free[:n-1]
	h.mu.Unlock()
	next <- job
}

// work does jobs for as long as there are some.
func (h *hands) work(job func()) {
	next := make(chan func(), 1)
	for more := true; more; job, more = <-next {
		job()
		job = nil // what it holds can be forgotten meanwhile
		if !h.wait(next) {
			return
		}
	}
}

// wait has a goroutine wait for another job, unless there are enough that do, or nothing is being done at all.
func (h *hands) wait(next chan func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy--
	switch {
	case h.busy == 0:
		for _, other := range h.free {
			close(other)
		}
		h.free = nil
		return false
	case len(h.free) >= mostFree:
		return false
	}
	h.free = append(h.free, next)
	return true
}
