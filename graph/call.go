package graph

import (
	"context"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) Call(ctx context.Context, id string) (*model.Call, error) {
	c, err := orNull(r.calls.Call(ctx, idOf(id)))
	return r.showCall(c), err
}

func (r queryResolver) Calls(ctx context.Context, filter *gen.CallFilter, first *int, after *string, last *int, before *string) (*model.CallConnection, error) {
	return r.callConnection(ctx, callFilterOf(filter), comms.Page{First: first, After: after, Last: last, Before: before})
}

func (r numberResolver) Calls(ctx context.Context, n *model.Number, first *int, after *string, last *int, before *string) (*model.CallConnection, error) {
	return r.callConnection(ctx, call.CallFilter{NumberIDs: []uuid.UUID{n.ID}}, comms.Page{First: first, After: after, Last: last, Before: before}, n)
}

// callConnection shows a page of calls; known are numbers that their field `number` needn't read again.
func (r *Resolver) callConnection(ctx context.Context, f call.CallFilter, p comms.Page, known ...*model.Number) (*model.CallConnection, error) {
	page, err := r.calls.Calls(ctx, f, p)
	if err != nil {
		return nil, refusal(err)
	}
	count := func(ctx context.Context) (int, error) {
		n, err := r.calls.CountCalls(ctx, f)
		return n, refusal(err)
	}
	return model.NewConnection(page, r.showCalls(page.Items, known...), count), nil
}

func callFilterOf(in *gen.CallFilter) call.CallFilter {
	if in == nil {
		return call.CallFilter{}
	}
	f := call.CallFilter{NumberIDs: idsOf(in.NumberIds), Peer: text(in.Peer), Status: in.Status, Outcome: in.Outcome,
		MinDuration: in.MinDuration, MaxDuration: in.MaxDuration, Live: in.Live}
	setWord(&f.Direction, in.Direction)
	if in.Since != nil {
		f.Since = *in.Since
	}
	if in.Until != nil {
		f.Until = *in.Until
	}
	return f
}

func (r mutationResolver) PlaceCall(ctx context.Context, in gen.PlaceCallInput) (*gen.PlaceCallPayload, error) {
	place := call.PlaceCall{To: in.To, First: text(in.First), Message: text(in.Message), Lang: text(in.Language), Record: in.Record,
		RingFor: span(in.RingFor), MaxDuration: span(in.MaxDuration), UserData: in.UserData, ClientKey: text(in.ClientKey),
		IdempotencyKey: text(in.IdempotencyKey)}
	err := readID("from", in.From, &place.From)
	if err == nil {
		err = readID("groupId", in.GroupID, &place.Group)
	}
	var placed *call.Placed
	if err == nil {
		placed, err = r.calls.PlaceCall(ctx, place)
	}
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.PlaceCallPayload{UserErrors: wrong}, err
	}
	return &gen.PlaceCallPayload{Call: r.showCall(placed.Call), Replayed: placed.Replayed}, nil
}

// readID reads an optional id. What is malformed names nothing, but it was given: it must not be taken for null.
func readID(field string, in *string, to *uuid.UUID) error {
	if in == nil {
		return nil
	}
	if *to = idOf(*in); *to == uuid.Nil {
		return &comms.Error{Code: comms.NotFound, Field: field, Text: "there is nothing with this id"}
	}
	return nil
}

// span is an optional time span; null is zero.
func span(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}

func (r mutationResolver) HangUp(ctx context.Context, in gen.HangUpInput) (*gen.HangUpPayload, error) {
	c, err := r.calls.HangUp(ctx, idOf(in.CallID))
	wrong, err := callErrors(err)
	return &gen.HangUpPayload{Call: r.showCall(c), UserErrors: wrong}, err
}

func (r mutationResolver) SendDigits(ctx context.Context, in gen.SendDigitsInput) (*gen.SendDigitsPayload, error) {
	c, err := r.calls.SendDigits(ctx, call.SendDigits{Call: idOf(in.CallID), Digits: in.Digits, First: in.Side == gen.CallSideFirst})
	wrong, err := callErrors(err)
	return &gen.SendDigitsPayload{Call: r.showCall(c), UserErrors: wrong}, err
}

func (r mutationResolver) Transfer(ctx context.Context, in gen.TransferInput) (*gen.TransferPayload, error) {
	c, err := r.calls.Transfer(ctx, call.Transfer{Call: idOf(in.CallID), To: in.To})
	wrong, err := callErrors(err)
	return &gen.TransferPayload{Call: r.showCall(c), UserErrors: wrong}, err
}

// callErrors are the user errors of what is done to a call: its id is not all of their input, as it is of the verbs.
func callErrors(err error) ([]*gen.UserError, error) {
	if e := comms.AsError(err); e != nil && e.Field == "id" {
		named := *e
		named.Field = "callId"
		err = &named
	}
	return userErrors(err)
}

// CallStatusChanged is a part of the account's log as every subscription is; the watch knows where a call's part begins and ends.
func (r subscriptionResolver) CallStatusChanged(ctx context.Context, callID, after *string) (<-chan *model.CallEvent, error) {
	w := comms.Watch{Kinds: comms.CallKinds(), After: text(after)}
	if err := readID("callId", callID, &w.CallID); err != nil {
		return nil, refusal(err)
	}
	return subscribe(ctx, r.svc, w, func(e *comms.Event) *model.CallEvent {
		return &model.CallEvent{Event: e, Call: r.showCall(e.Call)}
	})
}
