package call

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/number"
	"switchboard/ent/ring"
	"switchboard/ent/sipnumber"
	"switchboard/internal/clock"
)

// ExplainRoute asks what would become of a call.
type ExplainRoute struct {
	From string       // who calls: a number, or that of one of the account's telephones; empty: withheld
	To   string       // what is dialled
	At   clock.Micros // zero: now
}

// Explanation is the verdict that such a call would get, and how it comes to that.
type Explanation struct {
	Verdict
	Record bool
	Steps  []string // sentences, in the order in which things were looked at
}

// ExplainRoute decides of a call that nobody makes, by the same function as of those that are made. Calls that are going on don't count: they
// will be others then.
//
// The caller must be the account's own, or the number that is dialled; and of what other accounts do with their numbers nothing is told.
func (s *Service) ExplainRoute(ctx context.Context, in ExplainRoute) (*Explanation, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	q := question{At: cmp.Or(in.At, clock.Now())}
	q.Dialled = in.To
	if err := s.explainFrom(ctx, a.AccountID, &q, in.From); err != nil {
		return nil, err
	}
	f, err := s.facts(ctx, q)
	if err != nil {
		return nil, err
	}
	to := f.resolve(f.Dialled, f.Caller.Account)
	own := f.Caller.Account == a.AccountID
	unplaced := f.unplaced()
	switch {
	case own && unplaced != nil:
		return &Explanation{Verdict: Verdict{Call: f.Call, Refuse: unplaced},
			Steps: append(f.who(), fmt.Sprintf("refused (%s): %s", unplaced.Why, unplaced.Text))}, nil
	case to.number != nil && to.number.AccountID == a.AccountID:
	case !own:
		return nil, refused(comms.NotFound, "from", "neither side of this call is the account's")
	case to.number != nil:
		return f.elsewhere(to), nil
	}
	idle := newLoad()
	f.Load = &idle
	d := decide(f)
	return &Explanation{Verdict: d.Verdict, Steps: append(f.who(), d.Steps...),
		Record: slices.ContainsFunc(d.Records, func(r *comms.Call) bool { return r.Record })}, nil
}

// who says how the caller appears.
func (f *facts) who() []string {
	switch c := f.Caller; {
	case c.Phone != uuid.Nil:
		return []string{fmt.Sprintf("the caller is the telephone %s", c.Number)}
	case c.Account != uuid.Nil:
		return []string{fmt.Sprintf("the call is placed from %s", c.Rings[0])}
	case c.Number == "":
		return []string{"the caller withholds his number"}
	default:
		return []string{fmt.Sprintf("the caller is %s, who calls from outside", c.Number)}
	}
}

// unplaced says why nothing can be placed from the caller's number, as PlaceCall does; nil: it can, or a telephone calls.
func (f *facts) unplaced() *Refusal {
	if f.Caller.Account == uuid.Nil || f.Caller.Phone != uuid.Nil {
		return nil
	}
	switch n := f.own(f.Caller.Account); {
	case n == nil:
		return &Refusal{Why: WhyDisabled, Text: "the number is switched off"}
	case n.Ability == number.AbilityService:
		return &Refusal{Why: WhyNotAllowed, Text: "the number can be called, but not shown"}
	}
	return nil
}

// elsewhere is all that is told of a call to another account's number.
func (f *facts) elsewhere(to destination) *Explanation {
	_, shown := f.as(to.number.AccountID)
	v := Verdict{Call: f.Call, Second: &Leg{Number: to.called, ShownAs: shown, RingFor: f.Limits.RingFor}, MaxDuration: f.Limits.Longest}
	return &Explanation{Verdict: v, Steps: append(f.who(), fmt.Sprintf("%s is a number of another account, which decides what becomes of its calls", to.called))}
}

// explainFrom finds who calls: a telephone by its own number or by what it is known as, a number of the account, or somebody outside.
func (s *Service) explainFrom(ctx context.Context, account uuid.UUID, q *question, from string) error {
	if from == "" {
		return nil
	}
	d := readDialled(from, s.country)
	if d.digits == "" && d.outside == "" {
		return invalid("from", "from is neither a phone number nor a telephone's")
	}
	phone, err := s.in.Read().SipNumber.Query().Where(sipnumber.AccountID(account), sipnumber.Number(d.digits)).OnlyID(ctx)
	if err == nil {
		q.Phone = phone
		return nil
	}
	if !ent.IsNotFound(err) {
		return fmt.Errorf("find a telephone: %w", err)
	}
	for _, e164 := range d.numbers {
		found, err := s.callsAs(ctx, account, q, e164)
		if err != nil || found {
			return err
		}
	}
	q.From = cmp.Or(d.outside, from)
	return nil
}

// callsAs has a number of the account, or one for which its telephones stand, be the caller: by the telephone whose identity it is, if there is one.
func (s *Service) callsAs(ctx context.Context, account uuid.UUID, q *question, e164 string) (found bool, err error) {
	phones, err := s.in.Read().Ring.Query().Where(ring.Number(e164), ring.HasPhoneWith(sipnumber.AccountID(account))).
		Select(ring.FieldSipNumberID).All(ctx)
	if err != nil {
		return false, fmt.Errorf("find the telephones of a number: %w", err)
	}
	ids := make([]uuid.UUID, len(phones))
	for i, p := range phones {
		ids[i] = p.SipNumberID
	}
	rings, err := s.in.Read().Ring.Query().Where(ring.SipNumberIDIn(ids...)).Order(ring.ByID()).All(ctx)
	if err != nil {
		return false, fmt.Errorf("find the telephones of a number: %w", err)
	}
	first := map[uuid.UUID]bool{}
	for _, r := range rings {
		if !first[r.SipNumberID] && r.Number == e164 {
			q.Phone = r.SipNumberID
			return true, nil
		}
		first[r.SipNumberID] = true
	}
	ours, err := s.in.Read().Number.Query().Where(number.AccountID(account), number.Number(e164)).Exist(ctx)
	if err != nil {
		return false, fmt.Errorf("find the caller's number: %w", err)
	}
	if !ours {
		return false, nil
	}
	plan, err := s.accountPlan(ctx, account)
	q.Placed = &caller{Account: account, Plan: plan, Rings: []string{e164}}
	return true, err
}
