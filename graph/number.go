package graph

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

// showNumbers shows numbers; their groups are read when the first is asked for its own.
func (r *Resolver) showNumbers(list []*comms.Number) []*model.Number {
	return model.NewNumbers(list, r.groupsOf)
}

func (r *Resolver) showNumber(n *comms.Number) *model.Number {
	if n == nil {
		return nil
	}
	return r.showNumbers([]*comms.Number{n})[0]
}

func (r queryResolver) Number(ctx context.Context, id string) (*model.Number, error) {
	n, err := orNull(r.svc.Number(ctx, idOf(id)))
	return r.showNumber(n), err
}

func (r queryResolver) Numbers(ctx context.Context, first *int, after *string, last *int, before *string) (*model.NumberConnection, error) {
	page, err := r.svc.Numbers(ctx, comms.Page{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, refusal(err)
	}
	return model.NewConnection(page, r.showNumbers(page.Items), nil), nil
}

func (r numberResolver) Messages(ctx context.Context, n *model.Number, first *int, after *string, last *int, before *string) (*model.MessageConnection, error) {
	return r.messageConnection(ctx, comms.MessageFilter{NumberIDs: []uuid.UUID{n.ID}},
		comms.Page{First: first, After: after, Last: last, Before: before}, n)
}

func (r mutationResolver) CreateNumber(ctx context.Context, in gen.CreateNumberInput) (*gen.CreateNumberPayload, error) {
	n, err := r.svc.CreateNumber(ctx, comms.CreateNumber{Alias: in.Alias, PIN: in.PIN, CaptchaToken: in.CaptchaToken,
		IdempotencyKey: text(in.IdempotencyKey)})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.CreateNumberPayload{UserErrors: wrong}, err
	}
	return &gen.CreateNumberPayload{Number: r.showNumber(n.Number), Replayed: n.Replayed}, nil
}

func (r mutationResolver) UpdateNumber(ctx context.Context, in gen.UpdateNumberInput) (*gen.UpdateNumberPayload, error) {
	n, err := r.svc.UpdateNumber(ctx, idOf(in.ID), in.Alias)
	wrong, err := userErrors(err)
	return &gen.UpdateNumberPayload{Number: r.showNumber(n), UserErrors: wrong}, err
}

func (r mutationResolver) ChangeNumberPIN(ctx context.Context, in gen.ChangeNumberPINInput) (*gen.ChangeNumberPINPayload, error) {
	id := idOf(in.ID)
	err := r.svc.ChangeNumberPIN(ctx, comms.ChangeNumberPIN{ID: id, Current: in.CurrentPIN, New: in.NewPIN})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.ChangeNumberPINPayload{UserErrors: wrong}, err
	}
	n, err := r.svc.Number(ctx, id)
	if comms.IsCode(err, comms.Forbidden) || comms.IsCode(err, comms.NotFound) {
		return &gen.ChangeNumberPINPayload{}, nil // the PIN is changed: that this token may not see the number, or that it just went, is no failure
	}
	return &gen.ChangeNumberPINPayload{Number: r.showNumber(n)}, refusal(err)
}

func (r mutationResolver) DeleteNumber(ctx context.Context, in gen.DeleteNumberInput) (*gen.DeleteNumberPayload, error) {
	n, err := r.svc.DeleteNumber(ctx, idOf(in.ID))
	wrong, err := userErrors(err)
	return &gen.DeleteNumberPayload{Number: r.showNumber(n), UserErrors: wrong}, err
}
