package pool

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/number"
	"switchboard/ent/numbergroup"
	"switchboard/internal/clock"
)

// NumberGroup is one of the caller's groups.
func (s *Service) NumberGroup(ctx context.Context, id uuid.UUID) (*comms.NumberGroup, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	g, err := s.in.Read().NumberGroup.Query().Where(numbergroup.ID(id), numbergroup.AccountID(a.AccountID)).Only(ctx)
	if err != nil {
		return nil, noGroup("id", err)
	}
	return g, nil
}

// NumberGroups lists the caller's groups, oldest first.
func (s *Service) NumberGroups(ctx context.Context, p comms.Page) (*comms.PageOf[*comms.NumberGroup], error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	return comms.PageOfRows(ctx, s.in, p, comms.Rows[*comms.NumberGroup]{Name: 'g',
		Place: func(g *comms.NumberGroup) (clock.Micros, uuid.UUID) { return g.CreatedAt, g.ID },
		Read: func(ctx context.Context, where, order func(*sql.Selector), limit int) ([]*comms.NumberGroup, error) {
			return s.in.Read().NumberGroup.Query().Where(numbergroup.AccountID(a.AccountID), where).Order(order).Limit(limit).All(ctx)
		}})
}

// CountNumberGroups is how many groups the caller has.
func (s *Service) CountNumberGroups(ctx context.Context) (int, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return 0, err
	}
	return s.in.Read().NumberGroup.Query().Where(numbergroup.AccountID(a.AccountID)).Count(ctx)
}

// Groups are all of the caller's groups, oldest first.
func (s *Service) Groups(ctx context.Context) ([]*comms.NumberGroup, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	rows, err := s.in.Read().NumberGroup.Query().Where(numbergroup.AccountID(a.AccountID)).Order(numbergroup.ByCreatedAt(), numbergroup.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	return rows, nil
}

// NumbersOfGroups are the numbers, oldest first, of those ids that are the caller's groups: two statements for all of them.
func (s *Service) NumbersOfGroups(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]*comms.Number, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID][]*comms.Number, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := s.in.Read().NumberGroup.Query().Where(numbergroup.AccountID(a.AccountID), numbergroup.IDIn(ids...)).
		WithNumbers(func(q *ent.NumberQuery) { q.Order(number.ByCreatedAt(), number.ByID()) }).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the numbers of groups: %w", err)
	}
	for _, g := range rows {
		out[g.ID] = g.Edges.Numbers
	}
	return out, nil
}

// GroupsOfNumbers are the groups, oldest first, of those ids that are the caller's numbers: two statements for all of them.
func (s *Service) GroupsOfNumbers(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]*comms.NumberGroup, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID][]*comms.NumberGroup, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := s.in.Read().Number.Query().Where(number.AccountID(a.AccountID), number.IDIn(ids...)).WithGroups(sortedGroups).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the groups of numbers: %w", err)
	}
	for _, n := range rows {
		out[n.ID] = n.Edges.Groups
	}
	return out, nil
}

func sortedGroups(q *ent.NumberGroupQuery) { q.Order(numbergroup.ByCreatedAt(), numbergroup.ByID()) }
