package graph

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/graph/model"
	"switchboard/internal/clock"
)

// messages shows messages to the caller. Their numbers are read when the first is asked for its own, all in one statement
// (model.Message.Number): the list itself is the batch, so it needs neither goroutines that wait for one another nor a timer.
func (r *Resolver) messages(ctx context.Context, list []*comms.Message, known ...*model.Number) []*model.Message {
	return model.NewMessages(source{r}, viewer(ctx), list, known...)
}

func (r *Resolver) message(ctx context.Context, m *comms.Message) *model.Message {
	if m == nil {
		return nil
	}
	return r.messages(ctx, []*comms.Message{m})[0]
}

// source is where messages get what they don't carry.
type source struct{ *Resolver }

func (s source) NumbersByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*model.Number, error) {
	found, err := s.svc.NumbersByID(ctx, ids)
	out := make(map[uuid.UUID]*model.Number, len(found))
	for _, n := range s.showNumbers(slices.Collect(maps.Values(found))) {
		out[n.ID] = n
	}
	return out, refusal(err)
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

// The nouns of calls are shown as messages are: what a list's items don't carry is read for the whole list by the first that is asked
// (model.Batch). known are numbers that needn't be read again.

func (r *Resolver) showCalls(list []*comms.Call, known ...*model.Number) []*model.Call {
	shared := &model.Calls{Numbers: r.numbers(model.CallNumbers(list)), Recordings: model.NewBatch(model.CallIDs(list), r.recordingsOf),
		Masks: model.NewBatch(model.CallMasks(list), r.masksByID)}
	if len(known) > 0 {
		all := make(map[uuid.UUID]*model.Number, len(known))
		for _, n := range known {
			all[n.ID] = n
		}
		shared.Numbers = model.Known(all)
	}
	return shared.Show(list)
}

func (r *Resolver) showCall(c *comms.Call) *model.Call {
	if c == nil {
		return nil
	}
	return r.showCalls([]*comms.Call{c})[0]
}

func (r *Resolver) numbers(ids func() []uuid.UUID) *model.Batch[*model.Number] {
	return model.NewBatch(ids, source{r}.NumbersByID)
}

func (r *Resolver) callsByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*model.Call, error) {
	found, err := r.calls.CallsByID(ctx, ids)
	list := make([]*comms.Call, 0, len(found))
	for _, c := range found {
		list = append(list, c)
	}
	out := make(map[uuid.UUID]*model.Call, len(found))
	for _, c := range r.showCalls(list) {
		out[c.ID] = c
	}
	return out, refusal(err)
}

// showRecordings shows recordings with the links by which they can be fetched.
func (r *Resolver) showRecordings(ctx context.Context, list []*comms.Recording) []*model.Recording {
	calls := model.NewBatch(model.RecordingCalls(list), r.callsByID)
	out := make([]*model.Recording, len(list))
	for i, rec := range list {
		out[i] = &model.Recording{Recording: rec, Calls: calls}
		if rec.Status == "ready" { // there is nothing to fetch before, nor once it is removed
			path, expires := r.calls.RecordingLink(rec)
			url := baseURL(ctx) + path
			out[i].URL, out[i].URLExpiresAt = &url, &expires
		}
	}
	return out
}

func (r *Resolver) showRecording(ctx context.Context, rec *comms.Recording) *model.Recording {
	if rec == nil {
		return nil
	}
	return r.showRecordings(ctx, []*comms.Recording{rec})[0]
}

func (r *Resolver) recordingsOf(ctx context.Context, calls []uuid.UUID) (map[uuid.UUID][]*model.Recording, error) {
	found, err := r.calls.RecordingsOfCalls(ctx, calls)
	var list []*comms.Recording
	for _, of := range found {
		list = append(list, of...)
	}
	out := make(map[uuid.UUID][]*model.Recording, len(found))
	for _, rec := range r.showRecordings(ctx, list) {
		out[rec.CallID] = append(out[rec.CallID], rec)
	}
	return out, refusal(err)
}

// showMasks shows masks as they stand at that time.
func (r *Resolver) showMasks(list []*comms.Mask, at clock.Micros) []*model.Mask {
	numbers := r.numbers(model.MaskNumbers(list))
	out := make([]*model.Mask, len(list))
	for i, m := range list {
		out[i] = &model.Mask{Mask: m, Numbers: numbers, Now: at}
	}
	return out
}

func (r *Resolver) showMask(m *comms.Mask, at clock.Micros) *model.Mask {
	if m == nil {
		return nil
	}
	return r.showMasks([]*comms.Mask{m}, at)[0]
}

func (r *Resolver) masksByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*model.Mask, error) {
	found, err := r.calls.MasksByID(ctx, ids)
	list := make([]*comms.Mask, 0, len(found))
	for _, m := range found {
		list = append(list, m)
	}
	out := make(map[uuid.UUID]*model.Mask, len(found))
	for _, m := range r.showMasks(list, clock.Now()) {
		out[m.ID] = m
	}
	return out, refusal(err)
}

func (r *Resolver) showPhones(list []*comms.SipNumber) []*model.SipNumber {
	states := model.NewBatch(model.PhoneIDs(list), func(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*call.PhoneState, error) {
		found, err := r.calls.PhonesOf(ctx, ids)
		return found, refusal(err)
	})
	out := make([]*model.SipNumber, len(list))
	for i, p := range list {
		out[i] = &model.SipNumber{SipNumber: p, States: states}
	}
	return out
}

func (r *Resolver) showPhone(p *comms.SipNumber) *model.SipNumber {
	if p == nil {
		return nil
	}
	return r.showPhones([]*comms.SipNumber{p})[0]
}
