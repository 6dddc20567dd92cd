package carrier

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/carrierlink"
)

const (
	lookEvery  = 2 * time.Second
	sweepEvery = time.Hour
	mostDue    = 100 // links read at once
	// longestRun is how long one import may go on. What is left then is due at once, behind those that waited meanwhile.
	longestRun = 30 * time.Minute
)

// desk is what the imports of this process share.
type desk struct {
	mu       sync.Mutex
	accounts map[uuid.UUID]bool // whose import is under way: one of an account, so that none fills the desk
	working  sync.WaitGroup
}

// Run imports by each link's own schedule until ctx ends, and then waits until what is under way has been given back.
func (s *Service) Run(ctx context.Context) {
	d := &desk{accounts: map[uuid.UUID]bool{}}
	defer d.working.Wait()
	look, sweep := time.NewTicker(lookEvery), time.NewTicker(sweepEvery)
	defer look.Stop()
	defer sweep.Stop()
	for {
		s.complain(ctx, "look for imports that are due", s.startDue(ctx, d))
		select {
		case <-ctx.Done():
			return
		case <-look.C: // other processes make imports due, too
		case <-s.due:
		case <-sweep.C:
			s.complain(ctx, "sweep", s.sweepPending(ctx))
		}
	}
}

// startDue starts what is due, the longest overdue first, as far as there is room.
func (s *Service) startDue(ctx context.Context, d *desk) error {
	busy := d.busy()
	if len(busy) >= s.atOnce || len(s.carriers) == 0 {
		return nil
	}
	q := s.in.Read().CarrierLink.Query().Where(carrierlink.NextAtLTE(now()), carrierlink.StateEQ(carrierlink.StateActive), free())
	if len(busy) > 0 {
		q.Where(carrierlink.AccountIDNotIn(busy...))
	}
	rows, err := q.Order(carrierlink.ByNextAt()).Limit(mostDue).All(ctx)
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	for _, row := range rows {
		if d.enter(row.AccountID, s.atOnce) {
			d.working.Go(func() {
				defer s.hurry() // the next may have waited for this one
				defer d.leave(row.AccountID)
				s.importDue(ctx, row)
			})
		}
	}
	return nil
}

func (s *Service) importDue(ctx context.Context, row *comms.CarrierLink) {
	link, err := s.take(ctx, row, carrierlink.NextAtLTE(now()))
	if err != nil || link == nil {
		s.complain(ctx, "start an import", err)
		return
	}
	if _, err = s.importOnce(ctx, link, nil); err != nil {
		s.in.Log().WarnContext(ctx, "an import failed", "link", link.ID, "error", err)
	}
}

func (d *desk) busy() []uuid.UUID {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]uuid.UUID, 0, len(d.accounts))
	for id := range d.accounts {
		out = append(out, id)
	}
	return out
}

func (d *desk) enter(account uuid.UUID, most int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.accounts) >= most || d.accounts[account] {
		return false
	}
	d.accounts[account] = true
	return true
}

func (d *desk) leave(account uuid.UUID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.accounts, account)
}
