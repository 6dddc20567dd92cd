package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) BlockedNumbers(ctx context.Context, first *int, after *string, last *int, before *string) (*model.BlockedNumberConnection, error) {
	return connection(r.svc.BlockedNumbers(ctx, comms.Page{First: first, After: after, Last: last, Before: before}))
}

func (r mutationResolver) BlockNumber(ctx context.Context, in gen.BlockNumberInput) (*gen.BlockNumberPayload, error) {
	b, err := r.svc.BlockNumber(ctx, comms.BlockNumber{Number: in.Number, IdempotencyKey: text(in.IdempotencyKey)})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.BlockNumberPayload{UserErrors: wrong}, err
	}
	return &gen.BlockNumberPayload{BlockedNumber: b.Block, Replayed: b.Replayed}, nil
}

func (r mutationResolver) UnblockNumber(ctx context.Context, in gen.UnblockNumberInput) (*gen.UnblockNumberPayload, error) {
	b, err := r.svc.UnblockNumber(ctx, in.Number)
	wrong, err := userErrors(err)
	return &gen.UnblockNumberPayload{BlockedNumber: b, UserErrors: wrong}, err
}
