package carrier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/carrierlink"
	"switchboard/ent/predicate"
)

// errLost says that a link is not ours to import any more: it was unlinked, or our lease ended before we renewed it.
var errLost = errors.New("the link is not this process's to import")

// Importing tells whether a process imports by that link now. Of a link in an event: whether one did then.
func Importing(l *comms.CarrierLink) bool { return l.Node != "" }

// free are links that no living process imports by.
func free() predicate.CarrierLink {
	return carrierlink.Or(carrierlink.LeaseUntilIsNil(), carrierlink.LeaseUntilLT(now()))
}

// take leases a link, so that of all processes this one alone imports by it. nil: somebody else does, or it is not due any more.
func (s *Service) take(ctx context.Context, link *comms.CarrierLink, when ...predicate.CarrierLink) (taken *comms.CarrierLink, err error) {
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		taken = nil
		if err := s.in.Lock(ctx, c, link.AccountID); err != nil {
			return err
		}
		n, err := c.Tx().CarrierLink.Update().Where(carrierlink.ID(link.ID), carrierlink.StateEQ(carrierlink.StateActive), free()).Where(when...).
			SetNode(s.worker).SetLeaseUntil(c.Now().Add(s.lease)).SetDone(0).SetTotal(0).SetAdded(0).Save(ctx)
		if err != nil || n == 0 {
			return err
		}
		if taken, err = c.Tx().CarrierLink.Get(ctx, link.ID); err != nil {
			return err
		}
		c.Tell(&comms.Event{Kind: comms.RecordsImport, AccountID: taken.AccountID, Carrier: taken})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lease a link: %w", err)
	}
	return taken, nil
}

// renew holds the lease for another while, in a change of its own or in one that writes more.
func (s *Service) renew(ctx context.Context, c *comms.Change, link uuid.UUID) error {
	n, err := c.Tx().CarrierLink.Update().Where(carrierlink.ID(link), carrierlink.Node(s.worker)).SetLeaseUntil(c.Now().Add(s.lease)).Save(ctx)
	if err == nil && n == 0 {
		err = errLost
	}
	return err
}

// hold renews the lease until ctx ends; if it is lost, lost is told.
func (s *Service) hold(ctx context.Context, link uuid.UUID, lost func(error)) {
	tick := time.NewTicker(s.lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error { return s.renew(ctx, c, link) })
		if errors.Is(err, errLost) {
			lost(err)
			return
		}
		s.complain(ctx, "renew a lease", err) // there are two more turns before it ends
	}
}

// release gives a link back in a change that also says how the import went; set may say that nothing is to be stored.
func (s *Service) release(ctx context.Context, link *comms.CarrierLink, set func(c *comms.Change, row *comms.CarrierLink, u *ent.CarrierLinkUpdateOne) []comms.Kind) (out *comms.CarrierLink, err error) {
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, link.AccountID); err != nil {
			return err
		}
		row, err := c.Tx().CarrierLink.Query().Where(carrierlink.ID(link.ID), carrierlink.Node(s.worker)).Only(ctx)
		if ent.IsNotFound(err) {
			return errLost
		}
		if err != nil {
			return fmt.Errorf("read a link: %w", err)
		}
		u := row.Update().SetNode("").ClearLeaseUntil()
		kinds := set(c, row, u)
		if out, err = u.Save(ctx); err != nil {
			return fmt.Errorf("give a link back: %w", err)
		}
		for _, k := range kinds {
			c.Tell(&comms.Event{Kind: k, AccountID: out.AccountID, Carrier: out})
		}
		return nil
	})
	return out, err
}
