package call

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// report is what is said of a call that lives.
type report uint8

const (
	wasDialled  report = iota // the second side is being called
	hasRung                   // it rings there
	wasAnswered               // both sides hear each other
	hasEnded
)

// step is a line of the table of states: what a report makes of a call.
type step struct {
	to   call.Status
	kind comms.Kind
	from []call.Status // in any other status the report is late, or doubled, and changes nothing
}

// steps is the table through which every call moves. It never goes back, so reports may come in any order, late and twice; whatever they do
// a call ends once, because nothing leads out of ended.
var steps = map[report]step{
	wasDialled:  {call.StatusDialling, comms.CallDialled, []call.Status{call.StatusQueued}},
	hasRung:     {call.StatusRinging, comms.CallRang, []call.Status{call.StatusQueued, call.StatusDialling}},
	wasAnswered: {call.StatusAnswered, comms.CallAnswered, []call.Status{call.StatusQueued, call.StatusDialling, call.StatusRinging}},
	hasEnded: {call.StatusEnded, comms.CallEnded, []call.Status{call.StatusQueued, call.StatusDialling, call.StatusRinging,
		call.StatusAnswered}},
}

// turn is a report that is being written down.
type turn struct {
	report report
	end    End                                                                  // of hasEnded
	also   func(ctx context.Context, c *comms.Change, rows []*comms.Call) error // is done in the same change, if anything moved; nil: nothing
}

// CallRinging reports that the callee is being rung.
func (s *Service) CallRinging(ctx context.Context, id uuid.UUID) error {
	_, err := s.move(ctx, id, turn{report: hasRung})
	return err
}

// move takes a call a step on, if the table has one for it, and gives the records that moved.
func (s *Service) move(ctx context.Context, id uuid.UUID, t turn) (moved []*comms.Call, err error) {
	accounts, err := s.accountsIn(ctx, id)
	if err != nil || len(accounts) == 0 {
		return nil, err
	}
	var at clock.Micros
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		// The accounts are locked for their logs anyway. Taken first they also make the reports of one call follow each other, and whoever deletes
		// its number.
		if err := s.in.Lock(ctx, c, accounts...); err != nil {
			return err
		}
		at = c.Now()
		moved, err = s.advance(ctx, c, id, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(moved) > 0 && t.report != hasEnded {
		s.live.moved(id, steps[t.report].to, at)
	}
	return moved, nil
}

// accountsIn are the accounts that have records of a call.
func (s *Service) accountsIn(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	if held := s.live.accountsOf(id); len(held) > 0 {
		return held, nil
	}
	rows, err := s.in.Read().Call.Query().Where(call.ConversationID(id)).Select(call.FieldAccountID).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("find a call: %w", err)
	}
	return accountsOf(rows), nil
}

// advance does a step in its change. The caller holds the accounts' locks.
func (s *Service) advance(ctx context.Context, c *comms.Change, id uuid.UUID, t turn) ([]*comms.Call, error) {
	to := steps[t.report]
	mine := call.And(call.ConversationID(id), call.StatusIn(to.from...))
	rows, err := c.Tx().Call.Query().Where(mine).Order(call.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read a call: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	now := c.Now()
	u := c.Tx().Call.Update().Where(mine).SetStatus(to.to)
	became := becomes(rows, t.end, now)
	for _, row := range rows {
		row.Status = to.to
		switch t.report {
		case wasDialled:
			row.DialledAt = &now
		case hasRung:
			row.RingingAt = &now
		case wasAnswered:
			row.AnsweredAt = &now
		case hasEnded:
			row.EndedAt, row.Outcome, row.Duration = &now, &became.outcome, became.seconds
			row.Reason, row.SipStatus, row.Cause = string(t.end.Why), t.end.Status, t.end.Cause
		}
	}
	switch t.report {
	case wasDialled:
		u.SetDialledAt(now)
	case hasRung:
		u.SetRingingAt(now)
	case wasAnswered:
		u.SetAnsweredAt(now)
	case hasEnded:
		u.SetEndedAt(now).SetOutcome(became.outcome).SetDuration(became.seconds).SetReason(string(t.end.Why)).SetSipStatus(t.end.Status).
			SetCause(t.end.Cause)
	}
	if err := u.Exec(ctx); err != nil {
		return nil, fmt.Errorf("store what became of a call: %w", err)
	}
	for _, row := range rows {
		tell(c, to.kind, row)
	}
	if t.also != nil {
		return rows, t.also(ctx, c, rows)
	}
	return rows, nil
}
