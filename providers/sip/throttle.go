package sip

import (
	"net/netip"
	"sync"
	"time"
)

// Rate is so many in a time. Zero: as many as may be.
type Rate struct {
	Count int
	Per   time.Duration
}

// Throttle says how much of one source, or of one name, is taken.
type Throttle struct {
	Messages  Rate // of a source that has not proved who it is; default 100 a second
	Passwords Rate // wrong ones of one source, and for one telephone; default 20 a minute
	Off       bool // nothing is counted (tests, benchmarks behind a firewall)
}

const (
	trustFor        = time.Hour        // after a password was right
	trustMore       = 500              // times as many messages, for who is trusted: behind one address there may be an office
	burstOfMessages = 5                // times the rate, at once
	banFor          = 10 * time.Minute // for scanners, and for who goes on after too many wrong passwords
	banAfter        = 3                // times the rate of wrong passwords
	mostSources     = 1 << 16          // that are remembered at once, in each half
)

// bucket counts what was spent lately; it empties evenly.
type bucket struct {
	spent float64
	at    time.Time
}

// settle takes off what time has forgiven.
func (b *bucket) settle(r Rate, now time.Time) {
	if !b.at.IsZero() {
		b.spent = max(0, b.spent-float64(r.Count)*float64(now.Sub(b.at))/float64(r.Per))
	}
	b.at = now
}

// take spends one, unless burst times the rate is spent.
func (b *bucket) take(r Rate, burst float64, now time.Time) bool {
	if r.Count <= 0 || r.Per <= 0 {
		return true
	}
	b.settle(r, now)
	if b.spent+1 > burst*float64(r.Count) {
		return false
	}
	b.spent++
	return true
}

// full tells whether take would say no. It spends nothing.
func (b bucket) full(r Rate, burst float64, now time.Time) bool { return !b.take(r, burst, now) }

// source is what is known of an address that sends to us.
type source struct {
	messages, wrong bucket
	trusted, banned time.Time // until when
}

// sources remembers who sent what. Addresses of IPv6 count by their /64, which is what one subscriber has.
type sources struct {
	throttle Throttle

	mu    sync.Mutex
	known *aging[netip.Addr, *source]
	users *aging[string, *bucket] // wrong passwords by telephone
	ban   uint64                  // how many were banned
}

func newSources(t Throttle) *sources {
	if t.Messages == (Rate{}) {
		t.Messages = Rate{100, time.Second}
	}
	if t.Passwords == (Rate{}) {
		t.Passwords = Rate{20, time.Minute}
	}
	return &sources{throttle: t, known: newAging[netip.Addr, *source](trustFor, mostSources), users: newAging[string, *bucket](trustFor, mostSources)}
}

// of is what is known of an address. The lock must be held.
func (s *sources) of(a netip.Addr, now time.Time) *source {
	key := a.Unmap().WithZone("")
	if key.Is6() {
		if p, err := key.Prefix(64); err == nil {
			key = p.Addr()
		}
	}
	k, ok := s.known.get(key, now)
	if !ok {
		k = &source{}
		s.known.put(key, k, now)
	}
	return k
}

// accepts tells whether one more message of a source is taken. Those of friends (carriers) all are: their calls are counted (trunkLine.take).
func (s *sources) accepts(a netip.Addr, friend bool, now time.Time) bool {
	if s.throttle.Off || friend {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.of(a, now)
	if now.Before(k.banned) {
		return false
	}
	rate := s.throttle.Messages
	if now.Before(k.trusted) {
		rate.Count *= trustMore
	}
	return k.messages.take(rate, burstOfMessages, now)
}

// trust notes that a source has proved who it is.
func (s *sources) trust(a netip.Addr, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(a, now).trusted = now.Add(trustFor)
}

// banish takes nothing more of a source for a while, unless somebody there is known: behind one address there may be an office.
func (s *sources) banish(a netip.Addr, now time.Time) {
	if s.throttle.Off {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.of(a, now); !now.Before(k.trusted) && !now.Before(k.banned) {
		k.banned = now.Add(banFor)
		s.ban++
	}
}

// wrong counts a wrong password of a source for a name, known here or not.
func (s *sources) wrong(a netip.Addr, user string, now time.Time) {
	if s.throttle.Off {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.of(a, now)
	if !k.wrong.take(s.throttle.Passwords, banAfter, now) && !now.Before(k.trusted) {
		k.banned = now.Add(banFor)
		s.ban++
	}
	b, ok := s.users.get(user, now)
	if !ok {
		b = &bucket{}
		s.users.put(user, b, now)
	}
	b.take(s.throttle.Passwords, 1, now)
}

// may tells whether a password of a source for a name is looked at: not where too many were wrong. A telephone whose name is being
// guessed from elsewhere is not shut out: its source is trusted.
func (s *sources) may(a netip.Addr, user string, now time.Time) bool {
	if s.throttle.Off {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.of(a, now)
	if now.Before(k.trusted) {
		return !k.wrong.full(s.throttle.Passwords, banAfter, now)
	}
	b, ok := s.users.peek(user, now)
	return !k.wrong.full(s.throttle.Passwords, 1, now) && !(ok && b.full(s.throttle.Passwords, 1, now))
}

func (s *sources) count() (known int, banned uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.len(), s.ban
}
