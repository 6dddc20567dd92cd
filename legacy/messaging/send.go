package messaging

import (
	"bytes"
	"context"

	"switchboard/comms"
)

// sendOne sends to one number.
func (d *door) sendOne(ctx context.Context, x *exchange) error {
	m, err := x.message([]string{x.head.text(fieldCallee)}, d.limit)
	if err != nil {
		return err
	}
	sent, err := d.send(ctx, x, m)
	if err != nil {
		return err
	}
	x.out = appendSent(x.out, sent.Messages[0])
	return nil
}

// sendMany sends the same data to many, a message to each.
func (d *door) sendMany(ctx context.Context, x *exchange) error {
	m, err := x.message(x.head.texts(fieldCallees, 1), d.limit)
	if err != nil {
		return err
	}
	sent, err := d.send(ctx, x, m)
	if err != nil {
		return err
	}
	b := append(append(x.out, success...), `,"msgids":[`...)
	for i, m := range sent.Messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendID(b, m.ID)
	}
	x.out = append(b, `]}`...)
	return nil
}

// message reads what the two have in common.
func (x *exchange) message(to []string, limit int64) (comms.SendMessage, error) {
	h := &x.head
	m := comms.SendMessage{From: credential(h.bytes(fieldUUID)), To: to, Length: h.integer(fieldLength),
		CallerName: h.optional(fieldCallerName), FileName: h.optional(fieldFname)}
	if h.err != nil {
		return m, h.err
	}
	data, err := x.data(m.Length, limit)
	switch {
	case err != nil:
		return m, err
	case data.stream != nil:
		m.Data = data.stream
	case h.has(fieldFname):
		m.Data = bytes.NewReader(data.small)
	default:
		m.Text = string(data.small)
	}
	return m, nil
}

func (d *door) send(ctx context.Context, x *exchange, m comms.SendMessage) (*comms.Sent, error) {
	sent, err := d.svc.SendMessage(comms.AsNumber(ctx, m.From), m)
	if x.rest.err != nil {
		return nil, x.rest.err // what the client did wrong, whatever became of it on its way through the verb
	}
	return sent, err
}

func appendSent(b []byte, m *comms.Message) []byte {
	return append(appendID(append(append(b, success...), `,"msgid":`...), m.ID), '}')
}
