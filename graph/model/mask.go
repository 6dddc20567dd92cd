package model

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// Mask is a mask with the numbers that its list shares.
type Mask struct {
	*comms.Mask
	Numbers *Batch[*Number]
	Now     clock.Micros // when it is shown: what an event tells of is shown as it was then
}

// MaskNumbers are the ids of the numbers of masks: X, and Y where there is one.
func MaskNumbers(list []*comms.Mask) func() []uuid.UUID {
	return func() []uuid.UUID {
		out := make([]uuid.UUID, 0, 2*len(list))
		for _, m := range list {
			out = append(out, m.NumberID, idOrNil(m.SecondNumberID))
		}
		return out
	}
}

// Number is X.
func (m *Mask) Number(ctx context.Context) (*Number, error) {
	return m.Numbers.Get(ctx, m.NumberID)
}

// SecondNumber is Y; nil for all kinds but AXYB.
func (m *Mask) SecondNumber(ctx context.Context) (*Number, error) {
	return m.Numbers.Get(ctx, idOrNil(m.SecondNumberID))
}

// Second is B; nil: anybody.
func (m *Mask) Second() *string { return orNil(m.Mask.Second) }

// Extension is what callers dial after X; nil for all kinds but AXE.
func (m *Mask) Extension() *string { return orNil(m.Mask.Extension) }

// Live tells whether calls go through it.
func (m *Mask) Live() bool {
	return (m.EndedAt == nil || *m.EndedAt > m.Now) && (m.ExpiresAt == nil || *m.ExpiresAt > m.Now)
}
