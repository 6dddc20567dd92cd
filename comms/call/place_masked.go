package call

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// PlaceMasked is a call that is placed for the two parties of a mask.
type PlaceMasked struct {
	AccountID, ApplicationID, MaskID uuid.UUID
	X                                *comms.Number
	First, Second                    string // E.164: First is called, and when it has answered Second; both see X
	Record                           bool
	UserData                         string
}

// PlaceFor calls the parties of a mask. It does not wait for what becomes of the call, and there is one whatever refuses it: the mask's
// owner is told of it by its name.
func (s *Service) PlaceFor(ctx context.Context, in PlaceMasked) (*comms.Call, error) {
	plan, err := s.accountPlan(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	q := question{RouteCall: RouteCall{Dialled: in.Second}, At: clock.Now(), First: in.First, Direct: true,
		Placed: &caller{Account: in.AccountID, Plan: plan, Rings: []string{in.X.Number}}}
	f, err := s.facts(ctx, q)
	if err != nil {
		return nil, err
	}
	d := s.live.admit(f, q, func(f *facts) *decision { return bound(f, in) })
	if err := s.open(ctx, d); err != nil {
		s.live.drop(f.Call)
		return nil, err
	}
	if err := s.dial(context.WithoutCancel(ctx), d); err != nil {
		return nil, err
	}
	return s.ownCall(ctx, in.AccountID, d.Records[0].ID)
}

// bound decides of such a call.
func bound(f *facts, in PlaceMasked) *decision {
	d := newDecision(f)
	d.pay(f.Caller.Account)
	x := f.Numbers[in.X.Number]
	if x == nil {
		return d.refuse(WhyNoSuch, "the number is gone")
	}
	first, second := f.resolve(f.First, x.AccountID), f.resolve(f.Dialled, x.AccountID)
	row := d.record(x, call.DirectionOutgoing, first.called)
	row.Second, row.Record, row.UserData = second.called, in.Record, in.UserData
	if in.MaskID != uuid.Nil {
		row.MaskID = &in.MaskID
	}
	if in.ApplicationID != uuid.Nil {
		row.ApplicationID = &in.ApplicationID
	}
	leg, why, text := d.reach(first, x.Number.Number, x)
	if why != "" {
		return d.refuse(why, text)
	}
	d.Verdict.First = leg
	return d.second(second, x.Number.Number, x)
}
