package notice

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/follower"
)

const (
	atOnce      = 64 // turns at once
	atOneOf     = 4  // of those, with one service: the others go on while it hangs
	ofStrangers = 48 // of those, with services that devices name: there may be as many of them as somebody likes
	longWait    = time.Hour
)

// line is where followers wait for their turn, those of each service apart.
type line struct {
	mu       sync.Mutex
	services map[string]*service
	jobs     map[uuid.UUID]*job
	running  int
	strange  int // of these, with services that devices name
}

// service is a homeserver or push service, with those who wait for it.
type service struct {
	queue   []*job
	strange bool // a device names it
	running int
	tries   int       // failures of the service itself, one after the other
	why     Problem   // of the latest
	until   time.Time // it is left alone until then, and then one goes to see
}

// rest is why a follower does not wait in line, and until when. The zero value: it does.
type rest struct {
	why   Problem
	until time.Time
}

// outcome is what a turn says of the service: that it failed, that it answered, or neither, where nobody spoke with it.
type outcome struct {
	failed *Failure // the service's own
	spoke  bool
}

// job is a follower that waits or is being told; never both at once.
type job struct {
	follower uuid.UUID
	service  string
	running  bool
	again    bool // there is more to tell, once this turn is over
}

func newLine() *line { return &line{services: map[string]*service{}, jobs: map[uuid.UUID]*job{}} }

// serviceOf names the service by which a follower is told.
func serviceOf(f *comms.Follower) string {
	if f.Channel == follower.ChannelMatrix {
		return "matrix" // there is one bot, and its homeserver speaks to the others
	}
	return "push " + f.Address
}

// strange tells whether the service is one that a device names (providers/push), and no one's of the operator's choice.
func strange(service string) bool { return strings.HasPrefix(service, "push //") }

// add has a follower wait, unless it does, or its service is left alone: who waited for that in line would be in the way of others (look).
func (l *line) add(f *comms.Follower) rest {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.jobs[f.ID]; j != nil {
		j.again = j.running
		return rest{}
	}
	j := &job{follower: f.ID, service: serviceOf(f)}
	if s := l.services[j.service]; s != nil && time.Now().Before(s.until) {
		return rest{s.why, s.until}
	}
	l.jobs[f.ID] = j
	l.wait(j)
	return rest{}
}

func (l *line) wait(j *job) {
	s := l.services[j.service]
	if s == nil {
		s = &service{strange: strange(j.service)}
		l.services[j.service] = s
	}
	s.queue = append(s.queue, j)
}

// next is who may be told now; nil: nobody.
func (l *line) next(now time.Time) *job {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running >= atOnce {
		return nil
	}
	for _, s := range l.services { // in no order: none comes always first
		if len(s.queue) == 0 || s.running >= s.width() || now.Before(s.until) || s.strange && l.strange >= ofStrangers {
			continue
		}
		j := s.queue[0]
		s.queue = s.queue[1:]
		s.running++
		l.running++
		if s.strange {
			l.strange++
		}
		j.running = true
		return j
	}
	return nil
}

// width is how many may speak with it at once: one, while it isn't known to be back.
func (s *service) width() int {
	if s.tries > 0 {
		return 1
	}
	return atOneOf
}

// done ends a turn. Where it failed because of the service itself, wait is how long that is left alone then: who waits for it need not
// stand in line as long, and is answered.
func (l *line) done(j *job, o outcome, wait func(tries int) time.Duration) (left []uuid.UUID, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.services[j.service]
	s.running--
	l.running--
	if s.strange {
		l.strange--
	}
	j.running = false
	switch {
	case o.failed != nil:
		s.why, s.until = o.failed.Problem, time.Now().Add(wait(s.tries))
		s.tries++
		for _, waiting := range s.queue {
			left = append(left, waiting.follower)
			delete(l.jobs, waiting.follower)
		}
		s.queue = nil
	case o.spoke:
		s.tries, s.until = 0, time.Time{}
	}
	if j.again {
		j.again = false
		l.wait(j)
	} else {
		delete(l.jobs, j.follower)
	}
	if len(s.queue) == 0 && s.running == 0 && s.tries == 0 {
		delete(l.services, j.service)
	}
	return left, s.until
}

// until is how long nothing needs to be done: until then, or until a service that some wait for is to be tried again.
func (l *line) until(soon time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := time.Now().Add(longWait)
	if !soon.IsZero() && soon.Before(next) {
		next = soon
	}
	for name, s := range l.services {
		switch {
		case l.running >= atOnce || s.strange && l.strange >= ofStrangers: // a turn that ends wakes whoever waits
		case len(s.queue) == 0 && s.running == 0 && time.Now().After(s.until.Add(longWait)):
			delete(l.services, name) // nobody asked for it for long
		case len(s.queue) > 0 && s.running < s.width() && s.until.Before(next):
			next = s.until
		}
	}
	return max(time.Until(next), time.Millisecond)
}

// jitter is a length of time up to d.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// again notes that the follower whose turn it is has more to tell than one turn may.
func (l *line) again(j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j.again = true
}
