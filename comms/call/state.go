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
	known, done := s.live.inTurn(id)
	defer done()
	var at clock.Micros
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		// The accounts are locked for their logs anyway. Taken first they also make the reports of one call follow each other, and whoever deletes
		// its number.
		if err := s.in.Lock(ctx, c, accounts...); err != nil {
			return err
		}
		at = c.Now()
		moved, err = s.advance(ctx, c, id, copies(known), t)
		return err
	})
	if err != nil {
		return nil, err // whether it was committed is not known for sure: the records are read the next time
	}
	switch {
	case len(moved) == 0: // late, or doubled
		s.live.hold(id, known)
	case t.report != hasEnded:
		s.live.moved(id, steps[t.report].to, at)
		s.live.hold(id, moved)
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

// advance does a step in its change, and gives the records that moved. The caller holds the accounts' locks. Records that are not known are read.
func (s *Service) advance(ctx context.Context, c *comms.Change, id uuid.UUID, rows []*comms.Call, t turn) (moved []*comms.Call, err error) {
	to := steps[t.report]
	if len(rows) == 0 {
		rows, err = c.Tx().Call.Query().Where(call.ConversationID(id), call.StatusIn(to.from...)).Order(call.ByID()).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read a call: %w", err)
		}
	}
	become(rows, t, c.Now())
	for _, row := range rows {
		there, err := s.write(ctx, c, t.report, row)
		if err != nil {
			return nil, err
		}
		if there {
			moved = append(moved, row)
			tell(c, to.kind, row)
		}
	}
	if len(moved) > 0 && t.also != nil {
		return moved, t.also(ctx, c, moved)
	}
	return moved, nil
}
