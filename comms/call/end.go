package call

import (
	"context"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// CallEnded reports that a call is over. The first report counts; when it returns without an error the end is written down.
func (s *Service) CallEnded(ctx context.Context, id uuid.UUID, end End) error {
	end = s.live.ending(id, end)
	_, err := s.move(ctx, id, turn{report: hasEnded, end: end, also: s.tellEnd})
	for try := 0; try < 3 && comms.TakenMessageID(err); try++ {
		_, err = s.move(ctx, id, turn{report: hasEnded, end: end, also: s.tellEnd})
	}
	if err != nil {
		return err // the registry keeps it: the watchdog tries again
	}
	s.live.drop(id)
	return nil
}

// tellEnd has a call that is over become a record, and its number learn that nobody took it.
func (s *Service) tellEnd(ctx context.Context, c *comms.Change, rows []*comms.Call) error {
	if s.ended != nil {
		if err := s.ended(ctx, c, rows); err != nil {
			return err
		}
	}
	return s.tellMissed(ctx, c, rows)
}

// tellMissed leaves a message with each number whose call nobody took.
func (s *Service) tellMissed(ctx context.Context, c *comms.Change, rows []*comms.Call) error {
	for _, row := range rows {
		if row.Direction != call.DirectionIncoming || row.NumberID == nil {
			continue
		}
		switch *row.Outcome {
		case call.OutcomeMissed, call.OutcomeBusy, call.OutcomeCancelled:
			if err := s.in.MissedCall(ctx, c, *row.NumberID, row.Peer); err != nil {
				return err
			}
		}
	}
	return nil
}

// became is what a call has become once it is over.
type became struct {
	outcome call.Outcome
	seconds int // of conversation
}

// outcomes are what calls become that were never answered. What is not here failed.
var outcomes = map[Why]call.Outcome{
	WhyNoAnswer: call.OutcomeMissed, WhyDeclined: call.OutcomeMissed,
	WhyBusy:    call.OutcomeBusy,
	WhyBlocked: call.OutcomeBlocked, WhyStranger: call.OutcomeBlocked, WhyExpired: call.OutcomeBlocked, WhyDirection: call.OutcomeBlocked,
	WhyCancelled: call.OutcomeCancelled,
}

// becomes is what an end makes of a call, for all its records alike: an answered one was answered, however it ended.
func becomes(rows []*comms.Call, end End, now clock.Micros) became {
	incoming := false
	for _, r := range rows {
		if r.AnsweredAt != nil {
			return became{call.OutcomeAnswered, int(max(0, now.Sub(*r.AnsweredAt)) / time.Second)}
		}
		incoming = incoming || r.Direction == call.DirectionIncoming
	}
	if end.Why == WhyUnreachable && incoming { // a number of ours was called, and nobody was there; elsewhere it is the network that failed
		return became{outcome: call.OutcomeMissed}
	}
	if o, ok := outcomes[end.Why]; ok {
		return became{outcome: o}
	}
	return became{outcome: call.OutcomeFailed}
}
