package voice

import (
	"container/list"
	"sync"
)

const (
	mostCached = 4 << 20         // samples: 8 MiB, nearly nine minutes
	mostOne    = mostCached / 16 // a long text isn't likely to be said twice
)

// cache keeps what was said last: verification calls and notices say the same over and over.
type cache struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	order   list.List // the last used first
	size    int
}

type said struct {
	key     string
	samples []int16
}

func (c *cache) get(key string) ([]int16, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(said).samples, true
}

func (c *cache) put(key string, samples []int16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[key]; ok || len(samples) > mostOne {
		return
	}
	if c.entries == nil {
		c.entries = map[string]*list.Element{}
	}
	c.entries[key] = c.order.PushFront(said{key, samples})
	c.size += len(samples)
	for c.size > mostCached {
		last := c.order.Remove(c.order.Back()).(said)
		delete(c.entries, last.key)
		c.size -= len(last.samples)
	}
}
