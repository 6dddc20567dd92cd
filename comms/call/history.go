package call

import (
	"context"
	"fmt"
	"slices"

	"entgo.io/ent/dialect/sql"

	"switchboard/comms"
	"switchboard/ent/call"
)

// History says which part of the calls to the caller's numbers to give.
type History struct {
	Status        string // answered, missed or blocked; "" or "all": whatever became of them
	Limit, Offset int    // Limit 1 to 500
}

// CallRow is a call with the number that it was for. Outcome is answered, missed or blocked: a caller who found the line busy, gave up or
// could not be put through was missed too.
type CallRow struct {
	Call                   *comms.Call
	Number, Alias, Outcome string
}

var notTaken = []call.Outcome{call.OutcomeMissed, call.OutcomeBusy, call.OutcomeCancelled, call.OutcomeFailed}

// CallHistory lists the calls that the caller's numbers received and that have ended, newest first, and tells how many there are in all.
func (s *Service) CallHistory(ctx context.Context, h History) (rows []*CallRow, total int, err error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return nil, 0, err
	}
	if h.Limit < 1 || h.Limit > 500 {
		return nil, 0, invalid("limit", "limit must be 1 to 500")
	}
	if h.Offset < 0 {
		return nil, 0, invalid("offset", "offset must not be negative")
	}
	q := s.in.Read().Call.Query().Where(call.AccountID(a.AccountID), call.DirectionEQ(call.DirectionIncoming))
	switch h.Status {
	case "", "all":
		q.Where(call.StatusEQ(call.StatusEnded))
	case "answered", "blocked":
		q.Where(call.OutcomeEQ(call.Outcome(h.Status)))
	case "missed":
		q.Where(call.OutcomeIn(notTaken...))
	default:
		return nil, 0, invalid("status", "status must be answered, missed, blocked or all")
	}
	if total, err = q.Clone().Count(ctx); err != nil {
		return nil, 0, fmt.Errorf("count calls: %w", err)
	}
	newest := sql.OrderDesc()
	calls, err := q.WithVirtual().Order(call.ByCreatedAt(newest), call.ByID(newest)).Limit(h.Limit).Offset(h.Offset).All(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("read calls: %w", err)
	}
	for _, c := range calls {
		if n := c.Edges.Virtual; n != nil { // nil: deleted between the two statements, and its calls with it
			rows = append(rows, &CallRow{Call: c, Number: n.Number, Alias: n.Alias, Outcome: shortOutcome(*c.Outcome)})
		}
	}
	return rows, total, nil
}

// shortOutcome is one of the three that the history tells apart.
func shortOutcome(o call.Outcome) string {
	if slices.Contains(notTaken, o) {
		return string(call.OutcomeMissed)
	}
	return string(o)
}
