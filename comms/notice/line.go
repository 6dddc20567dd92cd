package notice

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/follower"
)

const (
	atOnce   = 64 // turns at once
	atOneOf  = 4  // of those, with one service: the others go on while it hangs
	longWait = time.Hour
)

// line is where followers wait for their turn, those of each service apart.
type line struct {
	mu       sync.Mutex
	services map[string]*service
	jobs     map[uuid.UUID]*job
	running  int
}

// service is a homeserver or push service, with those who wait for it.
type service struct {
	queue   []*job
	running int
	tries   int       // failures of the service itself, one after the other
	until   time.Time // it is left alone until then, and then one goes to see
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

// add has a follower wait, unless it does.
func (l *line) add(f *comms.Follower) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.jobs[f.ID]; j != nil {
		j.again = j.running
		return
	}
	j := &job{follower: f.ID, service: serviceOf(f)}
	l.jobs[f.ID] = j
	l.wait(j)
}

func (l *line) wait(j *job) {
	s := l.services[j.service]
	if s == nil {
		s = &service{}
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
		if len(s.queue) == 0 || s.running >= s.width() || now.Before(s.until) {
			continue
		}
		j := s.queue[0]
		s.queue = s.queue[1:]
		s.running++
		l.running++
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
func (l *line) done(j *job, failed bool, wait func(tries int) time.Duration) (left []uuid.UUID, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.services[j.service]
	s.running--
	l.running--
	j.running = false
	if failed {
		s.until = time.Now().Add(wait(s.tries))
		s.tries++
		for _, waiting := range s.queue {
			left = append(left, waiting.follower)
			delete(l.jobs, waiting.follower)
		}
		s.queue = nil
	} else {
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
		case l.running >= atOnce: // a turn that ends wakes whoever waits
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
