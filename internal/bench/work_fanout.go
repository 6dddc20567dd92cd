package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// fanout is the workload of w4: one event at a time to many subscribers; the time from just before the request is written until the
// last subscriber has it in its hands.
type fanout struct {
	act         act
	subscribers int
	events      int           // and one before them, which is not measured
	patience    time.Duration // with one event
}

const (
	openers      = 32 // sockets that are opened at a time
	afterOpening = 700 * time.Millisecond
	afterEvent   = 60 * time.Millisecond
)

// arrival collects one event's deliveries.
type arrival struct {
	took    []atomic.Int64 // by subscriber, nanoseconds
	left    atomic.Int64
	doubled atomic.Int64
	done    chan struct{}
}

func (a *arrival) take(subscriber int, took time.Duration) {
	if !a.took[subscriber].CompareAndSwap(0, int64(took)) {
		a.doubled.Add(1)
		return
	}
	if a.left.Add(-1) == 0 {
		close(a.done)
	}
}

func (w fanout) name() string { return strconv.Itoa(w.subscribers) }

func (w fanout) measure(ctx context.Context, s side, pid int) (r run, err error) {
	r = run{Act: w.act, Clients: w.subscribers}
	events := make([]*arrival, w.events+1)
	for i := range events {
		events[i] = &arrival{took: make([]atomic.Int64, w.subscribers), done: make(chan struct{})}
		events[i].left.Store(int64(w.subscribers))
	}
	empty, err := memory(pid)
	if err != nil {
		return r, err
	}
	var listeners sync.WaitGroup
	subs, err := w.openAll(ctx, s)
	defer func() {
		for _, sub := range subs {
			err = errors.Join(err, sub.Close())
		}
		listeners.Wait()
	}()
	if err != nil {
		return r, err
	}
	for i, sub := range subs {
		listeners.Go(func() { listen(sub, i, events) })
	}
	if err := pause(ctx, afterOpening); err != nil {
		return r, err
	}
	full, err := memory(pid)
	if err != nil {
		return r, err
	}
	r.Socket = float64(full-empty) / float64(w.subscribers)
	err = w.tell(ctx, s, pid, events, &r)
	return r, err
}

// openAll makes the subscriptions; it answers those that it made also where one fails.
func (w fanout) openAll(ctx context.Context, s side) ([]*subscription, error) {
	all := make(chan *subscription, w.subscribers)
	errs := make([]error, openers)
	var left atomic.Int64
	left.Store(int64(w.subscribers))
	var wg sync.WaitGroup
	for i := range openers {
		wg.Go(func() {
			for errs[i] == nil && left.Add(-1) >= 0 {
				var sub *subscription
				if sub, errs[i] = s.subscribe(ctx); errs[i] == nil {
					errs[i] = sub.Forever()
					all <- sub
				}
			}
		})
	}
	wg.Wait()
	close(all)
	var subs []*subscription
	for sub := range all {
		subs = append(subs, sub)
	}
	if err := firstOf(errs); err != nil {
		return subs, fmt.Errorf("subscriber %d: %w", len(subs)+1, err)
	}
	return subs, nil
}

// listen notes deliveries until its socket ends; what does not come by then is missing.
func listen(sub *subscription, i int, events []*arrival) {
	for {
		st, err := sub.next()
		if err != nil {
			return
		}
		if st.Seq < len(events) {
			events[st.Seq].take(i, time.Duration(time.Now().UnixNano()-st.At))
		}
	}
}

// tell sends the events, each after the one before has come everywhere.
func (w fanout) tell(ctx context.Context, s side, pid int, events []*arrival, r *run) (err error) {
	c, err := s.open(ctx, w.act, toWatcher)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var before usage
	var lasts []float64
	var all []time.Duration
	for k, e := range events {
		if k == 1 { // the first one warmed the path
			if before, err = readUsage(pid); err != nil {
				return err
			}
		}
		if err := c.do(k); err != nil {
			return fmt.Errorf("%s: %w", w.act, err)
		}
		if err := e.wait(ctx, w.patience); err != nil {
			return err
		}
		if k > 0 {
			took := e.deliveries()
			all = append(all, took...)
			lasts = append(lasts, millis(longest(took)))
			r.Missing += w.subscribers - len(took)
			r.Doubled += int(e.doubled.Load())
		}
		if err := pause(ctx, afterEvent); err != nil {
			return err
		}
	}
	after, err := readUsage(pid)
	r.Ops, r.Last = len(all), median(lasts)
	r.times(all)
	r.spent(before, after)
	return err
}

// wait returns when the event has come to everybody, or will not.
func (a *arrival) wait(ctx context.Context, most time.Duration) error {
	limit := time.NewTimer(most)
	defer limit.Stop()
	select {
	case <-a.done:
	case <-limit.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (a *arrival) deliveries() []time.Duration {
	var out []time.Duration
	for i := range a.took {
		if t := a.took[i].Load(); t > 0 {
			out = append(out, time.Duration(t))
		}
	}
	return out
}

func longest(of []time.Duration) (most time.Duration) {
	for _, d := range of {
		most = max(most, d)
	}
	return most
}
