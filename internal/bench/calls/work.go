package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// pair is two telephones that call each other.
type pair struct {
	a, b *phone
	whom string // what a dials to reach b
}

// open registers the telephones of so many pairs.
func open(s *server, pairs int, withSound bool) ([]pair, error) {
	out := make([]pair, pairs)
	errs := make([]error, pairs)
	var wg sync.WaitGroup
	turn := make(chan struct{}, 16)
	for i := range out {
		wg.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			out[i].whom = s.whom(i)
			for k, p := range []**phone{&out[i].a, &out[i].b} {
				n := 2*i + k
				var err error
				if *p, err = newPhone(phoneName(n), fmt.Sprintf("password%06d", n), s.sip); err == nil && withSound {
					(*p).sound, err = newSound()
				}
				if err == nil {
					err = (*p).register()
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

func shut(pairs []pair) {
	for _, p := range pairs {
		for _, q := range []*phone{p.a, p.b} {
			q.close()
			if q.sound != nil {
				q.sound.conn.Close()
			}
		}
	}
}

// setups is what came of calls that were offered at a rate.
type setups struct {
	offered      float64 // a second, as it reached the server
	unmade       int     // calls that the load had no telephone for
	done, failed int
	refused      int     // of the failed: 503, which tells to come again
	inTime       int     // of the done: before the offering ended, so that a few that linger don't make the whole look slow
	seconds      float64 // of offering
	p50, p95     time.Duration
	cpu          time.Duration  // of the server, for each call that was done
	why          map[string]int // of the failed
}

func (s setups) goodput() float64 { return float64(s.inTime) / s.seconds }

const talk = 500 * time.Millisecond

// offer begins calls at a rate, whether or not those before have been answered, as people do.
func offer(s *server, pairs []pair, rate float64, long time.Duration) (out setups, err error) {
	out.why = map[string]int{}
	free := make(chan pair, len(pairs))
	for _, p := range pairs {
		free <- p
	}
	before, err := s.usage()
	if err != nil {
		return out, err
	}
	var (
		mu    sync.Mutex
		took  []time.Duration
		calls sync.WaitGroup
	)
	begin := time.Now()
	for n := 0; time.Since(begin) < long; n++ {
		time.Sleep(time.Until(begin.Add(time.Duration(float64(n) / rate * float64(time.Second)))))
		var p pair
		select {
		case p = <-free:
		default: // all telephones are busy: this call never left the load, so it says nothing about the server
			mu.Lock()
			out.unmade++
			mu.Unlock()
			continue
		}
		calls.Go(func() {
			answered, err := p.converse()
			free <- p
			mu.Lock()
			defer mu.Unlock()
			if out.count(err) {
				if time.Since(begin) < long {
					out.inTime++
				}
				took = append(took, answered)
			}
		})
	}
	made := time.Since(begin)
	calls.Wait()
	out.offered, out.seconds = float64(out.done+out.failed)/made.Seconds(), made.Seconds()
	after, err := s.usage()
	if out.done > 0 {
		slices.Sort(took)
		out.p50, out.p95 = took[len(took)/2], took[len(took)*95/100]
		out.cpu = (after.cpu - before.cpu) / time.Duration(out.done)
	}
	return out, err
}

// converse is one call from its INVITE to its BYE.
func (p pair) converse() (answered time.Duration, err error) {
	dialled := time.Now()
	d, err := p.a.call(p.whom)
	answered = time.Since(dialled)
	if err == nil {
		time.Sleep(talk)
		err = p.a.hangUp(d)
	}
	return answered, err
}

// count tells whether a call was done.
func (s *setups) count(err error) bool {
	if err == nil {
		s.done++
		return true
	}
	var status refused
	if errors.As(err, &status) && status == 503 {
		s.refused++
	}
	s.failed++
	s.why[err.Error()]++
	return false
}

// carried is what conversations that last cost.
type carried struct {
	calls    int
	sent     int64
	lost     int64
	perCall  float64 // of a core, percent
	memory   float64 // MiB a call
	duration time.Duration
}

// carry sets up calls and lets them talk.
func carry(s *server, pairs []pair, long time.Duration) (out carried, err error) {
	idle, err := s.usage()
	if err != nil {
		return out, err
	}
	dialogs := make([]*dialog, len(pairs))
	for i, p := range pairs {
		if dialogs[i], err = p.a.call(p.whom); err != nil {
			return out, fmt.Errorf("call %d of %d: %w", i+1, len(pairs), err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	var all []*sound
	for _, p := range pairs {
		all = append(all, p.a.sound, p.b.sound)
	}
	talk := func(long time.Duration, meanwhile func()) {
		stop := make(chan struct{})
		var playing sync.WaitGroup
		playing.Go(func() { play(all, stop) })
		time.Sleep(long)
		meanwhile()
		close(stop)
		playing.Wait()
		time.Sleep(500 * time.Millisecond) // what is on its way arrives
	}
	talk(2*time.Second, func() {}) // until everything is latched and warm
	sent, received := count(all)
	before, err := s.usage()
	if err != nil {
		return out, err
	}
	begin, after := time.Now(), usage{}
	talk(long, func() {
		after, err = s.usage()
		out.duration = time.Since(begin)
	})
	sentNow, receivedNow := count(all)
	out.calls, out.sent = len(pairs), sentNow-sent
	out.lost = out.sent - (receivedNow - received)
	out.perCall = 100 * (after.cpu - before.cpu).Seconds() / out.duration.Seconds() / float64(len(pairs))
	out.memory = (after.memory - idle.memory) / float64(len(pairs))
	for i, p := range pairs {
		err = errors.Join(err, p.a.hangUp(dialogs[i]))
	}
	return out, err
}

func count(all []*sound) (sent, received int64) {
	for _, s := range all {
		sent += s.sent.Load()
		received += s.received.Load()
	}
	return sent, received
}
