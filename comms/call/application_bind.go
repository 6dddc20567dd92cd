package call

import (
	"context"
	"fmt"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/mask"
	"switchboard/ent/maskparty"
	"switchboard/ent/number"
	"switchboard/internal/clock"
)

// BindCall asks for a mask of two parties that lives for a short time, and to call them through it (privacy call).
type BindCall struct {
	Application    *comms.Application
	Caller, Callee string
	VirtualNum     string // X, E.164: of the application's pool; empty: one is drawn
	AreaCode       string // of X, where it is drawn; empty: any
	Direction      string // who may call whom while the binding lives: both (also if empty), first (the caller) or second
	ExpiresAt      clock.Micros
	TTL            time.Duration // instead of ExpiresAt; neither: 30 minutes
}

// Bound is the binding, and the call that was begun with it.
type Bound struct {
	Mask    *comms.Mask
	Number  *comms.Number // X
	Call    *comms.Call   // nil: it could not even be begun; the binding lives all the same
	Renewed bool          // the two were bound on X before
}

const (
	defaultBinding = 30 * time.Minute // documented, as the longest
	longestBinding = 60 * time.Minute
)

// BindCall binds two parties to a number of the application's pool, and begins to call the first. It waits for the binding but not for the
// call: the binding lives, whatever becomes of that.
//
// The two who are bound already by this application are not bound twice: the binding is renewed, with the direction and the end that are asked
// for now.
func (s *Service) BindCall(ctx context.Context, in BindCall) (*Bound, error) {
	a, err := comms.Demand(ctx, comms.PlaceCalls)
	if err != nil {
		return nil, err
	}
	if in.Application.AccountID != a.AccountID {
		return nil, refused(comms.Forbidden, "application", "this application belongs to another account")
	}
	w, err := in.wish()
	if err != nil {
		return nil, err
	}
	if w.x, err = s.virtualNumber(ctx, in); err != nil {
		return nil, err
	}
	out := &Bound{}
	err = retryTaken(func() error {
		return s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error { return s.bind(ctx, c, w, out) })
	})
	if err != nil {
		return nil, err
	}
	s.masks.changed()
	out.Call, err = s.PlaceFor(ctx, PlaceMasked{AccountID: a.AccountID, ApplicationID: w.app, MaskID: out.Mask.ID, X: out.Number,
		First: w.first, Second: w.second, Record: w.record, UserData: w.userData})
	if err != nil {
		s.in.Log().WarnContext(ctx, "a binding's call was not begun", "mask", out.Mask.ID, "error", err)
	}
	return out, nil
}

func (in BindCall) wish() (w maskWish, err error) {
	app := in.Application
	w = maskWish{account: app.AccountID, kind: mask.KindAxb, app: app.ID, area: in.AreaCode, record: app.Record, anyhow: true}
	if w.first, err = comms.CanonicalNumber("caller", in.Caller); err != nil {
		return w, err
	}
	if w.second, err = comms.CanonicalNumber("callee", in.Callee); err != nil {
		return w, err
	}
	if w.first == w.second {
		return w, invalid("callee", "the caller and the callee are one")
	}
	if err := w.takeDirection(in.Direction); err != nil {
		return w, err
	}
	now := clock.Now()
	switch w.expires, w.ttl = in.ExpiresAt, in.TTL; {
	case w.expires != 0 && w.ttl != 0:
		return w, invalid("expiresAt", "expiresAt and ttl exclude each other")
	case w.expires == 0 && w.ttl == 0:
		w.ttl = defaultBinding
	case w.ttl < 0 || w.ttl > longestBinding || w.expires != 0 && (w.expires <= now || w.expires > now.Add(longestBinding)):
		return w, invalid("expiresAt", "a binding ends in the future, after at most 60 minutes")
	}
	return w, nil
}

// virtualNumber is the id of the number that was asked for; Nil: none was.
func (s *Service) virtualNumber(ctx context.Context, in BindCall) (uuid.UUID, error) {
	if in.VirtualNum == "" {
		return uuid.Nil, nil
	}
	id, err := s.in.Read().Number.Query().Where(number.Number(in.VirtualNum), number.AccountID(in.Application.AccountID)).OnlyID(ctx)
	if ent.IsNotFound(err) {
		return uuid.Nil, refused(comms.NotFound, "numberId", "there is no such number in the application's pool")
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("look for a number: %w", err)
	}
	return id, nil
}

// bind renews the binding of the two, or makes one.
func (s *Service) bind(ctx context.Context, c *comms.Change, w maskWish, out *Bound) error {
	if err := s.readyToMask(ctx, c, &w); err != nil {
		return err
	}
	old, err := s.boundAlready(ctx, c, &w)
	if err != nil {
		return err
	}
	if out.Renewed = old != nil; out.Renewed {
		out.Mask, err = s.renew(ctx, c, &w, old)
	} else {
		out.Mask, err = s.insertMask(ctx, c, &w)
	}
	if err != nil {
		return err
	}
	if out.Number, err = c.Tx().Number.Get(ctx, out.Mask.NumberID); err != nil {
		return fmt.Errorf("read a mask's number: %w", err)
	}
	return nil
}

// boundAlready is the newest binding of the two by this application, on the number or in the area that is asked for; nil: there is none.
func (s *Service) boundAlready(ctx context.Context, c *comms.Change, w *maskWish) (*comms.Mask, error) {
	on := append(w.own(), number.Disabled(false))
	if w.x != uuid.Nil {
		on = append(on, number.ID(w.x))
	} else if w.area != "" {
		on = append(on, inArea(w.area))
	}
	m, err := c.Tx().Mask.Query().Where(mask.ApplicationID(w.app), mask.KindEQ(mask.KindAxb), mask.EndedAtIsNil(),
		mask.HasPartiesWith(maskparty.Party(w.first), maskparty.FreedAtIsNil()),
		mask.Or(mask.And(mask.First(w.first), mask.Second(w.second)), mask.And(mask.First(w.second), mask.Second(w.first))),
		mask.HasVirtualWith(on...)).Order(mask.ByCreatedAt(sql.OrderDesc()), mask.ByID()).First(ctx)
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for a binding: %w", err)
	}
	return m, nil
}

// renew gives a binding another end, and the direction that is wanted now: seen from the party who was the first when it was made.
func (s *Service) renew(ctx context.Context, c *comms.Change, w *maskWish, old *comms.Mask) (*comms.Mask, error) {
	direction := w.direction
	if old.First != w.first {
		switch w.direction {
		case mask.DirectionFirst:
			direction = mask.DirectionSecond
		case mask.DirectionSecond:
			direction = mask.DirectionFirst
		case mask.DirectionBoth:
		}
	}
	m, err := old.Update().SetDirection(direction).SetNillableExpiresAt(w.ends(c.Now())).SetRecord(w.record).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("renew a binding: %w", err)
	}
	c.Tell(&comms.Event{Kind: comms.MaskUpdated, AccountID: m.AccountID, NumberID: m.NumberID, Mask: m})
	return m, nil
}
