package call

import (
	"context"
	"fmt"
	"slices"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/application"
	"switchboard/ent/mask"
	"switchboard/ent/maskparty"
	"switchboard/ent/number"
	"switchboard/ent/predicate"
	"switchboard/ent/ring"
	"switchboard/internal/clock"
)

// seat is a place that a mask needs on a number of ours: for these parties.
type seat struct {
	field   string // of MaskNumbers, for what is refused
	named   uuid.UUID
	parties []string
	not     uuid.UUID // the number that the mask has already
}

// seats are the places that the mask needs: X for both parties, or X for the first and Y for the second.
func (w *maskWish) seats() []seat {
	switch w.kind {
	case mask.KindAxyb:
		return []seat{{field: "numberId", named: w.x, parties: []string{w.first}, not: w.y},
			{field: "secondNumberId", named: w.y, parties: []string{w.second}}}
	case mask.KindAxb:
		return []seat{{field: "numberId", named: w.x, parties: []string{w.first, w.second}}}
	default:
		return []seat{{field: "numberId", named: w.x, parties: []string{w.first}}}
	}
}

// choose finds the number for a seat.
func (s *Service) choose(ctx context.Context, c *comms.Change, w *maskWish, at seat) (*comms.Number, error) {
	if at.named != uuid.Nil {
		return s.takeNamed(ctx, c, w, at)
	}
	o, err := s.occupied(ctx, c, w, at)
	if err != nil {
		return nil, err
	}
	fit := append(w.fitting(c.Now().Add(-s.masks.rest)), number.NumberNotIn(w.first, w.second), number.IDNEQ(at.not), number.Disabled(false))
	if w.area != "" {
		fit = append(fit, inArea(w.area))
	}
	n, err := c.Tx().Number.Query().Where(fit...).Where(number.IDNotIn(o.ids()...)).Order(w.drawn()...).First(ctx)
	if ent.IsNotFound(err) && w.anyhow {
		n, err = o.longestRested(ctx, c, fit)
	}
	if ent.IsNotFound(err) {
		return nil, comms.Refused(comms.Conflict, at.field, comms.ReasonNoNumberFree, "no number is free for these parties")
	}
	if err != nil {
		return nil, fmt.Errorf("look for a free number: %w", err)
	}
	return n, nil
}

// takeNamed is the number that was named, if it can tell the parties apart.
func (s *Service) takeNamed(ctx context.Context, c *comms.Change, w *maskWish, at seat) (*comms.Number, error) {
	n, err := c.Tx().Number.Query().Where(number.ID(at.named)).Where(w.own()...).Only(ctx)
	switch {
	case ent.IsNotFound(err) && w.app != uuid.Nil:
		return nil, refused(comms.NotFound, at.field, "there is no such number in the application's pool")
	case ent.IsNotFound(err):
		return nil, refused(comms.NotFound, at.field, "there is no such number")
	case err != nil:
		return nil, fmt.Errorf("read a number: %w", err)
	case n.Disabled:
		return nil, comms.Refused(comms.Conflict, at.field, comms.ReasonDisabled, "this number is disabled")
	case n.Number == w.first || n.Number == w.second:
		return nil, invalid(at.field, "a number can't mask itself")
	}
	taken, err := c.Tx().MaskParty.Query().Where(maskparty.NumberID(n.ID), maskparty.PartyIn(at.parties...), maskparty.FreedAtIsNil()).Exist(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the parties of a number: %w", err)
	}
	// What was freed long ago doesn't count, and what was freed lately neither: the caller named it.
	fits, err := c.Tx().Number.Query().Where(number.ID(n.ID)).Where(w.fitting(c.Now())...).Exist(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the masks of a number: %w", err)
	}
	if taken || !fits {
		return nil, comms.Refused(comms.Conflict, at.field, comms.ReasonNoNumberFree, "this number serves one of the parties, or everybody, for somebody else")
	}
	return n, nil
}

// own are the numbers from which the mask may take one.
func (w *maskWish) own() []predicate.Number {
	mine := []predicate.Number{number.AccountID(w.account)}
	if w.app != uuid.Nil {
		mine = append(mine, number.HasApplicationsWith(application.ID(w.app)))
	}
	return mine
}

// fitting are those of them on which the mask would be clear to whoever calls. An AX mask wants all strangers for itself; an AXE mask asks
// them for an extension. What was freed after rested still lives in the memory of those who call.
func (w *maskWish) fitting(rested clock.Micros) []predicate.Number {
	fresh := maskparty.Or(maskparty.FreedAtIsNil(), maskparty.FreedAtGT(rested))
	others := maskparty.HasMaskWith(mask.FirstNEQ(w.first))
	switch w.kind {
	case mask.KindAx:
		return append(w.own(), number.Not(number.HasMaskPartiesWith(maskparty.ExtensionNotNil(), maskparty.FreedAtIsNil())),
			number.Not(number.HasMaskPartiesWith(maskparty.ExtensionNotNil(), fresh, others)))
	case mask.KindAxe:
		return append(w.own(), number.Not(number.HasMaskPartiesWith(maskparty.Extension(""), maskparty.FreedAtIsNil())),
			number.Not(number.HasMaskPartiesWith(maskparty.Extension(""), fresh, others)))
	default:
		return w.own()
	}
}

// occupied says where the parties of a seat are, or were until lately.
type occupied struct {
	bound []uuid.UUID
	rests map[uuid.UUID]clock.Micros // since when
}

// occupied reads it. A number that served the same two parties for each other need not rest for them.
func (s *Service) occupied(ctx context.Context, c *comms.Change, w *maskWish, at seat) (*occupied, error) {
	rows, err := c.Tx().MaskParty.Query().Where(maskparty.PartyIn(at.parties...),
		maskparty.Or(maskparty.FreedAtIsNil(), maskparty.FreedAtGT(c.Now().Add(-s.masks.rest))),
		maskparty.HasMaskWith(mask.AccountID(w.account))).WithMask().All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for where the parties are: %w", err)
	}
	o := &occupied{rests: map[uuid.UUID]clock.Micros{}}
	for _, r := range rows {
		switch m := r.Edges.Mask; {
		case r.FreedAt == nil:
			o.bound = append(o.bound, r.NumberID)
		case !samePair(m, w.first, w.second):
			o.rests[r.NumberID] = max(o.rests[r.NumberID], *r.FreedAt)
		}
	}
	return o, nil
}

// samePair tells whether a mask is for these two, whichever came first.
func samePair(m *comms.Mask, a, b string) bool {
	return m.First == a && m.Second == b || m.First == b && m.Second == a
}

func (o *occupied) ids() []uuid.UUID {
	ids := slices.Clone(o.bound)
	for id := range o.rests {
		ids = append(ids, id)
	}
	return ids
}

// longestRested is, of the numbers that rest and would fit, the one that has for longest.
func (o *occupied) longestRested(ctx context.Context, c *comms.Change, fit []predicate.Number) (*comms.Number, error) {
	var resting []uuid.UUID
	for id := range o.rests {
		if !slices.Contains(o.bound, id) {
			resting = append(resting, id)
		}
	}
	rows, err := c.Tx().Number.Query().Where(fit...).Where(number.IDIn(resting...)).All(ctx)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, &ent.NotFoundError{}
	}
	return slices.MinFunc(rows, func(a, b *comms.Number) int { return int(o.rests[a.ID] - o.rests[b.ID]) }), nil
}

// drawn is how one of those that are free is chosen: of an application's pool any at random (documented by privacy call), for nothing but masks
// is there; of an account's numbers one that has the least to do besides.
func (w *maskWish) drawn() []number.OrderOption {
	if w.app != uuid.Nil {
		return []number.OrderOption{atRandom}
	}
	return []number.OrderOption{bestFirst, atRandom}
}

// bestFirst prefers numbers that can be both shown and called, and for which no telephone rings: nobody else waits for their calls.
func bestFirst(q *sql.Selector) {
	rings := sql.Table(ring.Table)
	q.OrderExpr(sql.ExprFunc(func(b *sql.Builder) {
		b.WriteString("CASE ").Ident(q.C(number.FieldAbility)).WriteString(" WHEN 'both' THEN 0 WHEN 'display' THEN 2 ELSE 4 END + ")
		b.WriteString("CASE WHEN EXISTS ").Wrap(func(b *sql.Builder) {
			b.Join(sql.Dialect(b.Dialect()).Select(rings.C(ring.FieldID)).From(rings).
				Where(sql.ColumnsEQ(rings.C(ring.FieldNumber), q.C(number.FieldNumber))))
		}).WriteString(" THEN 1 ELSE 0 END")
	}))
}

// atRandom is the contract's way to draw a number (privacy call: "any of the pool at random").
func atRandom(q *sql.Selector) { q.OrderExpr(sql.Expr("RANDOM()")) }
