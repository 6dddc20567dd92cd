package call

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/mask"
	"switchboard/ent/maskparty"
)

// UnmaskNumbers ends a mask now. Calls that go through it are not cut off. One that has ended is answered as it is.
func (s *Service) UnmaskNumbers(ctx context.Context, id uuid.UUID) (m *comms.Mask, err error) {
	a, err := comms.Demand(ctx, comms.WriteNumbers)
	if err != nil {
		return nil, err
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, a.AccountID); err != nil {
			return err
		}
		if m, err = c.Tx().Mask.Query().Where(mask.ID(id), mask.AccountID(a.AccountID)).Only(ctx); err != nil {
			return noMask(err)
		}
		if m.EndedAt != nil {
			return nil
		}
		m, err = s.endMask(ctx, c, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// endMask ends a mask that has not ended, frees its places on its numbers and tells of it; the account is locked. One whose time had come
// ended then, whenever that is noticed.
func (s *Service) endMask(ctx context.Context, c *comms.Change, m *comms.Mask) (*comms.Mask, error) {
	at := c.Now()
	if m.ExpiresAt != nil {
		at = min(at, *m.ExpiresAt)
	}
	m, err := m.Update().SetEndedAt(at).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("end a mask: %w", err)
	}
	err = c.Tx().MaskParty.Update().Where(maskparty.MaskID(m.ID), maskparty.FreedAtIsNil()).SetFreedAt(at).Exec(ctx)
	if err != nil {
		return nil, fmt.Errorf("free a mask's numbers: %w", err)
	}
	c.Tell(&comms.Event{Kind: comms.MaskEnded, AccountID: m.AccountID, NumberID: m.NumberID, Mask: m})
	return m, nil
}

// forgetMasks ends the masks of a number that is being deleted, be it X or Y. Those of which it is X go with it, but their end is told.
func (s *Service) forgetMasks(ctx context.Context, c *comms.Change, n *comms.Number) (after func(context.Context), err error) {
	rows, err := c.Tx().Mask.Query().Where(mask.EndedAtIsNil(), mask.Or(mask.NumberID(n.ID), mask.SecondNumberID(n.ID))).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the masks of a number: %w", err)
	}
	for _, m := range rows {
		if _, err := s.endMask(ctx, c, m); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// noMask is what is answered for an id that is none, or another account's.
func noMask(err error) error {
	if ent.IsNotFound(err) {
		return comms.Refused(comms.NotFound, "id", comms.ReasonNone, "there is no such mask")
	}
	return fmt.Errorf("read a mask: %w", err)
}
