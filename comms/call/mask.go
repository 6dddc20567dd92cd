package call

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/mask"
	"switchboard/internal/clock"
)

// MaskNumbers asks for parties to reach each other through a number of ours (X).
type MaskNumbers struct {
	Kind          string // axb, ax, axe or axyb
	First, Second string // the parties; Second only for axb and axyb
	// NumberID is X, and SecondNumberID for axyb Y; Nil: one is drawn from the application's pool, or from the account's numbers. A number
	// that is named is the caller's will: it is refused only where it can't tell the parties apart, not because it rests.
	NumberID, SecondNumberID uuid.UUID
	ApplicationID            uuid.UUID
	AreaCode                 string // of the numbers that are drawn; empty: any
	Direction                string // who may call whom: both (also if empty), first or second
	Extension                string // axe; empty: one is drawn
	ExpiresAt                clock.Micros
	TTL                      time.Duration // instead of ExpiresAt; neither: until UnmaskNumbers
	Record                   bool
	UserData                 string // the account's own words, echoed in events
	IdempotencyKey           string
}

// Masked is the mask that came of it.
type Masked struct {
	Mask     *comms.Mask
	Replayed bool
}

const (
	maxUserData  = 1024
	maxExtension = 8
)

// MaskNumbers makes a mask. Of two that want the same place on a number at once exactly one gets it; the other gets another number, or is
// refused where it named this one.
func (s *Service) MaskNumbers(ctx context.Context, in MaskNumbers) (*Masked, error) {
	a, err := comms.Demand(ctx, comms.WriteNumbers)
	if err != nil {
		return nil, err
	}
	w, err := in.wish(a.AccountID)
	if err != nil {
		return nil, err
	}
	out := &Masked{}
	key := comms.OnceKey{Scope: a.AccountID.String(), Key: in.IdempotencyKey, Verb: "maskNumbers", Request: in}
	err = retryTaken(func() error {
		out.Replayed, err = s.in.Once(ctx, key, out, func(ctx context.Context, c *comms.Change) error {
			out.Mask, err = s.makeMask(ctx, c, w)
			return err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	s.masks.changed()
	return out, nil
}

// maskWish is a mask as it is wanted, checked as far as that needs no store.
type maskWish struct {
	account       uuid.UUID
	kind          mask.Kind
	first, second string
	x, y          uuid.UUID
	app           uuid.UUID
	area          string
	direction     mask.Direction
	extension     string
	expires       clock.Micros
	ttl           time.Duration
	record        bool
	userData      string
	anyhow        bool // rather than nothing a drawn number may be one that has not rested
}

func (in MaskNumbers) wish(account uuid.UUID) (w maskWish, err error) {
	w = maskWish{account: account, kind: mask.Kind(strings.ToLower(in.Kind)), x: in.NumberID, y: in.SecondNumberID, app: in.ApplicationID,
		area: in.AreaCode, extension: in.Extension, expires: in.ExpiresAt, ttl: in.TTL, record: in.Record, userData: in.UserData}
	if err := mask.KindValidator(w.kind); err != nil {
		return w, invalid("kind", "there is no such kind of mask")
	}
	if w.first, err = comms.CanonicalNumber("first", in.First); err != nil {
		return w, err
	}
	if err := w.takeSecond(in.Second); err != nil {
		return w, err
	}
	if err := w.takeDirection(in.Direction); err != nil {
		return w, err
	}
	return w, w.check()
}

// pair tells whether the mask is for two parties that are both known.
func (w *maskWish) pair() bool { return w.kind == mask.KindAxb || w.kind == mask.KindAxyb }

func (w *maskWish) takeSecond(second string) (err error) {
	if !w.pair() {
		if second != "" {
			return invalid("second", "a mask of this kind has no second party: anybody reaches the first")
		}
		return nil
	}
	if w.second, err = comms.CanonicalNumber("second", second); err != nil {
		return err
	}
	if w.first == w.second {
		return invalid("second", "the two parties are one")
	}
	return nil
}

func (w *maskWish) takeDirection(direction string) error {
	w.direction = mask.Direction(strings.ToLower(direction))
	if w.direction == "" {
		w.direction = mask.DirectionBoth
	}
	if err := mask.DirectionValidator(w.direction); err != nil {
		return invalid("direction", "direction must be both, first or second")
	}
	if !w.pair() && w.direction != mask.DirectionBoth {
		return invalid("direction", "only a mask of two parties has a direction")
	}
	return nil
}

func (w *maskWish) check() error {
	switch {
	case w.y != uuid.Nil && w.kind != mask.KindAxyb:
		return invalid("secondNumberId", "only an AXYB mask has a second number")
	case w.y != uuid.Nil && w.y == w.x:
		return invalid("secondNumberId", "the two numbers are one")
	case w.extension != "" && w.kind != mask.KindAxe:
		return invalid("extension", "only an AXE mask has an extension")
	case len(w.extension) > maxExtension || strings.Trim(w.extension, "0123456789") != "":
		return invalid("extension", "an extension has at most %d digits", maxExtension)
	case w.expires != 0 && w.ttl != 0:
		return invalid("ttl", "expiresAt and ttl exclude each other")
	case w.ttl < 0:
		return invalid("ttl", "ttl must be positive")
	case w.expires != 0 && w.expires <= clock.Now():
		return invalid("expiresAt", "expiresAt must lie in the future")
	case len(w.userData) > maxUserData || !utf8.ValidString(w.userData) || strings.ContainsFunc(w.userData, unicode.IsControl):
		return invalid("userData", "userData must have at most %d bytes, and no control characters", maxUserData)
	}
	return nil
}

// ends is when the mask ends; nil: when it is told to.
func (w *maskWish) ends(now clock.Micros) *clock.Micros {
	switch {
	case w.ttl > 0:
		return new(now.Add(w.ttl))
	case w.expires != 0:
		return new(w.expires)
	default:
		return nil
	}
}
