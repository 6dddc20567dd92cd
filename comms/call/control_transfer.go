package call

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// Transfer asks for the second side of an answered call to be replaced.
type Transfer struct {
	Call uuid.UUID
	To   string
}

// transferring is a transfer whose new side is being rung.
type transferring struct {
	account, row uuid.UUID // whose transfer it is, and its record
	to           string    // as the account knows it
}

// Transfer puts the first side of an answered call through to somebody else, who sees the number that the call is about. Whether he answers
// CallTransferred says.
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
	q := question{RouteCall: RouteCall{Dialled: in.To}, At: clock.Now(), Placed: who}
	f, err := s.facts(ctx, q)
	if err != nil {
		return nil, err
	}
	// Before the order: the new side may answer before that returns.
	t := &transferring{account: a.AccountID, row: row.ID, to: f.called()}
	if !s.live.transferring(row.ConversationID, t) {
		return nil, conflict("id", "the call is being transferred already")
	}
	d := s.live.admit(f, q, joining)
	if err := s.join(ctx, row, d); err != nil {
		s.live.transferOver(row.ConversationID, t)
		return nil, err
	}
	return s.ownCall(ctx, a.AccountID, row.ID)
}

// CallTransferred reports what became of an ordered transfer: the new side has taken the second one's place, or (why is not empty) it has
// not, and the two talk on. Only now the record names whom the call is put through to.
func (s *Service) CallTransferred(ctx context.Context, id uuid.UUID, why Why) error {
	t := s.live.transfer(id)
	if t == nil {
		return nil
	}
	if why == "" {
		if err := s.transferred(ctx, id, t); err != nil {
			return err
		}
	}
	s.live.transferOver(id, t)
	return nil
}

func (s *Service) transferred(ctx context.Context, id uuid.UUID, t *transferring) error {
	_, done := s.live.inTurn(id)
	defer done()
	return s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, t.account); err != nil {
			return err
		}
		n, err := c.Tx().Call.Update().Where(call.ID(t.row), call.StatusNEQ(call.StatusEnded)).SetSecond(t.to).SetTransferred(true).Save(ctx)
		if err != nil {
			return fmt.Errorf("store whom a call is put through to: %w", err)
		}
		if n == 0 {
			return nil
		}
		row, err := c.Tx().Call.Get(ctx, t.row)
		if err != nil {
			return fmt.Errorf("read a call: %w", err)
		}
		tell(c, comms.CallTransferred, row)
		return nil
	})
}
