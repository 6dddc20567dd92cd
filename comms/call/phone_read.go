package call

import (
	"context"
	"fmt"
	"slices"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/contact"
	"switchboard/ent/ring"
	"switchboard/ent/sipnumber"
	"switchboard/internal/clock"
)

// SipNumber is one of the caller's telephones.
func (s *Service) SipNumber(ctx context.Context, id uuid.UUID) (*comms.SipNumber, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	phone, err := s.in.Read().SipNumber.Query().Where(sipnumber.ID(id), sipnumber.AccountID(a.AccountID)).Only(ctx)
	if err != nil {
		return nil, noPhone(err)
	}
	return phone, nil
}

// SipPassword is a telephone's password, to be shown to its owner again.
func (s *Service) SipPassword(ctx context.Context, id uuid.UUID) (string, error) {
	if _, err := comms.Demand(ctx, comms.WriteNumbers); err != nil { // who may read what there is may not call in its name
		return "", err
	}
	phone, err := s.SipNumber(ctx, id)
	if err != nil {
		return "", err
	}
	password, err := s.in.Open(comms.PhonePasswordOf(phone.Number), phone.PasswordSealed)
	return string(password), err
}

// SipNumbers lists the caller's telephones, oldest first.
func (s *Service) SipNumbers(ctx context.Context, p comms.Page) (*comms.PageOf[*comms.SipNumber], error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	return comms.PageOfRows(ctx, s.in, p, comms.Rows[*comms.SipNumber]{Name: 'p',
		Place: func(n *comms.SipNumber) (clock.Micros, uuid.UUID) { return n.CreatedAt, n.ID },
		Read: func(ctx context.Context, where, order func(*sql.Selector), limit int) ([]*comms.SipNumber, error) {
			return s.in.Read().SipNumber.Query().Where(sipnumber.AccountID(a.AccountID), where).Order(order).Limit(limit).All(ctx)
		}})
}

// CountSipNumbers is how many telephones the caller has.
func (s *Service) CountSipNumbers(ctx context.Context) (int, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return 0, err
	}
	return s.in.Read().SipNumber.Query().Where(sipnumber.AccountID(a.AccountID)).Count(ctx)
}

// PhoneState is what a telephone's own row doesn't say.
type PhoneState struct {
	Rings    []string         // the numbers that it rings for, in E.164
	Contacts []*comms.Contact // where it can be reached now, oldest first
}

// Registered tells whether the telephone can be reached.
func (p *PhoneState) Registered() bool { return len(p.Contacts) > 0 }

// PhonesOf says of those ids that are the caller's telephones what they ring for and where they are registered, in two statements for all.
func (s *Service) PhonesOf(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*PhoneState, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]*PhoneState, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	mine := sipnumber.AccountID(a.AccountID)
	phones, err := s.in.Read().SipNumber.Query().Where(mine, sipnumber.IDIn(ids...)).WithRings(sortedRings).
		WithContacts(func(q *ent.ContactQuery) {
			q.Where(contact.ExpiresAtGT(clock.Now())).Order(contact.ByCreatedAt(), contact.ByID())
		}).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read telephones: %w", err)
	}
	for _, p := range phones {
		out[p.ID] = &PhoneState{Rings: ringsOf(p), Contacts: p.Edges.Contacts}
	}
	return out, nil
}

// sortedRings reads them in the order in which they were given: the first is what the telephone shows when it calls.
func sortedRings(q *ent.RingQuery) { q.Order(ring.ByID()) }

func ringsOf(p *comms.SipNumber) []string {
	out := make([]string, len(p.Edges.Rings))
	for i, r := range p.Edges.Rings {
		out[i] = r.Number
	}
	return out
}

// forgetRings takes a number that goes from the account's telephones that ring for it: as somebody else's it would be one that they only
// stand for, and it is nobody's.
func (s *Service) forgetRings(ctx context.Context, c *comms.Change, n *comms.Number) (after func(context.Context), err error) {
	phones, err := c.Tx().SipNumber.Query().Where(sipnumber.AccountID(n.AccountID), sipnumber.HasRingsWith(ring.Number(n.Number))).
		WithRings(sortedRings).Order(sipnumber.ByCreatedAt(), sipnumber.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for telephones: %w", err)
	}
	for _, p := range phones {
		left := slices.DeleteFunc(ringsOf(p), func(number string) bool { return number == n.Number })
		if p.Edges.Rings, err = s.in.PutRings(ctx, c, p.ID, left); err != nil {
			return nil, err
		}
		s.tellPhone(c, comms.PhoneUpdated, p)
	}
	return nil, nil
}
