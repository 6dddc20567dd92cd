package sip

import (
	"sync"
	"testing"
)

// Hands do each job once, use goroutines again while there is work, and none waits when there is no more.
func TestHandsAreUsedAgain(t *testing.T) {
	var h hands
	hold := make(chan struct{})
	var held sync.WaitGroup
	held.Add(1)
	h.do(func() { defer held.Done(); <-hold }) // keeps the others from ending
	for range 3 {
		var done sync.WaitGroup
		done.Add(2 * mostFree)
		for range 2 * mostFree {
			h.do(done.Done)
		}
		done.Wait()
	}
	d := &desk{T: t}
	d.until("hands that wait for more", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.busy == 1 && len(h.free) > 0 && len(h.free) <= mostFree
	})
	close(hold)
	held.Wait()
	d.until("the end of all hands", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.busy == 0 && len(h.free) == 0
	})
}
