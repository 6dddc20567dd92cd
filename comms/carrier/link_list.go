package carrier

import (
	"context"
	"fmt"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/carrierlink"
	"switchboard/internal/clock"
)

func now() clock.Micros { return clock.Now() }

// CarrierLinks is a page of the links of the caller's account, oldest first.
func (s *Service) CarrierLinks(ctx context.Context, p comms.Page) (*comms.PageOf[*comms.CarrierLink], error) {
	a, err := comms.Demand(ctx, comms.ReadAccount)
	if err != nil {
		return nil, err
	}
	return comms.PageOfRows(ctx, s.in, p, comms.Rows[*comms.CarrierLink]{Name: 'l',
		Place: func(l *comms.CarrierLink) (clock.Micros, uuid.UUID) { return l.CreatedAt, l.ID },
		Read: func(ctx context.Context, where, order func(*sql.Selector), limit int) ([]*comms.CarrierLink, error) {
			rows, err := s.in.Read().CarrierLink.Query().Where(carrierlink.AccountID(a.AccountID)).Where(where).Order(order).Limit(limit).All(ctx)
			if err != nil {
				return nil, fmt.Errorf("read links: %w", err)
			}
			return rows, nil
		}})
}

// CountCarrierLinks is how many there are.
func (s *Service) CountCarrierLinks(ctx context.Context) (int, error) {
	a, err := comms.Demand(ctx, comms.ReadAccount)
	if err != nil {
		return 0, err
	}
	return s.in.Read().CarrierLink.Query().Where(carrierlink.AccountID(a.AccountID)).Count(ctx)
}

// CarrierLink is one of the caller's account.
func (s *Service) CarrierLink(ctx context.Context, id uuid.UUID) (*comms.CarrierLink, error) {
	a, err := comms.Demand(ctx, comms.ReadAccount)
	if err != nil {
		return nil, err
	}
	row, err := s.in.Read().CarrierLink.Query().Where(carrierlink.ID(id), carrierlink.AccountID(a.AccountID)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, notFound("id")
	}
	if err != nil {
		return nil, fmt.Errorf("read a link: %w", err)
	}
	return row, nil
}

// linksAtOnce keeps one statement under the databases' bounds on variables.
const linksAtOnce = 500

// LinksByID is those of the ids that are links of the caller's account, for the records that they brought.
func (s *Service) LinksByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*comms.CarrierLink, error) {
	a, err := comms.Demand(ctx, comms.ReadAccount)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]*comms.CarrierLink, len(ids))
	for some := range slices.Chunk(ids, linksAtOnce) {
		rows, err := s.in.Read().CarrierLink.Query().Where(carrierlink.IDIn(some...), carrierlink.AccountID(a.AccountID)).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read links: %w", err)
		}
		for _, row := range rows {
			out[row.ID] = row
		}
	}
	return out, nil
}

// UpdateCarrierLink asks to change a link's schedule.
type UpdateCarrierLink struct {
	ID    uuid.UUID
	Every time.Duration // from a minute to 30 days, in whole seconds
}

// The bounds of a schedule.
const (
	shortestEvery = time.Minute
	longestEvery  = 30 * 24 * time.Hour
)

// UpdateCarrierLink changes how often a link's records are imported. What waits longer than that now is due sooner, unless the carrier asked
// for it.
func (s *Service) UpdateCarrierLink(ctx context.Context, in UpdateCarrierLink) (*comms.CarrierLink, error) {
	if in.Every < shortestEvery || in.Every > longestEvery {
		return nil, comms.Refused(comms.Invalid, "every", comms.ReasonNone, "every must be from 60 seconds to 30 days")
	}
	out, err := s.changeLink(ctx, in.ID, func(c *comms.Change, row *comms.CarrierLink, u *ent.CarrierLinkUpdateOne) error {
		u.SetEvery(int(in.Every / time.Second))
		if next := c.Now().Add(in.Every); row.NextAt != nil && *row.NextAt > next && row.Problem != string(ProblemLimited) {
			u.SetNextAt(next)
		}
		return nil
	})
	return out, err
}

// ImportRecords makes a link's import due now.
func (s *Service) ImportRecords(ctx context.Context, id uuid.UUID) (*comms.CarrierLink, error) {
	out, err := s.changeLink(ctx, id, func(c *comms.Change, row *comms.CarrierLink, u *ent.CarrierLinkUpdateOne) error {
		if row.State != carrierlink.StateActive {
			return comms.Refused(comms.Conflict, "id", comms.ReasonNotConsented, "the customer must consent first: link the account again")
		}
		if row.Problem == string(ProblemLimited) && row.NextAt != nil && *row.NextAt > c.Now() {
			return &comms.Error{Code: comms.Limited, Field: "id", Text: "the carrier asks us to come later", RetryAfter: row.NextAt.Sub(c.Now())}
		}
		u.SetNextAt(c.Now())
		return nil
	})
	if err == nil {
		s.hurry()
	}
	return out, err
}

// changeLink changes a link of the caller's account.
func (s *Service) changeLink(ctx context.Context, id uuid.UUID, set func(*comms.Change, *comms.CarrierLink, *ent.CarrierLinkUpdateOne) error) (out *comms.CarrierLink, err error) {
	a, err := comms.Demand(ctx, comms.WriteAccount)
	if err != nil {
		return nil, err
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		row, err := s.ownLink(ctx, c, a.AccountID, id)
		if err != nil {
			return err
		}
		u := row.Update()
		if err := set(c, row, u); err != nil {
			return err
		}
		out, err = u.Save(ctx)
		return err
	})
	return out, err
}

// ownLink locks the account and reads its link.
func (s *Service) ownLink(ctx context.Context, c *comms.Change, account, id uuid.UUID) (*comms.CarrierLink, error) {
	if err := s.in.Lock(ctx, c, account); err != nil {
		return nil, err
	}
	row, err := c.Tx().CarrierLink.Query().Where(carrierlink.ID(id), carrierlink.AccountID(account)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, notFound("id")
	}
	if err != nil {
		return nil, fmt.Errorf("read a link: %w", err)
	}
	return row, nil
}

// UnlinkCarrier ends a link. An import that is under way ends with it; what was imported stays.
func (s *Service) UnlinkCarrier(ctx context.Context, id uuid.UUID) (out *comms.CarrierLink, err error) {
	a, err := comms.Demand(ctx, comms.WriteAccount)
	if err != nil {
		return nil, err
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if out, err = s.ownLink(ctx, c, a.AccountID, id); err != nil {
			return err
		}
		if err := c.Tx().CarrierLink.DeleteOne(out).Exec(ctx); err != nil {
			return fmt.Errorf("remove a link: %w", err)
		}
		c.Tell(&comms.Event{Kind: comms.CarrierUnlinked, AccountID: a.AccountID, Carrier: out})
		return nil
	})
	return out, err
}
