package graph

import (
	"container/list"
	"sync"
)

// lru remembers what was used last, within a number of bytes.
type lru[V any] struct {
	room  int // bytes
	mu    sync.Mutex
	used  int
	order *list.List // of *entry[V], the one used last in front
	items map[string]*list.Element
}

type entry[V any] struct {
	key   string
	value V
	bytes int
}

func newLRU[V any](room int) *lru[V] {
	return &lru[V]{room: room, order: list.New(), items: map[string]*list.Element{}}
}

func (c *lru[V]) get(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.items[key]; ok {
		c.order.MoveToFront(at)
		return at.Value.(*entry[V]).value, true
	}
	var none V
	return none, false
}

// key is the key of that text as it is remembered, which saves a copy of it.
func (c *lru[V]) key(text []byte) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.items[string(text)]; ok {
		return at.Value.(*entry[V]).key, true
	}
	return "", false
}

// add remembers a value. One that is larger than an eighth of the room isn't worth what it would drive out.
func (c *lru[V]) add(key string, value V, bytes int) {
	bytes += len(key)
	if bytes > c.room/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[key]; ok {
		return
	}
	c.items[key] = c.order.PushFront(&entry[V]{key, value, bytes})
	for c.used += bytes; c.used > c.room; {
		e := c.order.Remove(c.order.Back()).(*entry[V])
		delete(c.items, e.key)
		c.used -= e.bytes
	}
}
