package messaging

import (
	"context"
	"strconv"

	"switchboard/comms"
)

// get gives unread messages, or with `after` all since then, and so delivers them.
func (d *door) get(ctx context.Context, x *exchange) error {
	h := &x.head
	in := comms.TakeMessages{Numbers: credentials(h.texts(fieldUUID, 1))}
	if h.has(fieldAfter) {
		after := h.integer(fieldAfter)
		in.After = &after
	}
	if h.err != nil {
		return h.err
	}
	if err := x.noData(); err != nil {
		return err
	}
	messages, err := d.svc.TakeMessages(ctx, in)
	if err != nil {
		return err
	}
	b := append(append(x.out, success...), `,"messages":[`...)
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMessage(b, m)
	}
	x.out = append(b, `]}`...)
	return nil
}

// missedCall is the documented uri of what is no message but the notice of a call that nobody answered.
const missedCall = "missed.call"

// missedKind is the store's word for it.
const missedKind = "missed_call"

func appendMessage(b []byte, m *comms.Message) []byte {
	b = append(appendID(append(b, `{"msgid":`...), m.ID), `,"caller":`...)
	b = append(appendText(b, m.FromNumber), `,"caller_name":`...)
	b = append(appendText(b, m.FromName), `,"callee":`...)
	b = append(appendText(b, m.ToNumber), `,"uri":`...)
	length := m.Length
	if m.Kind == missedKind {
		b, length = appendText(b, missedCall), 0
	} else {
		b = appendID(b, m.DataID)
	}
	b = strconv.AppendInt(append(b, `,"length":`...), length, 10)
	b = strconv.AppendInt(append(b, `,"time":`...), m.CreatedAt.Unix(), 10)
	if m.FileName != "" {
		b = appendText(append(b, `,"fname":`...), m.FileName)
	}
	if short, ok := comms.InlineText(m); ok {
		b = appendText(append(b, `,"text":`...), short)
	}
	return append(b, '}')
}
