package comms

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is so many in so much time; they may come all at once. The zero value doesn't limit.
type Rate struct {
	N   int
	Per time.Duration
}

// Throttle bounds what no document bounds.
type Throttle struct {
	Register Rate // by origin
	Login    Rate // by origin, and by email
	Captcha  Rate // by origin, questions and answers together
	PIN      Rate // failed tries, by number
}

// DefaultThrottle lets people work and programs be tried out, and makes guessing hopeless: four digits take 10 tries in 15 minutes.
func DefaultThrottle() Throttle {
	return Throttle{
		Register: Rate{30, 10 * time.Minute},
		Login:    Rate{60, time.Minute},
		Captcha:  Rate{120, time.Minute},
		PIN:      Rate{10, 15 * time.Minute},
	}
}

// throttle counts by key. It forgets: it remembers the throttleKeys keys that were used last, at most twice as many.
type throttle struct {
	Throttle
	mu         sync.Mutex
	young, old map[string]*rate.Limiter
}

const throttleKeys = 20_000

func newThrottle(t Throttle) *throttle {
	return &throttle{Throttle: t, young: map[string]*rate.Limiter{}}
}

// take takes one from the bucket of that kind and key, or tells when there will be one.
func (t *throttle) take(kind string, r Rate, key string) error {
	if r.N <= 0 || r.Per <= 0 {
		return nil
	}
	now := time.Now()
	reservation := t.bucket(kind+"\x00"+key, r).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	reservation.CancelAt(now)
	return limited(wait, "too many tries, wait a moment")
}

// forgive fills the bucket again: whoever knew the secret was not guessing.
func (t *throttle) forgive(kind, key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.young, kind+"\x00"+key)
	delete(t.old, kind+"\x00"+key)
}

func (t *throttle) bucket(key string, r Rate) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.young[key]; b != nil {
		return b
	}
	b := t.old[key]
	if b == nil {
		b = rate.NewLimiter(rate.Every(r.Per/time.Duration(r.N)), r.N)
	}
	if len(t.young) >= throttleKeys {
		t.old, t.young = t.young, map[string]*rate.Limiter{}
	}
	t.young[key] = b
	return b
}

// originKeyOf is what a caller's address counts as: an IPv6 customer has a whole /64 to send from.
func originKeyOf(origin string) string {
	host := origin
	if ap, err := netip.ParseAddrPort(origin); err == nil {
		host = ap.Addr().String()
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return origin
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}
