package call

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/application"
	"switchboard/ent/mask"
	"switchboard/ent/maskparty"
)

// errTaken says that the unique index of the database knew of a party that the rules had not seen. The change is done anew.
var errTaken = errors.New("a number was taken meanwhile")

// retryTaken does a change until it is not crossed by another; each time it sees what the other one took.
func retryTaken(change func() error) error {
	for range 10 {
		if err := change(); !errors.Is(err, errTaken) {
			return err
		}
	}
	return refused(comms.Conflict, "numberId", "the number was taken by another mask")
}

// makeMask finds the numbers for a mask and writes it.
func (s *Service) makeMask(ctx context.Context, c *comms.Change, w maskWish) (*comms.Mask, error) {
	if err := s.readyToMask(ctx, c, &w); err != nil {
		return nil, err
	}
	return s.insertMask(ctx, c, &w)
}

// readyToMask locks the account and ends what has expired, so that it does not stand in the way.
func (s *Service) readyToMask(ctx context.Context, c *comms.Change, w *maskWish) error {
	if err := s.in.Lock(ctx, c, w.account); err != nil {
		return err
	}
	if err := s.endExpired(ctx, c, w.account); err != nil {
		return err
	}
	if w.app == uuid.Nil {
		return nil
	}
	there, err := c.Tx().Application.Query().Where(application.ID(w.app), application.AccountID(w.account)).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for an application: %w", err)
	}
	if !there {
		return refused(comms.NotFound, "applicationId", "there is no such application")
	}
	return nil
}

func (s *Service) insertMask(ctx context.Context, c *comms.Change, w *maskWish) (*comms.Mask, error) {
	seats, numbers := w.seats(), []*comms.Number(nil)
	for _, at := range seats {
		if len(numbers) > 0 {
			at.not = numbers[0].ID
		}
		n, err := s.choose(ctx, c, w, at)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	extension, err := s.extensionOn(ctx, c, w, numbers[0])
	if err != nil {
		return nil, err
	}
	create := c.Tx().Mask.Create().SetAccountID(w.account).SetNumberID(numbers[0].ID).SetKind(w.kind).SetFirst(w.first).SetSecond(w.second).
		SetDirection(w.direction).SetRecord(w.record).SetUserData(w.userData).SetCreatedAt(c.Now()).SetNillableExpiresAt(w.ends(c.Now()))
	if w.app != uuid.Nil {
		create.SetApplicationID(w.app)
	}
	if len(numbers) > 1 {
		create.SetSecondNumberID(numbers[1].ID)
	}
	if extension != nil {
		create.SetExtension(*extension)
	}
	m, err := create.Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("store a mask: %w", err)
	}
	var parties []*ent.MaskPartyCreate
	for i, at := range seats {
		for _, party := range at.parties {
			parties = append(parties, c.Tx().MaskParty.Create().SetMaskID(m.ID).SetNumberID(numbers[i].ID).SetParty(party).SetNillableExtension(extension))
		}
	}
	if err := c.Tx().MaskParty.CreateBulk(parties...).Exec(ctx); err != nil {
		if ent.IsConstraintError(err) {
			return nil, fmt.Errorf("%w: %w", errTaken, err)
		}
		return nil, fmt.Errorf("store the parties of a mask: %w", err)
	}
	c.Tell(&comms.Event{Kind: comms.MaskCreated, AccountID: w.account, NumberID: m.NumberID, Mask: m})
	return m, nil
}

// extensionOn is what callers dial after X: nothing for AX, which the unique index of extensions thus keeps alone on its number.
func (s *Service) extensionOn(ctx context.Context, c *comms.Change, w *maskWish, x *comms.Number) (*string, error) {
	switch {
	case w.kind == mask.KindAx:
		return new(""), nil
	case w.kind != mask.KindAxe:
		return nil, nil
	case w.extension != "":
		taken, err := c.Tx().MaskParty.Query().Where(maskparty.NumberID(x.ID), maskparty.Extension(w.extension), maskparty.FreedAtIsNil()).Exist(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for an extension: %w", err)
		}
		if taken {
			return nil, refused(comms.Conflict, "extension", "this extension is somebody else's")
		}
		return new(w.extension), nil
	}
	for range 100 {
		drawn := fmt.Sprintf("%04d", rand.IntN(10_000))
		used, err := c.Tx().MaskParty.Query().Where(maskparty.NumberID(x.ID), maskparty.Extension(drawn),
			maskparty.Or(maskparty.FreedAtIsNil(), maskparty.FreedAtGT(c.Now().Add(-s.masks.rest)))).Exist(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for an extension: %w", err)
		}
		if !used {
			return new(drawn), nil
		}
	}
	return nil, refused(comms.Conflict, "extension", "no extension of four digits is free on this number: name one")
}

func refused(code comms.Code, field, text string) error {
	return comms.Refused(code, field, comms.ReasonNone, text)
}
