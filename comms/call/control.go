package call

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
)

// mostSent is how many digits are sent at once.
const mostSent = 64

// controlled is a call of the caller's account that is to be changed.
func (s *Service) controlled(ctx context.Context, id uuid.UUID) (*comms.Actor, *comms.Call, error) {
	a, err := comms.Demand(ctx, comms.PlaceCalls)
	if err != nil {
		return nil, nil, err
	}
	row, err := s.ownCall(ctx, a.AccountID, id)
	return a, row, err
}

// answered is the same, of one whose sides hear each other.
func (s *Service) answered(ctx context.Context, id uuid.UUID) (*comms.Actor, *comms.Call, error) {
	a, row, err := s.controlled(ctx, id)
	if err == nil && row.Status != call.StatusAnswered {
		err = conflict("id", "the call is not answered")
	}
	return a, row, err
}

// order asks something of the engine. It has no such call where another process holds it, or where it has just ended.
func (s *Service) order(ctx context.Context, row *comms.Call, o Order) error {
	err := s.engine.Order(ctx, row.ConversationID, o)
	if comms.IsCode(err, comms.NotFound) {
		if row.Node != s.in.Node() {
			return comms.Refused(comms.Unavailable, "", comms.ReasonNone, "another server of this installation holds the call")
		}
		return conflict("id", "the call has ended")
	}
	return err
}

// HangUp ends a call of the caller's account. One that has ended stays as it is.
func (s *Service) HangUp(ctx context.Context, id uuid.UUID) (*comms.Call, error) {
	a, row, err := s.controlled(ctx, id)
	if err != nil || row.Status == call.StatusEnded {
		return row, err
	}
	end := End{Why: WhyCancelled, By: ByUs}
	if row.Status == call.StatusAnswered {
		end.Why = WhyHungUp
	}
	err = s.order(ctx, row, Order{HangUp: &end})
	if err != nil && !comms.IsCode(err, comms.Conflict) {
		return nil, err
	}
	// Written down here, not only when the engine reports it: what was asked for is done when this returns, also where the engine had lost
	// the call.
	if err := s.CallEnded(ctx, row.ConversationID, end); err != nil {
		return nil, err
	}
	return s.ownCall(ctx, a.AccountID, id)
}

// SendDigits sends digits to one side of an answered call.
func (s *Service) SendDigits(ctx context.Context, in SendDigits) (*comms.Call, error) {
	_, row, err := s.answered(ctx, in.Call)
	if err != nil {
		return nil, err
	}
	in.Digits = strings.ToUpper(in.Digits)
	if in.Digits == "" || len(in.Digits) > mostSent || strings.Trim(in.Digits, "0123456789*#ABCD,") != "" {
		return nil, invalid("digits", "1 to %d of 0-9 * # A-D, and commas for pauses", mostSent)
	}
	in.Call = row.ConversationID
	return row, s.order(ctx, row, Order{SendDigits: &in})
}
