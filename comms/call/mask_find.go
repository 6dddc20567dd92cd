package call

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/mask"
	"switchboard/ent/maskparty"
	"switchboard/ent/number"
	"switchboard/ent/predicate"
	"switchboard/internal/clock"
)

// maskHit is what the masks on one number (X) say of one caller. Time decides, not the sweep: a mask whose expiry has passed is ended here
// even while its row does not say so yet.
type maskHit struct {
	Mask    *comms.Mask // the live mask of (X, caller); nil: there is none
	Peer    string      // the party that the caller reaches through it; empty where he says whom himself (AX) or dials on (AXE)
	ShownAs string      // what Peer sees: X, or the number that Peer would dial itself (AXYB)
	Against bool        // Mask lets only the other side call
	Ended   bool        // there is no live one, but the caller had a mask on X
	Rests   bool        // and it ended only lately: he still knows X as the way to somebody else
	Anybody *comms.Mask // the AX mask of X: whoever is no party reaches its first party
	Dial    bool        // X has AXE masks: an extension says who is meant
	Masked  bool        // X has masks, or had some, or belongs to an application's pool
}

// holds is a mask that holds at that time, which may be any: rows of masks that have ended are kept for a while.
func holds(at clock.Micros) predicate.Mask {
	return mask.And(mask.CreatedAtLTE(at), mask.Or(mask.EndedAtIsNil(), mask.EndedAtGT(at)), mask.Or(mask.ExpiresAtIsNil(), mask.ExpiresAtGT(at)))
}

// ended tells whether a mask is over at that time.
func ended(m *comms.Mask, now clock.Micros) bool {
	return m.EndedAt != nil && *m.EndedAt <= now || m.ExpiresAt != nil && *m.ExpiresAt <= now
}

// maskAt is what holds for a caller of x. A caller who withholds his number ("") is nobody's party.
func (s *Service) maskAt(ctx context.Context, x *comms.Number, caller string, now clock.Micros) (*maskHit, error) {
	hit := &maskHit{}
	if caller != "" {
		if err := s.maskOf(ctx, hit, x, caller, now); err != nil {
			return nil, err
		}
	}
	if hit.Peer != "" { // whom else the number serves is no matter to him: facts.through
		hit.Masked = true
		return hit, nil
	}
	db := s.in.Read()
	// One is enough: a number has AXE masks or one AX mask, never both.
	served, err := db.MaskParty.Query().Where(maskparty.NumberID(x.ID), maskparty.ExtensionNotNil(), maskparty.FreedAtIsNil(),
		maskparty.HasMaskWith(holds(now))).WithMask().First(ctx)
	switch {
	case ent.IsNotFound(err):
	case err != nil:
		return nil, fmt.Errorf("look for the masks of a number: %w", err)
	case served.Edges.Mask.Kind == mask.KindAx:
		hit.Anybody = served.Edges.Mask
	default:
		hit.Dial = true
	}
	if hit.Masked = hit.Mask != nil || hit.Ended || served != nil; hit.Masked {
		return hit, nil
	}
	hit.Masked, err = db.Number.Query().Where(number.ID(x.ID), number.Or(number.HasMaskParties(), number.HasApplications())).Exist(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for what a number serves: %w", err)
	}
	return hit, nil
}

// maskOf fills in what the caller himself has on x: his newest row there tells, because a freed one is older than the one that took its place.
func (s *Service) maskOf(ctx context.Context, hit *maskHit, x *comms.Number, caller string, now clock.Micros) error {
	m, freed, err := s.lastMask(ctx, x.ID, caller, now)
	if err != nil || m == nil {
		return err
	}
	if freed != nil && *freed <= now || ended(m, now) {
		hit.Ended = true
		lately := now.Add(-s.masks.rest)
		hit.Rests = (freed == nil || *freed > lately) && !ended(m, lately)
		return nil
	}
	hit.Mask, hit.ShownAs = m, x.Number
	switch m.Kind {
	case mask.KindAxb, mask.KindAxyb:
		first := m.First == caller
		if hit.Peer = m.First; first {
			hit.Peer = m.Second
		}
		hit.Against = m.Direction == mask.DirectionFirst && !first || m.Direction == mask.DirectionSecond && first
	case mask.KindAx, mask.KindAxe:
		return nil
	}
	if m.Kind == mask.KindAxyb {
		return s.showOther(ctx, hit, x)
	}
	return nil
}

// lastMask is the mask of a party's newest row on a number; nil: it has none. The statement is written out because most calls to masked numbers
// need no other.
func (s *Service) lastMask(ctx context.Context, x uuid.UUID, caller string, now clock.Micros) (m *comms.Mask, freed *clock.Micros, err error) {
	rows, err := s.in.Read().QueryContext(ctx, `SELECT p.freed_at, m.id, m.account_id, m.application_id, m.number_id, m.second_number_id, m.kind,
 m.first, m.second, m.direction, m.extension, m.record, m.user_data, m.created_at, m.expires_at, m.ended_at
 FROM mask_parties p JOIN masks m ON m.id = p.mask_id WHERE p.number_id = $1 AND p.party = $2 AND m.created_at <= $3 ORDER BY p.id DESC LIMIT 1`,
		x, caller, int64(now))
	if err != nil {
		return nil, nil, fmt.Errorf("look for a caller's mask: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		m = &comms.Mask{}
		if err := rows.Scan(&freed, &m.ID, &m.AccountID, &m.ApplicationID, &m.NumberID, &m.SecondNumberID, (*string)(&m.Kind), &m.First, &m.Second,
			(*string)(&m.Direction), &m.Extension, &m.Record, &m.UserData, &m.CreatedAt, &m.ExpiresAt, &m.EndedAt); err != nil {
			return nil, nil, fmt.Errorf("look for a caller's mask: %w", err)
		}
	}
	return m, freed, rows.Err()
}

// showOther finds the other number of an AXYB mask: each party sees the number that it would dial itself, never the one that the other dials.
func (s *Service) showOther(ctx context.Context, hit *maskHit, x *comms.Number) error {
	other := hit.Mask.NumberID
	if other == x.ID && hit.Mask.SecondNumberID != nil {
		other = *hit.Mask.SecondNumberID
	}
	n, err := s.in.Read().Number.Get(ctx, other)
	if err != nil {
		return fmt.Errorf("read the other number of a mask: %w", err)
	}
	hit.ShownAs = n.Number
	return nil
}

// maskExtension is the live AXE mask that has the extension on x; nil: there is none.
func (s *Service) maskExtension(ctx context.Context, x *comms.Number, extension string, now clock.Micros) (*comms.Mask, error) {
	row, err := s.in.Read().MaskParty.Query().Where(maskparty.NumberID(x.ID), maskparty.Extension(extension), maskparty.FreedAtIsNil(),
		maskparty.HasMaskWith(holds(now), mask.KindEQ(mask.KindAxe))).WithMask().Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an extension: %w", err)
	}
	return row.Edges.Mask, nil
}
