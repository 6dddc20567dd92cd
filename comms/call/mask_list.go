package call

import (
	"context"
	"fmt"
	"strings"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/mask"
	"switchboard/ent/maskparty"
	"switchboard/internal/clock"
)

// MaskFilter says which masks to list. What is not set does not count.
type MaskFilter struct {
	NumberIDs     []uuid.UUID // X or Y is one of these
	Party         string      // is one of the parties
	ApplicationID uuid.UUID
	Kinds         []string // axb, ax, axe, axyb
	Live          *bool    // it holds now, or has ended
}

// Masks lists the caller's masks, newest first.
func (s *Service) Masks(ctx context.Context, f MaskFilter, p comms.Page) (*comms.PageOf[*comms.Mask], error) {
	read, err := s.masksOf(ctx, f)
	if err != nil {
		return nil, err
	}
	return comms.PageOfRows(ctx, s.in, p, comms.Rows[*comms.Mask]{Name: 'm', Newest: true,
		Place: func(m *comms.Mask) (clock.Micros, uuid.UUID) { return m.CreatedAt, m.ID },
		Read: func(ctx context.Context, where, order func(*sql.Selector), limit int) ([]*comms.Mask, error) {
			return read().Where(where).Order(order).Limit(limit).All(ctx)
		}})
}

// CountMasks tells how many there are in all.
func (s *Service) CountMasks(ctx context.Context, f MaskFilter) (int, error) {
	read, err := s.masksOf(ctx, f)
	if err != nil {
		return 0, err
	}
	return read().Count(ctx)
}

// masksOf makes the statement behind a list of masks.
func (s *Service) masksOf(ctx context.Context, f MaskFilter) (func() *ent.MaskQuery, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	party := ""
	if f.Party != "" {
		if party, err = comms.CanonicalNumber("party", f.Party); err != nil {
			return nil, err
		}
	}
	kinds := make([]mask.Kind, len(f.Kinds))
	for i, k := range f.Kinds {
		if kinds[i] = mask.Kind(strings.ToLower(k)); mask.KindValidator(kinds[i]) != nil {
			return nil, invalid("kinds", "there is no such kind of mask")
		}
	}
	now := clock.Now()
	return func() *ent.MaskQuery {
		q := s.in.Read().Mask.Query().Where(mask.AccountID(a.AccountID))
		if len(f.NumberIDs) > 0 {
			q.Where(mask.Or(mask.NumberIDIn(f.NumberIDs...), mask.SecondNumberIDIn(f.NumberIDs...)))
		}
		if party != "" {
			q.Where(mask.HasPartiesWith(maskparty.Party(party)))
		}
		if f.ApplicationID != uuid.Nil {
			q.Where(mask.ApplicationID(f.ApplicationID))
		}
		if len(kinds) > 0 {
			q.Where(mask.KindIn(kinds...))
		}
		if f.Live != nil && *f.Live {
			q.Where(holds(now))
		} else if f.Live != nil {
			q.Where(mask.Not(holds(now)))
		}
		return q
	}, nil
}

// Mask is one of the caller's masks.
func (s *Service) Mask(ctx context.Context, id uuid.UUID) (*comms.Mask, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	m, err := s.in.Read().Mask.Query().Where(mask.ID(id), mask.AccountID(a.AccountID)).Only(ctx)
	if err != nil {
		return nil, noMask(err)
	}
	return m, nil
}

// MasksByID are those of the ids that are the caller's masks, in one statement.
func (s *Service) MasksByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*comms.Mask, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return map[uuid.UUID]*comms.Mask{}, nil
	}
	rows, err := s.in.Read().Mask.Query().Where(mask.IDIn(ids...), mask.AccountID(a.AccountID)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read masks: %w", err)
	}
	out := make(map[uuid.UUID]*comms.Mask, len(rows))
	for _, m := range rows {
		out[m.ID] = m
	}
	return out, nil
}
