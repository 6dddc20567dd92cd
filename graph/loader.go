package graph

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/graph/model"
)

// messages shows messages to the caller. Their numbers are read when the first is asked for its own, all in one statement
// (model.Message.Number): the list itself is the batch, so it needs neither goroutines that wait for one another nor a timer.
func (r *Resolver) messages(ctx context.Context, list []*comms.Message, known ...*comms.Number) []*model.Message {
	return model.NewMessages(source{r.svc}, viewer(ctx), list, known...)
}

func (r *Resolver) message(ctx context.Context, m *comms.Message) *model.Message {
	if m == nil {
		return nil
	}
	return r.messages(ctx, []*comms.Message{m})[0]
}

// source is where messages get what they don't carry.
type source struct{ svc *comms.Service }

func (s source) NumbersByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*comms.Number, error) {
	found, err := s.svc.NumbersByID(ctx, ids)
	return found, refusal(err)
}

// FileOf tells where a message's data can be fetched, where it isn't all in its text.
func (s source) FileOf(ctx context.Context, m *comms.Message) *model.File {
	if m.Content == "" {
		return nil
	}
	path, expires := s.svc.FileLink(m)
	f := &model.File{Length: int(m.Length), URL: baseURL(ctx) + path, URLExpiresAt: expires}
	if m.FileName != "" {
		f.Name = &m.FileName
	}
	return f
}
