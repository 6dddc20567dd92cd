package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) Recording(ctx context.Context, id string) (*model.Recording, error) {
	rec, err := orNull(r.calls.Recording(ctx, idOf(id)))
	return r.showRecording(ctx, rec), err
}

func (r queryResolver) Recordings(ctx context.Context, filter *gen.RecordingFilter, first *int, after *string, last *int, before *string) (*model.RecordingConnection, error) {
	var f call.RecordingFilter
	if filter != nil {
		f = call.RecordingFilter{CallIDs: idsOf(filter.CallIds), NumberIDs: idsOf(filter.NumberIds), Status: filter.Status}
		if filter.Since != nil {
			f.Since = *filter.Since
		}
		if filter.Until != nil {
			f.Until = *filter.Until
		}
	}
	page, err := r.calls.Recordings(ctx, f, comms.Page{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, refusal(err)
	}
	count := func(ctx context.Context) (int, error) {
		n, err := r.calls.CountRecordings(ctx, f)
		return n, refusal(err)
	}
	return model.NewConnection(page, r.showRecordings(ctx, page.Items), count), nil
}

func (r mutationResolver) StartRecording(ctx context.Context, in gen.StartRecordingInput) (*gen.StartRecordingPayload, error) {
	rec, err := r.calls.StartRecording(ctx, idOf(in.CallID))
	wrong, err := callErrors(err)
	return &gen.StartRecordingPayload{Recording: r.showRecording(ctx, rec), UserErrors: wrong}, err
}

func (r mutationResolver) StopRecording(ctx context.Context, in gen.StopRecordingInput) (*gen.StopRecordingPayload, error) {
	rec, err := r.calls.StopRecording(ctx, idOf(in.CallID))
	wrong, err := callErrors(err)
	return &gen.StopRecordingPayload{Recording: r.showRecording(ctx, rec), UserErrors: wrong}, err
}

func (r mutationResolver) DeleteRecording(ctx context.Context, in gen.DeleteRecordingInput) (*gen.DeleteRecordingPayload, error) {
	rec, err := r.calls.DeleteRecording(ctx, idOf(in.ID))
	wrong, err := userErrors(err)
	return &gen.DeleteRecordingPayload{Recording: r.showRecording(ctx, rec), UserErrors: wrong}, err
}
