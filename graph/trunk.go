package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) Trunk(ctx context.Context, id string) (*model.Trunk, error) {
	t, err := orNull(r.calls.Trunk(ctx, idOf(id)))
	return showTrunk(t), err
}

func (r queryResolver) Trunks(ctx context.Context, first *int, after *string, last *int, before *string) (*model.TrunkConnection, error) {
	page, err := r.calls.ListTrunks(ctx, comms.Page{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, refusal(err)
	}
	nodes := make([]*model.Trunk, len(page.Items))
	for i, t := range page.Items {
		nodes[i] = showTrunk(t)
	}
	return model.NewConnection(page, nodes, nil), nil
}

func showTrunk(t *comms.Trunk) *model.Trunk {
	if t == nil {
		return nil
	}
	return &model.Trunk{Trunk: t}
}

func (r mutationResolver) CreateTrunk(ctx context.Context, in gen.CreateTrunkInput) (*gen.CreateTrunkPayload, error) {
	t, err := r.calls.CreateTrunk(ctx, call.CreateTrunk{Name: in.Name, IdempotencyKey: text(in.IdempotencyKey), TrunkWish: comms.TrunkWish{
		Address: &in.Address, Transport: word(&in.Transport), Username: in.Username, Password: in.Password, Register: &in.Register,
		Prefixes: in.Prefixes, Sources: in.Sources, CallerID: word(&in.CallerID), FixedCaller: in.FixedCaller,
		Concurrency: &in.Concurrency, PerMinute: &in.PerMinute, Disabled: &in.Disabled}})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.CreateTrunkPayload{UserErrors: wrong}, err
	}
	return &gen.CreateTrunkPayload{Trunk: showTrunk(t.Trunk), Replayed: t.Replayed}, nil
}

func (r mutationResolver) UpdateTrunk(ctx context.Context, in gen.UpdateTrunkInput) (*gen.UpdateTrunkPayload, error) {
	t, err := r.calls.UpdateTrunk(ctx, call.UpdateTrunk{ID: idOf(in.ID), TrunkWish: comms.TrunkWish{
		Address: in.Address, Transport: word(in.Transport), Username: in.Username, Password: in.Password, Register: in.Register,
		Prefixes: in.Prefixes, Sources: in.Sources, CallerID: word(in.CallerID), FixedCaller: in.FixedCaller,
		Concurrency: in.Concurrency, PerMinute: in.PerMinute, Disabled: in.Disabled}})
	wrong, err := userErrors(err)
	return &gen.UpdateTrunkPayload{Trunk: showTrunk(t), UserErrors: wrong}, err
}

func (r mutationResolver) DeleteTrunk(ctx context.Context, in gen.DeleteTrunkInput) (*gen.DeleteTrunkPayload, error) {
	t, err := r.calls.DeleteTrunk(ctx, idOf(in.ID))
	wrong, err := userErrors(err)
	return &gen.DeleteTrunkPayload{Trunk: showTrunk(t), UserErrors: wrong}, err
}

// setWord sets a word of the rules to an optional value of an enum; null leaves it as it is.
func setWord[T, V ~string](to *T, v *V) {
	if v != nil {
		*to = T(*v)
	}
}

// word is an optional value of an enum as the rules' word; null stays null.
func word[T ~string](v *T) *string {
	if v == nil {
		return nil
	}
	s := string(*v)
	return &s
}
