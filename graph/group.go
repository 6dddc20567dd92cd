package graph

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/pool"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) NumberGroup(ctx context.Context, id string) (*model.NumberGroup, error) {
	g, err := orNull(r.pools.NumberGroup(ctx, idOf(id)))
	return r.showGroup(g), err
}

func (r queryResolver) NumberGroups(ctx context.Context, first *int, after *string, last *int, before *string) (*model.NumberGroupConnection, error) {
	page, err := r.pools.NumberGroups(ctx, comms.Page{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, refusal(err)
	}
	return model.NewConnection(page, r.showGroups(page.Items), counted(r.pools.CountNumberGroups)), nil
}

// showGroups shows number groups, whose numbers are read when the first is asked for its own.
func (r *Resolver) showGroups(list []*comms.NumberGroup) []*model.NumberGroup {
	members := model.NewBatch(model.GroupIDs(list), r.numbersOf)
	out := make([]*model.NumberGroup, len(list))
	for i, g := range list {
		out[i] = &model.NumberGroup{NumberGroup: g, Members: members}
	}
	return out
}

func (r *Resolver) showGroup(g *comms.NumberGroup) *model.NumberGroup {
	if g == nil {
		return nil
	}
	return r.showGroups([]*comms.NumberGroup{g})[0]
}

func (r *Resolver) numbersOf(ctx context.Context, groups []uuid.UUID) (map[uuid.UUID][]*model.Number, error) {
	found, err := r.pools.NumbersOfGroups(ctx, groups)
	return shownTogether(found, r.showNumbers), refusal(err)
}

func (r *Resolver) groupsOf(ctx context.Context, numbers []uuid.UUID) (map[uuid.UUID][]*model.NumberGroup, error) {
	found, err := r.pools.GroupsOfNumbers(ctx, numbers)
	return shownTogether(found, r.showGroups), refusal(err)
}

// shownTogether shows the lists of several things as one, so that what their items ask for in turn is read in one statement for all.
func shownTogether[S, T any](found map[uuid.UUID][]S, show func([]S) []T) map[uuid.UUID][]T {
	var all []S
	var owners []uuid.UUID
	for owner, list := range found {
		all, owners = append(all, list...), append(owners, owner)
	}
	shown := show(all)
	out := make(map[uuid.UUID][]T, len(found))
	for _, owner := range owners { // in the order in which their lists were put together
		n := len(found[owner])
		out[owner], shown = shown[:n:n], shown[n:]
	}
	return out
}

func (r mutationResolver) CreateNumberGroup(ctx context.Context, in gen.CreateNumberGroupInput) (*gen.CreateNumberGroupPayload, error) {
	g, err := r.pools.CreateNumberGroup(ctx, pool.CreateNumberGroup{Name: in.Name, Policy: string(in.Policy), NumberIDs: idsOf(in.NumberIds),
		IdempotencyKey: text(in.IdempotencyKey)})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.CreateNumberGroupPayload{UserErrors: wrong}, err
	}
	return &gen.CreateNumberGroupPayload{NumberGroup: r.showGroup(g.Group), Replayed: g.Replayed}, nil
}

func (r mutationResolver) UpdateNumberGroup(ctx context.Context, in gen.UpdateNumberGroupInput) (*gen.UpdateNumberGroupPayload, error) {
	g, err := r.pools.UpdateNumberGroup(ctx, pool.UpdateNumberGroup{ID: idOf(in.ID), Name: in.Name, Policy: word(in.Policy)})
	wrong, err := userErrors(err)
	return &gen.UpdateNumberGroupPayload{NumberGroup: r.showGroup(g), UserErrors: wrong}, err
}

func (r mutationResolver) DeleteNumberGroup(ctx context.Context, in gen.DeleteNumberGroupInput) (*gen.DeleteNumberGroupPayload, error) {
	g, err := r.pools.DeleteNumberGroup(ctx, idOf(in.ID))
	wrong, err := userErrors(err)
	return &gen.DeleteNumberGroupPayload{NumberGroup: r.showGroup(g), UserErrors: wrong}, err
}

func (r mutationResolver) AddToNumberGroup(ctx context.Context, in gen.AddToNumberGroupInput) (*gen.AddToNumberGroupPayload, error) {
	g, err := r.pools.AddToNumberGroup(ctx, idOf(in.ID), idsOf(in.NumberIds))
	wrong, err := userErrors(err)
	return &gen.AddToNumberGroupPayload{NumberGroup: r.showGroup(g), UserErrors: wrong}, err
}

func (r mutationResolver) RemoveFromNumberGroup(ctx context.Context, in gen.RemoveFromNumberGroupInput) (*gen.RemoveFromNumberGroupPayload, error) {
	g, err := r.pools.RemoveFromNumberGroup(ctx, idOf(in.ID), idsOf(in.NumberIds))
	wrong, err := userErrors(err)
	return &gen.RemoveFromNumberGroupPayload{NumberGroup: r.showGroup(g), UserErrors: wrong}, err
}
