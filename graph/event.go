package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/graph/model"
)

func (r subscriptionResolver) MessageReceived(ctx context.Context, numberIDs []string, after *string) (<-chan *model.MessageReceivedEvent, error) {
	w := comms.Watch{Kinds: []comms.Kind{comms.MessageReceived}, NumberIDs: idsOf(numberIDs), After: text(after)}
	return subscribe(ctx, r.svc, w, func(e *comms.Event) *model.MessageReceivedEvent {
		return &model.MessageReceivedEvent{Event: e, Message: r.message(ctx, e.Message)}
	})
}

func (r subscriptionResolver) Events(ctx context.Context, after *string, kinds []comms.Kind) (<-chan model.Event, error) {
	w := comms.Watch{Kinds: kinds, After: text(after)}
	return subscribe(ctx, r.svc, w, func(e *comms.Event) model.Event { return r.event(ctx, e) })
}

// event is the type that shows an event: the first of the things that it carries decides.
func (r *Resolver) event(ctx context.Context, e *comms.Event) model.Event {
	switch {
	case e.Kind == comms.MessageReceived:
		return &model.MessageReceivedEvent{Event: e, Message: r.message(ctx, e.Message)}
	case e.Message != nil:
		return &model.MessageEvent{Event: e, Message: r.message(ctx, e.Message)}
	case e.Call != nil:
		return &model.CallEvent{Event: e, Call: r.showCall(e.Call)}
	case e.Recording != nil:
		return &model.RecordingEvent{Event: e, Recording: r.showRecording(ctx, e.Recording)}
	case e.Mask != nil:
		return &model.MaskEvent{Event: e, Mask: r.showMask(e.Mask, e.At)}
	case e.Phone != nil:
		return &model.PhoneEvent{Event: e, SipNumber: r.showPhone(e.Phone)}
	case e.Group != nil:
		return &model.GroupEvent{Event: e, NumberGroup: r.showGroup(e.Group)}
	case e.Carrier != nil:
		return &model.CarrierEvent{Event: e}
	case e.Number != nil:
		return &model.NumberEvent{Event: e, Number: r.showNumber(e.Number)}
	case e.Block != nil:
		return &model.BlockEvent{Event: e}
	default:
		return &model.AccountEvent{Event: e}
	}
}
