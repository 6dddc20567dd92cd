package call

import (
	"context"
	"fmt"

	"switchboard/comms"
	"switchboard/ent/call"
)

// forgetCalls ends the live calls of a number that is being deleted. Their records go with the number, so the end is told in the change that
// takes them: whoever watches such a call hears that it is over. The sides are hung up once that is committed.
func (s *Service) forgetCalls(ctx context.Context, c *comms.Change, n *comms.Number) (after func(context.Context), err error) {
	rows, err := c.Tx().Call.Query().Where(call.NumberID(n.ID), call.EndedAtIsNil()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the live calls of a number: %w", err)
	}
	end, now := End{Why: WhyDeleted, By: ByUs}, c.Now()
	for _, row := range rows {
		b := becomes([]*comms.Call{row}, end, now)
		row.Status, row.EndedAt, row.Outcome, row.Duration, row.Reason = call.StatusEnded, &now, &b.outcome, b.seconds, string(end.Why)
		tell(c, comms.CallEnded, row)
	}
	return func(ctx context.Context) {
		for _, id := range s.live.with(n.ID) {
			s.orders.Go(func() {
				ctx := context.WithoutCancel(ctx)
				s.orderEnd(ctx, id, end)
				if err := s.CallEnded(ctx, id, end); err != nil {
					s.in.Log().ErrorContext(ctx, "end the call of a deleted number", "call", id, "error", err)
				}
			})
		}
	}, nil
}
