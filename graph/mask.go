package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/graph/gen"
	"switchboard/graph/model"
	"switchboard/internal/clock"
)

func (r queryResolver) Mask(ctx context.Context, id string) (*model.Mask, error) {
	m, err := orNull(r.calls.Mask(ctx, idOf(id)))
	return r.showMask(m, clock.Now()), err
}

func (r queryResolver) Masks(ctx context.Context, filter *gen.MaskFilter, first *int, after *string, last *int, before *string) (*model.MaskConnection, error) {
	var f call.MaskFilter
	if filter != nil {
		f = call.MaskFilter{NumberIDs: idsOf(filter.NumberIds), Party: text(filter.Party), Live: filter.Live}
		for _, k := range filter.Kinds {
			f.Kinds = append(f.Kinds, string(k))
		}
		if err := readID("applicationId", filter.ApplicationID, &f.ApplicationID); err != nil {
			return nil, refusal(err)
		}
	}
	page, err := r.calls.Masks(ctx, f, comms.Page{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, refusal(err)
	}
	count := func(ctx context.Context) (int, error) {
		n, err := r.calls.CountMasks(ctx, f)
		return n, refusal(err)
	}
	return model.NewConnection(page, r.showMasks(page.Items, clock.Now()), count), nil
}

func (r mutationResolver) MaskNumbers(ctx context.Context, in gen.MaskNumbersInput) (*gen.MaskNumbersPayload, error) {
	mask, err := maskOf(&in)
	var masked *call.Masked
	if err == nil {
		masked, err = r.calls.MaskNumbers(ctx, mask)
	}
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.MaskNumbersPayload{UserErrors: wrong}, err
	}
	return &gen.MaskNumbersPayload{Mask: r.showMask(masked.Mask, clock.Now()), Replayed: masked.Replayed}, nil
}

func maskOf(in *gen.MaskNumbersInput) (call.MaskNumbers, error) {
	out := call.MaskNumbers{Kind: string(in.Kind), First: in.First, Second: text(in.Second), AreaCode: text(in.AreaCode),
		Direction: string(in.Direction), Extension: text(in.Extension), TTL: span(in.Ttl), Record: in.Record, UserData: in.UserData,
		IdempotencyKey: text(in.IdempotencyKey)}
	if in.ExpiresAt != nil {
		out.ExpiresAt = *in.ExpiresAt
	}
	if err := readID("numberId", in.NumberID, &out.NumberID); err != nil {
		return out, err
	}
	if err := readID("secondNumberId", in.SecondNumberID, &out.SecondNumberID); err != nil {
		return out, err
	}
	return out, readID("applicationId", in.ApplicationID, &out.ApplicationID)
}

func (r mutationResolver) UnmaskNumbers(ctx context.Context, in gen.UnmaskNumbersInput) (*gen.UnmaskNumbersPayload, error) {
	m, err := r.calls.UnmaskNumbers(ctx, idOf(in.ID))
	wrong, err := userErrors(err)
	return &gen.UnmaskNumbersPayload{Mask: r.showMask(m, clock.Now()), UserErrors: wrong}, err
}
