package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) SipNumber(ctx context.Context, id string) (*model.SipNumber, error) {
	p, err := orNull(r.calls.SipNumber(ctx, idOf(id)))
	return r.showPhone(p), err
}

func (r queryResolver) SipNumbers(ctx context.Context, first *int, after *string, last *int, before *string) (*model.SipNumberConnection, error) {
	page, err := r.calls.SipNumbers(ctx, comms.Page{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, refusal(err)
	}
	return model.NewConnection(page, r.showPhones(page.Items), nil), nil
}

// Password is null for whoever may not see it, so that a token that may only read can ask for the whole SIP number.
func (r sipNumberResolver) Password(ctx context.Context, p *model.SipNumber) (*string, error) {
	password, err := r.calls.SipPassword(ctx, p.ID)
	if comms.IsCode(err, comms.Forbidden) || comms.IsCode(err, comms.NotFound) { // an event may tell of one that is gone
		return nil, nil
	}
	return &password, refusal(err)
}

func (r mutationResolver) CreateSipNumber(ctx context.Context, in gen.CreateSipNumberInput) (*gen.CreateSipNumberPayload, error) {
	p, err := r.calls.CreateSipNumber(ctx, call.CreateSipNumber{Number: text(in.Number), Password: text(in.Password), Rings: in.Rings,
		Alias: in.Alias, Secure: in.Secure, IdempotencyKey: text(in.IdempotencyKey)})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.CreateSipNumberPayload{UserErrors: wrong}, err
	}
	return &gen.CreateSipNumberPayload{SipNumber: r.showPhone(p.SipNumber), Password: &p.Password, Replayed: p.Replayed}, nil
}

func (r mutationResolver) UpdateSipNumber(ctx context.Context, in gen.UpdateSipNumberInput) (*gen.UpdateSipNumberPayload, error) {
	p, err := r.calls.UpdateSipNumber(ctx, call.UpdateSipNumber{ID: idOf(in.ID), Rings: in.Rings, Alias: in.Alias, Secure: in.Secure})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.UpdateSipNumberPayload{UserErrors: wrong}, err
	}
	return &gen.UpdateSipNumberPayload{SipNumber: r.showPhone(p)}, nil
}

func (r mutationResolver) ChangeSipPassword(ctx context.Context, in gen.ChangeSipPasswordInput) (*gen.ChangeSipPasswordPayload, error) {
	p, err := r.calls.ChangeSipPassword(ctx, call.ChangeSipPassword{ID: idOf(in.ID), Password: text(in.Password)})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.ChangeSipPasswordPayload{UserErrors: wrong}, err
	}
	return &gen.ChangeSipPasswordPayload{SipNumber: r.showPhone(p.SipNumber), Password: &p.Password}, nil
}

func (r mutationResolver) DeleteSipNumber(ctx context.Context, in gen.DeleteSipNumberInput) (*gen.DeleteSipNumberPayload, error) {
	p, err := r.calls.DeleteSipNumber(ctx, idOf(in.ID))
	wrong, err := userErrors(err)
	return &gen.DeleteSipNumberPayload{SipNumber: r.showPhone(p), UserErrors: wrong}, err
}
