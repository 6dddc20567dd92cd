package call

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// mostTries is how often a caller is asked for digits that lead nowhere.
const mostTries = 3

// RouteDigits decides how a call goes on whose caller was asked for digits; empty: none came. Digits that lead nowhere are asked for again.
func (s *Service) RouteDigits(ctx context.Context, id uuid.UUID, digits string) (*Verdict, error) {
	q, tries, ok := s.live.asked(id)
	if !ok {
		return nil, comms.Refused(comms.Conflict, "call", comms.ReasonNone, "this call waits for no digits")
	}
	asked := q.Dialled
	q.Call, q.At = id, clock.Now()
	if allDigits(digits) {
		q.Dialled += "*" + digits
	}
	f, err := s.facts(ctx, q)
	if err != nil {
		return nil, err
	}
	q.Dialled = asked
	d := s.live.admit(f, q, func(f *facts) *decision { return again(f, tries) })
	there, err := s.goOn(ctx, d)
	if err != nil {
		return nil, err
	}
	if !there { // the caller has given up meanwhile
		s.live.drop(id)
		d.refuse(WhyCancelled, "the call has ended")
	}
	return &d.Verdict, nil
}

// again decides anew, now that there are digits. Wrong ones are no reason to end the call while the caller may try once more.
func again(f *facts, tries int) *decision {
	d := decide(f)
	switch r := d.Verdict.Refuse; {
	case r != nil && r.Why == WhyNoSuch && f.Mask != nil && tries < mostTries:
		f.Dialled.extension = ""
		return decide(f)
	case d.Verdict.Ask != nil && tries >= mostTries:
		return d.refuse(WhyNoSuch, "the caller said too often nothing, or what leads nowhere")
	}
	return d
}

// goOn writes down where the digits lead a call. What there is of it is kept: the number of ours that was dialled has its record since then.
// It tells whether the call is still there.
func (s *Service) goOn(ctx context.Context, d *decision) (alive bool, err error) {
	if d.Verdict.Second == nil {
		return true, nil
	}
	_, done := s.live.inTurn(d.Verdict.Call)
	defer done()
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, accountsOf(d.Records)...); err != nil {
			return err
		}
		there, err := c.Tx().Call.Query().Where(call.ConversationID(d.Verdict.Call), call.StatusNEQ(call.StatusEnded)).All(ctx)
		if err != nil {
			return fmt.Errorf("read a call: %w", err)
		}
		if alive = len(there) > 0; !alive {
			return nil
		}
		var fresh []*comms.Call
		for _, r := range d.Records {
			old := sameSide(there, r)
			if old == nil {
				fresh = append(fresh, r)
				continue
			}
			err := c.Tx().Call.UpdateOneID(old.ID).SetSecond(r.Second).SetRecord(r.Record).SetNillableMaskID(r.MaskID).
				SetNillableApplicationID(r.ApplicationID).SetUserData(r.UserData).Exec(ctx)
			if err != nil {
				return fmt.Errorf("store whom a call is put through to: %w", err)
			}
		}
		if _, err := s.advance(ctx, c, d.Verdict.Call, nil, turn{report: wasDialled}); err != nil {
			return err
		}
		return s.insert(ctx, c, fresh, call.StatusDialling)
	})
	return alive, err
}

// sameSide is the record of the same number, or of the same account without one.
func sameSide(rows []*comms.Call, like *comms.Call) *comms.Call {
	for _, r := range rows {
		if r.AccountID == like.AccountID && r.Direction == like.Direction && (r.NumberID == nil) == (like.NumberID == nil) &&
			(r.NumberID == nil || *r.NumberID == *like.NumberID) {
			return r
		}
	}
	return nil
}
