package model

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
)

// SipNumber is a telephone with what its list shares.
type SipNumber struct {
	*comms.SipNumber
	States *Batch[*call.PhoneState]
}

// PhoneIDs are the ids of telephones.
func PhoneIDs(list []*comms.SipNumber) func() []uuid.UUID {
	return ids(list, func(p *comms.SipNumber) uuid.UUID { return p.ID })
}

// Rings are the numbers that it rings for: as an event tells them, or as they are now.
func (p *SipNumber) Rings(ctx context.Context) ([]string, error) {
	if then := p.Edges.Rings; len(then) > 0 {
		out := make([]string, len(then))
		for i, r := range then {
			out[i] = r.Number
		}
		return out, nil
	}
	state, err := p.States.Get(ctx, p.ID)
	if state == nil {
		return []string{}, err
	}
	return state.Rings, err
}

// Registered tells whether it can be reached.
func (p *SipNumber) Registered(ctx context.Context) (bool, error) {
	state, err := p.States.Get(ctx, p.ID)
	return state != nil && state.Registered(), err
}

// Registrations are where it can be reached.
func (p *SipNumber) Registrations(ctx context.Context) ([]*comms.Contact, error) {
	state, err := p.States.Get(ctx, p.ID)
	if state == nil || state.Contacts == nil {
		return []*comms.Contact{}, err
	}
	return state.Contacts, err
}

// Trunk is a line to a carrier; its password is no part of what is shown.
type Trunk struct{ *comms.Trunk }

// Username is the user name for digest; nil: none.
func (t *Trunk) Username() *string { return orNil(t.Trunk.Username) }

// FixedCaller is the number that is always shown; nil: none.
func (t *Trunk) FixedCaller() *string { return orNil(t.Trunk.FixedCaller) }
