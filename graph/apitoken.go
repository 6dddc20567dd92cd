package graph

import (
	"context"
	"time"

	"switchboard/comms"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) ApiTokens(ctx context.Context, first *int, after *string, last *int, before *string) (*model.ApiTokenConnection, error) {
	page, err := r.svc.ApiTokens(ctx, comms.Page{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, refusal(err)
	}
	nodes := make([]*model.ApiToken, len(page.Items))
	for i, t := range page.Items {
		nodes[i] = &model.ApiToken{ApiToken: t}
	}
	return model.NewConnection(page, nodes, nil), nil
}

func (r mutationResolver) CreateApiToken(ctx context.Context, in gen.CreateApiTokenInput) (*gen.CreateApiTokenPayload, error) {
	var ttl time.Duration
	if in.Ttl != nil {
		ttl = *in.Ttl
	}
	var scopes comms.Scope
	for _, s := range in.Scopes {
		scopes |= s
	}
	t, err := r.svc.CreateApiToken(ctx, comms.CreateApiToken{Scopes: scopes, TTL: ttl, Comment: in.Comment,
		IdempotencyKey: text(in.IdempotencyKey)})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.CreateApiTokenPayload{UserErrors: wrong}, err
	}
	return &gen.CreateApiTokenPayload{ApiToken: &model.ApiToken{ApiToken: t.Token}, Value: &t.Value, Replayed: t.Replayed}, nil
}

func (r mutationResolver) RevokeApiToken(ctx context.Context, in gen.RevokeApiTokenInput) (*gen.RevokeApiTokenPayload, error) {
	t, err := r.svc.RevokeApiToken(ctx, idOf(in.ID))
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.RevokeApiTokenPayload{UserErrors: wrong}, err
	}
	return &gen.RevokeApiTokenPayload{ApiToken: &model.ApiToken{ApiToken: t}}, nil
}
