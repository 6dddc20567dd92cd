package call

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
)

// joining decides of a new side for a call that there is. It counts as a new call: who may make few could otherwise call one number after
// the other with a single one. Whoever is called has a record of it; the account that transfers has that of the call already.
func joining(f *facts) *decision {
	d := decide(f)
	if d.Verdict.Ask != nil {
		d.refuse(WhyUnreachable, "an extension is needed: number*extension")
	}
	d.Records = slices.DeleteFunc(d.Records, func(r *comms.Call) bool {
		own := r.AccountID == f.Caller.Account && r.Direction == call.DirectionOutgoing
		if own && r.NumberID != nil { // its place among the number's calls is that of the call
			d.Numbers = slices.DeleteFunc(d.Numbers, func(n uuid.UUID) bool { return n == *r.NumberID })
		}
		return own
	})
	if len(d.Records) > 0 {
		d.Records[0].ID = f.Call
	}
	return d
}

// join has the engine ring the new side. Its records are there before that: what is reported of it finds them.
func (s *Service) join(ctx context.Context, row *comms.Call, d *decision) error {
	id := d.Verdict.Call
	if r := d.Verdict.Refuse; r != nil {
		s.live.drop(id)
		return cmp.Or(r.asError("to"), conflict("to", r.Text))
	}
	if err := s.open(ctx, d); err != nil {
		s.live.drop(id)
		return err
	}
	if err := s.order(ctx, row, Order{Transfer: d.Verdict.Second, Joins: id}); err != nil {
		return errors.Join(err, s.CallEnded(context.WithoutCancel(ctx), id, End{Why: WhyFailed, By: ByUs}))
	}
	return nil
}
