package call

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// held are the records of a call as they are in the store, so that a report need not read them: half of what one costs. They are right
// because who holds a call alone changes its records, one after another; what others do (a number is deleted, a watchdog of another process
// ends a call that it takes for lost) takes a record out of those that can still move, and the update of that record then finds nothing.
type held struct {
	turn sync.Mutex    // whoever changes the records has it until that is committed; it is taken outside of changes
	rows []*comms.Call // nil: they are to be read
}

// hold keeps the records of a call that were just stored.
func (r *registry) hold(id uuid.UUID, rows []*comms.Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.calls[id]; l != nil {
		l.held.rows = copies(rows)
	}
}

// inTurn waits until nobody else changes the records of a call. The records are there where they are known, and not known any more: who has
// the turn holds them again if he knows what he made of them.
func (r *registry) inTurn(id uuid.UUID) (rows []*comms.Call, done func()) {
	r.mu.Lock()
	l := r.calls[id]
	r.mu.Unlock()
	if l == nil {
		return nil, func() {}
	}
	l.held.turn.Lock()
	r.mu.Lock()
	defer r.mu.Unlock()
	rows, l.held.rows = l.held.rows, nil
	return rows, l.held.turn.Unlock
}

func copies(rows []*comms.Call) []*comms.Call {
	out := make([]*comms.Call, len(rows))
	for i, row := range rows {
		then := *row
		out[i] = &then
	}
	return out
}

// moves are the statements of the table of states, for one record each.
var moves = map[report]string{
	wasDialled:  moving("dialled_at=$2", wasDialled),
	hasRung:     moving("ringing_at=$2", hasRung),
	wasAnswered: moving("answered_at=$2", wasAnswered),
	hasEnded:    moving("ended_at=$2,outcome=$3,duration=$4,reason=$5,sip_status=$6,cause=$7", hasEnded),
}

func moving(set string, r report) string {
	last := 3
	if r == hasEnded {
		last = 8
	}
	from := ""
	for i, status := range steps[r].from {
		if i > 0 {
			from += ","
		}
		from += "'" + string(status) + "'"
	}
	return fmt.Sprintf("UPDATE %s SET status=$1,%s WHERE id=$%d AND status IN (%s)", call.Table, set, last, from)
}

// write takes one record a step on, unless it can't move any more. The record given says already what it becomes.
func (s *Service) write(ctx context.Context, c *comms.Change, r report, row *comms.Call) (moved bool, err error) {
	args := append(make([]any, 0, 8), string(row.Status), int64(c.Now()))
	if r == hasEnded {
		args = append(args, string(*row.Outcome), int64(row.Duration), row.Reason, int64(row.SipStatus), int64(row.Cause))
	}
	res, err := c.Tx().ExecContext(ctx, moves[r], append(args, row.ID)...)
	if err != nil {
		return false, fmt.Errorf("store what became of a call: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("store what became of a call: %w", err)
	}
	return n > 0, nil
}

// become changes records as a report says.
func become(rows []*comms.Call, t turn, now clock.Micros) {
	b := becomes(rows, t.end, now)
	for _, row := range rows {
		row.Status = steps[t.report].to
		switch t.report {
		case wasDialled:
			row.DialledAt = &now
		case hasRung:
			row.RingingAt = &now
		case wasAnswered:
			row.AnsweredAt = &now
		case hasEnded:
			row.EndedAt, row.Outcome, row.Duration = &now, &b.outcome, b.seconds
			row.Reason, row.SipStatus, row.Cause = string(t.end.Why), t.end.Status, t.end.Cause
		}
	}
}
