package call

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/ent/recording"
	"switchboard/internal/clock"
)

// mostSent is how many digits are sent at once.
const mostSent = 64

// Transfer asks for the second side of an answered call to be replaced.
type Transfer struct {
	Call uuid.UUID
	To   string
}

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

// Transfer puts the first side of an answered call through to somebody else, who sees the number that the call is about.
func (s *Service) Transfer(ctx context.Context, in Transfer) (*comms.Call, error) {
	a, row, err := s.answered(ctx, in.Call)
	if err != nil {
		return nil, err
	}
	plan, err := s.accountPlan(ctx, a.AccountID)
	if err != nil {
		return nil, err
	}
	who := &caller{Account: a.AccountID, Plan: plan}
	if row.NumberID != nil {
		n, err := s.in.Read().Number.Get(ctx, *row.NumberID)
		if err != nil {
			return nil, fmt.Errorf("find a number: %w", err)
		}
		who.Rings = []string{n.Number}
	}
	f, err := s.facts(ctx, question{RouteCall: RouteCall{Dialled: in.To}, At: clock.Now(), Placed: who})
	if err != nil {
		return nil, err
	}
	d := s.live.consult(f, decide)
	switch {
	case d.Verdict.Refuse != nil && d.Verdict.Refuse.asError("to") != nil:
		return nil, d.Verdict.Refuse.asError("to")
	case d.Verdict.Refuse != nil:
		return nil, conflict("to", d.Verdict.Refuse.Text)
	case d.Verdict.Ask != nil:
		return nil, conflict("to", "an extension is needed: number*extension")
	}
	if err := s.order(ctx, row, Order{Transfer: d.Verdict.Second}); err != nil {
		return nil, err
	}
	return s.transferred(ctx, a.AccountID, row, d.Verdict.Second.Number)
}

// transferred writes down whom a call is put through to now. A record is about what the account did: it says so from the order on, also
// while the new side is still being rung.
func (s *Service) transferred(ctx context.Context, account uuid.UUID, row *comms.Call, to string) (*comms.Call, error) {
	err := s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, account); err != nil {
			return err
		}
		n, err := c.Tx().Call.Update().Where(call.ID(row.ID), call.StatusNEQ(call.StatusEnded)).SetSecond(to).Save(ctx)
		if err != nil {
			return fmt.Errorf("store whom a call is put through to: %w", err)
		}
		if n > 0 {
			row.Second = to
			tell(c, comms.CallTransferred, row)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.ownCall(ctx, account, row.ID)
}

// StartRecording records an answered call from now on. One that is recorded already goes on being so.
func (s *Service) StartRecording(ctx context.Context, id uuid.UUID) (r *comms.Recording, err error) {
	a, row, err := s.answered(ctx, id)
	if err != nil {
		return nil, err
	}
	var there bool
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, a.AccountID); err != nil {
			return err
		}
		r, err = c.Tx().Recording.Query().Where(recording.CallID(row.ID), recording.StatusEQ(recording.StatusRecording)).First(ctx)
		if there = err == nil; there {
			return nil
		}
		if !ent.IsNotFound(err) {
			return fmt.Errorf("look for a recording: %w", err)
		}
		live, err := c.Tx().Call.Query().Where(call.ID(row.ID), call.StatusEQ(call.StatusAnswered)).Exist(ctx)
		if err != nil {
			return fmt.Errorf("look for a call: %w", err)
		}
		if !live { // it ended since it was looked at
			return conflict("id", "the call has ended")
		}
		r, err = s.startRecording(ctx, c, row)
		return err
	})
	if err != nil || there {
		return r, err
	}
	if err := s.record(ctx, row.ConversationID, r); err != nil {
		if comms.IsCode(err, comms.NotFound) {
			return nil, conflict("id", "the call has ended")
		}
		return nil, err
	}
	return r, nil
}

// StopRecording ends the recording of a call. Its file is ready a moment later: recording.ready says when.
func (s *Service) StopRecording(ctx context.Context, id uuid.UUID) (*comms.Recording, error) {
	_, row, err := s.controlled(ctx, id)
	if err != nil {
		return nil, err
	}
	running, err := s.in.Read().Recording.Query().Where(recording.CallID(row.ID), recording.StatusEQ(recording.StatusRecording)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for a recording: %w", err)
	}
	if len(running) == 0 {
		return nil, conflict("id", "the call is not being recorded")
	}
	return running[0], s.order(ctx, row, Order{StopRecord: true})
}
