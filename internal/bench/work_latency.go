package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// latency is the workload of w3: one sender at a steady pace, one subscriber; the time from just before the request is written to the
// delivery in the subscriber's hands.
type latency struct {
	act       act
	perSecond int
	lasts     time.Duration
}

// settling is how long stragglers may take.
const settling = 300 * time.Millisecond

func (w latency) name() string { return strconv.Itoa(w.perSecond) + " a second" }

func (w latency) measure(ctx context.Context, s side, pid int) (r run, err error) {
	r = run{Act: w.act, Clients: 1}
	sub, err := s.subscribe(ctx)
	if err != nil {
		return r, fmt.Errorf("subscribe: %w", err)
	}
	c, err := s.open(ctx, w.act, toWatcher)
	if err != nil {
		return r, errors.Join(err, sub.Close())
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	gap := time.Second / time.Duration(w.perSecond)
	warm := int(warmUp / gap)
	took := make([]time.Duration, warm+int(w.lasts/gap))
	doubled := 0
	ended := make(chan error, 1)
	go func() { ended <- w.listen(sub, took, &doubled) }()
	before, err := w.pace(ctx, c, gap, len(took), warm, pid)
	after, err2 := usageAt(ctx, time.Now().Add(settling), pid)
	closed := sub.Close()
	heard := <-ended // the socket was closed under it
	if err := errors.Join(err, err2, closed); err != nil {
		return r, errors.Join(err, heard)
	}
	var all []time.Duration
	for _, t := range took[warm:] {
		if t > 0 {
			all = append(all, t)
		}
	}
	r.Missing, r.Doubled = len(took)-warm-len(all), doubled
	r.Ops = len(all)
	r.times(all)
	r.spent(before, after)
	return r, nil
}

// listen notes how long each message took until the socket is closed.
func (w latency) listen(sub *subscription, took []time.Duration, doubled *int) error {
	for {
		st, err := sub.next()
		if err != nil {
			return err
		}
		if st.Seq >= len(took) {
			continue
		}
		if took[st.Seq] != 0 {
			*doubled++
			continue
		}
		took[st.Seq] = time.Duration(time.Now().UnixNano() - st.At)
	}
}

// pace sends n messages, and reads what was used when the measured time begins.
func (w latency) pace(ctx context.Context, c *client, gap time.Duration, n, warm, pid int) (before usage, err error) {
	every := time.NewTicker(gap)
	defer every.Stop()
	for k := range n {
		select {
		case <-every.C:
		case <-ctx.Done():
			return before, ctx.Err()
		}
		if k == warm {
			if before, err = readUsage(pid); err != nil {
				return before, err
			}
		}
		if err := c.do(k); err != nil {
			return before, fmt.Errorf("%s: %w", w.act, err)
		}
	}
	return before, nil
}
