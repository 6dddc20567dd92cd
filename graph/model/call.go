package model

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/clock"
)

// Call is a call with what its list shares.
type Call struct {
	*comms.Call
	list *Calls
}

// Calls are what the calls of one list share.
type Calls struct {
	Numbers    *Batch[*Number]
	Recordings *Batch[[]*Recording]
	Masks      *Batch[*Mask]
}

// Show shows calls of the list.
func (l *Calls) Show(calls []*comms.Call) []*Call {
	slab := make([]Call, len(calls))
	out := make([]*Call, len(calls))
	for i, c := range calls {
		slab[i] = Call{c, l}
		out[i] = &slab[i]
	}
	return out
}

// CallNumbers are the ids of the numbers that took part.
func CallNumbers(calls []*comms.Call) func() []uuid.UUID {
	return ids(calls, func(c *comms.Call) uuid.UUID { return idOrNil(c.NumberID) })
}

// CallIDs are the ids of calls.
func CallIDs(calls []*comms.Call) func() []uuid.UUID {
	return ids(calls, func(c *comms.Call) uuid.UUID { return c.ID })
}

// CallMasks are the ids of the masks that calls went through.
func CallMasks(calls []*comms.Call) func() []uuid.UUID {
	return ids(calls, func(c *comms.Call) uuid.UUID { return idOrNil(c.MaskID) })
}

func ids[T any](list []T, of func(T) uuid.UUID) func() []uuid.UUID {
	return func() []uuid.UUID {
		out := make([]uuid.UUID, len(list))
		for i, item := range list {
			out[i] = of(item)
		}
		return out
	}
}

// Number is the account's number that took part.
func (c *Call) Number(ctx context.Context) (*Number, error) {
	return c.list.Numbers.Get(ctx, idOrNil(c.NumberID))
}

// Peer is the other side; nil where it withheld its number.
func (c *Call) Peer() *string { return orNil(c.Call.Peer) }

// Second is whom it was put through to.
func (c *Call) Second() *string { return orNil(c.Call.Second) }

// Direction is which way it went.
func (c *Call) Direction() Direction { return Direction(c.Call.Direction) }

// Reason is why it ended.
func (c *Call) Reason() *call.Why {
	if c.Call.Reason == "" {
		return nil
	}
	why := call.Why(c.Call.Reason)
	return &why
}

// SipStatus is the SIP status that ended it; nil: none was seen.
func (c *Call) SipStatus() *int { return orNone(c.Call.SipStatus) }

// Cause is the Q.850 cause; nil: none was seen.
func (c *Call) Cause() *int { return orNone(c.Call.Cause) }

func orNone(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// Recordings are its recordings, oldest first.
func (c *Call) Recordings(ctx context.Context) ([]*Recording, error) {
	found, err := c.list.Recordings.Get(ctx, c.ID)
	if found == nil {
		found = []*Recording{}
	}
	return found, err
}

// Mask is the mask that it went through.
func (c *Call) Mask(ctx context.Context) (*Mask, error) {
	return c.list.Masks.Get(ctx, idOrNil(c.MaskID))
}

// Recording is a recording with what its list shares, and where it can be fetched.
type Recording struct {
	*comms.Recording
	// URL and URLExpiresAt are nil unless there is something to fetch.
	URL          *string
	URLExpiresAt *clock.Micros
	Calls        *Batch[*Call]
}

// RecordingCalls are the ids of the calls that were recorded.
func RecordingCalls(list []*comms.Recording) func() []uuid.UUID {
	return ids(list, func(r *comms.Recording) uuid.UUID { return r.CallID })
}

// Call is what was recorded.
func (r *Recording) Call(ctx context.Context) (*Call, error) { return r.Calls.Get(ctx, r.CallID) }

// Duration is its length in seconds: it is stored in milliseconds.
func (r *Recording) Duration() float64 { return float64(r.Recording.Duration) / 1000 }

// Size is its size in bytes.
func (r *Recording) Size() int { return int(r.Recording.Size) }
