package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// warmUp precedes what is measured.
const warmUp = 300 * time.Millisecond

// rate is the workload of w1 and w2: clients that ask again as soon as they were answered.
type rate struct {
	act     act
	clients int
	lasts   time.Duration
}

// stride keeps clients that started together from sending to the same number.
const stride = 31

func (w rate) name() string { return strconv.Itoa(w.clients) }

func (w rate) measure(ctx context.Context, s side, pid int) (r run, err error) {
	r = run{Act: w.act, Clients: w.clients}
	clients := make([]*client, w.clients)
	defer func() {
		for _, c := range clients {
			if c != nil {
				err = errors.Join(err, c.Close())
			}
		}
	}()
	for i := range clients {
		if clients[i], err = s.open(ctx, w.act, toMany); err != nil {
			return r, fmt.Errorf("%s: %w", w.act, err)
		}
	}
	began := time.Now()
	from, until := began.Add(warmUp), began.Add(warmUp+w.lasts)
	took, errs := make([][]time.Duration, w.clients), make([]error, w.clients)
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() { took[i], errs[i] = repeat(ctx, c, i*stride, from, until) })
	}
	before, err := usageAt(ctx, from, pid)
	after, err2 := usageAt(ctx, until, pid)
	wg.Wait()
	if err := errors.Join(firstOf(errs), err, err2); err != nil {
		return r, fmt.Errorf("%s with %d clients: %w", w.act, w.clients, err)
	}
	var all []time.Duration
	for _, t := range took {
		all = append(all, t...)
	}
	r.Ops = len(all)
	r.Rate = float64(r.Ops) / w.lasts.Seconds()
	r.times(all)
	r.spent(before, after)
	return r, nil
}

// firstOf is one error for all: clients of one kind fail for one reason.
func firstOf(errs []error) error {
	failed := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d clients failed, one of them so: %w", len(failed), len(errs), failed[0])
}

// repeat asks until the time is up, and answers how long that took which began and ended within the measured time.
func repeat(ctx context.Context, c *client, k int, from, until time.Time) ([]time.Duration, error) {
	took := make([]time.Duration, 0, 1<<14)
	for at := time.Now(); at.Before(until); k++ {
		if err := c.do(k); err != nil {
			return nil, err
		}
		end := time.Now()
		if at.After(from) && end.Before(until) {
			took = append(took, end.Sub(at))
		}
		at = end
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return took, nil
}

// usageAt waits for an instant and reads what was used by then.
func usageAt(ctx context.Context, at time.Time, pid int) (usage, error) {
	if err := pause(ctx, time.Until(at)); err != nil {
		return usage{}, err
	}
	return readUsage(pid)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
