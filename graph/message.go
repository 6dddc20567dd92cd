package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) Message(ctx context.Context, id string) (*model.Message, error) {
	n, err := comms.ParseMessageID(id)
	if err != nil {
		n = 0 // no message has it; whether the caller may ask at all is for the verb to say
	}
	m, err := orNull(r.svc.Message(ctx, n))
	return r.message(ctx, m), err
}

func (r queryResolver) Messages(ctx context.Context, filter *gen.MessageFilter, first *int, after *string, last *int, before *string) (*model.MessageConnection, error) {
	return r.messageConnection(ctx, filterOf(filter), comms.Page{First: first, After: after, Last: last, Before: before})
}

func filterOf(in *gen.MessageFilter) comms.MessageFilter {
	if in == nil {
		return comms.MessageFilter{}
	}
	f := comms.MessageFilter{NumberIDs: idsOf(in.NumberIds), Peer: text(in.Peer)}
	if in.Direction != nil {
		f.Direction = *in.Direction
	}
	if in.Kind != nil {
		f.Kind = *in.Kind
	}
	if in.Status != nil {
		delivered := *in.Status == model.Delivered
		f.Delivered = &delivered
	}
	if in.Since != nil {
		f.Since = *in.Since
	}
	if in.Until != nil {
		f.Until = *in.Until
	}
	return f
}

func (r mutationResolver) SendMessage(ctx context.Context, in gen.SendMessageInput) (*gen.SendMessagePayload, error) {
	send, err := sendOf(&in)
	var sent *comms.Sent
	if err == nil {
		sent, err = r.svc.SendMessage(ctx, send)
	}
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.SendMessagePayload{UserErrors: wrong}, err
	}
	shown := r.messages(ctx, sent.Messages)
	return &gen.SendMessagePayload{Message: shown[0], Messages: shown, Replayed: sent.Replayed}, nil
}

// sendOf decodes the input. That it holds a text or a file, and not both, is a matter of its shape, which GraphQL can't express here:
// the verb knows only one or the other.
func sendOf(in *gen.SendMessageInput) (comms.SendMessage, error) {
	out := comms.SendMessage{From: idOf(in.From), To: in.To, Text: text(in.Text), FileName: text(in.FileName), CallerName: text(in.FromName),
		IdempotencyKey: text(in.IdempotencyKey)}
	if (in.Text == nil) == (in.File == nil) {
		return out, &comms.Error{Code: comms.Invalid, Field: "text", Text: "give either text or file"}
	}
	if in.File != nil {
		out.Data, out.Length = in.File.File, in.File.Size
		if out.FileName == "" {
			out.FileName = in.File.Filename
		}
	}
	return out, nil
}

func (r mutationResolver) MarkDelivered(ctx context.Context, in gen.MarkDeliveredInput) (*gen.MarkDeliveredPayload, error) {
	ids := make([]int64, len(in.MessageIds))
	for i, s := range in.MessageIds {
		var err error
		if ids[i], err = comms.ParseMessageID(s); err != nil {
			ids[i] = 0 // no message has it
		}
	}
	list, err := r.svc.MarkDelivered(ctx, ids)
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.MarkDeliveredPayload{UserErrors: wrong}, err
	}
	return &gen.MarkDeliveredPayload{Messages: r.messages(ctx, list)}, nil
}
