package sip

import "time"

// aging is a map that forgets: what was not touched for between one and two turns is gone, and so is the older half when it is full. That
// bounds it at no cost for each entry. It is not safe for concurrent use.
type aging[K comparable, V any] struct {
	young, old map[K]V
	turn       time.Duration
	most       int // entries of a half
	turned     time.Time
}

func newAging[K comparable, V any](turn time.Duration, most int) *aging[K, V] {
	return &aging[K, V]{young: map[K]V{}, turn: turn, most: most}
}

// get finds an entry and makes it young.
func (a *aging[K, V]) get(k K, now time.Time) (v V, ok bool) {
	a.age(now)
	if v, ok = a.young[k]; ok {
		return v, true
	}
	if v, ok = a.old[k]; ok {
		a.young[k] = v
	}
	return v, ok
}

// peek finds an entry and leaves its age.
func (a *aging[K, V]) peek(k K, now time.Time) (v V, ok bool) {
	a.age(now)
	if v, ok = a.young[k]; ok {
		return v, true
	}
	v, ok = a.old[k]
	return v, ok
}

func (a *aging[K, V]) put(k K, v V, now time.Time) {
	a.age(now)
	a.young[k] = v
}

func (a *aging[K, V]) age(now time.Time) {
	switch past := now.Sub(a.turned); {
	case past >= 2*a.turn:
		a.young, a.old, a.turned = map[K]V{}, nil, now
	case past >= a.turn || len(a.young) >= a.most:
		a.young, a.old, a.turned = map[K]V{}, a.young, now
	}
}

func (a *aging[K, V]) len() int { return len(a.young) + len(a.old) }
