package pool

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// How often an account may ask for its pool, by any way to ask (7moor: 20 a minute). It is each process's own count.
const (
	asksPerWindow = 20
	askWindow     = time.Minute
)

// asks remembers when each account asked within the last minute.
type asks struct {
	mu    sync.Mutex
	at    map[uuid.UUID][]clock.Micros
	swept clock.Micros
}

// take counts a request, or says how long there is no room for another. Who is refused is not counted: he is let in as soon as the oldest of
// those who were is a minute ago.
func (a *asks) take(account uuid.UUID, now clock.Micros) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	over := now.Add(-askWindow)
	if a.at == nil || a.swept <= over { // so that accounts that ask no more take no room
		next := make(map[uuid.UUID][]clock.Micros)
		for id, times := range a.at {
			if times[len(times)-1] > over {
				next[id] = times
			}
		}
		a.at, a.swept = next, now
	}
	times := a.at[account]
	for len(times) > 0 && times[0] <= over {
		times = times[1:]
	}
	if len(times) >= asksPerWindow {
		return times[0].Sub(over)
	}
	a.at[account] = append(times[:len(times):len(times)], now)
	return 0
}

// Ask is no error where the caller may ask for his pool now. It counts.
func (s *Service) Ask(ctx context.Context) error {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return err
	}
	if wait := s.asks.take(a.AccountID, clock.Now()); wait > 0 {
		return &comms.Error{Code: comms.Limited, RetryAfter: wait, Text: fmt.Sprintf("at most %d requests a minute", asksPerWindow)}
	}
	return nil
}
