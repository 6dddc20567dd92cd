package graph

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) CarrierLink(ctx context.Context, id string) (*model.CarrierLink, error) {
	l, err := orNull(r.carriers.CarrierLink(ctx, idOf(id)))
	return showLink(l), err
}

func (r queryResolver) CarrierLinks(ctx context.Context, first *int, after *string, last *int, before *string) (*model.CarrierLinkConnection, error) {
	page, err := r.carriers.CarrierLinks(ctx, comms.Page{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, refusal(err)
	}
	nodes := make([]*model.CarrierLink, len(page.Items))
	for i, l := range page.Items {
		nodes[i] = showLink(l)
	}
	return model.NewConnection(page, nodes, counted(r.carriers.CountCarrierLinks)), nil
}

func showLink(l *comms.CarrierLink) *model.CarrierLink {
	if l == nil {
		return nil
	}
	return &model.CarrierLink{CarrierLink: l}
}

func (r *Resolver) linksByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*model.CarrierLink, error) {
	found, err := r.carriers.LinksByID(ctx, ids)
	out := make(map[uuid.UUID]*model.CarrierLink, len(found))
	for id, l := range found {
		out[id] = showLink(l)
	}
	return out, refusal(err)
}

func (r mutationResolver) LinkCarrier(ctx context.Context, in gen.LinkCarrierInput) (*gen.LinkCarrierPayload, error) {
	linked, err := r.carriers.LinkCarrier(ctx, carrier.LinkCarrier{Carrier: string(in.Carrier), Base: baseURL(ctx), IdempotencyKey: text(in.IdempotencyKey)})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.LinkCarrierPayload{UserErrors: wrong}, err
	}
	return &gen.LinkCarrierPayload{CarrierLink: showLink(linked.Link), ConsentURL: &linked.Page, Replayed: linked.Replayed}, nil
}

func (r mutationResolver) UpdateCarrierLink(ctx context.Context, in gen.UpdateCarrierLinkInput) (*gen.UpdateCarrierLinkPayload, error) {
	l, err := r.carriers.UpdateCarrierLink(ctx, carrier.UpdateCarrierLink{ID: idOf(in.ID), Every: in.ImportEvery})
	wrong, err := userErrors(err)
	return &gen.UpdateCarrierLinkPayload{CarrierLink: showLink(l), UserErrors: wrong}, err
}

func (r mutationResolver) UnlinkCarrier(ctx context.Context, in gen.UnlinkCarrierInput) (*gen.UnlinkCarrierPayload, error) {
	l, err := r.carriers.UnlinkCarrier(ctx, idOf(in.ID))
	wrong, err := userErrors(err)
	return &gen.UnlinkCarrierPayload{CarrierLink: showLink(l), UserErrors: wrong}, err
}

func (r mutationResolver) ImportRecords(ctx context.Context, in gen.ImportRecordsInput) (*gen.ImportRecordsPayload, error) {
	l, err := r.carriers.ImportRecords(ctx, idOf(in.ID))
	wrong, err := userErrors(err)
	return &gen.ImportRecordsPayload{CarrierLink: showLink(l), UserErrors: wrong}, err
}
