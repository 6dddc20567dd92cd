package comms

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/device"
	"switchboard/ent/number"
)

// RegisterDevice says that notifications for some numbers go to the device with that push token.
type RegisterDevice struct {
	AppID, Build, Name, Locale string // what the app says of itself
	Token                      string // the push token, a secret: whoever has it can write on somebody's screen
	Numbers                    []uuid.UUID
}

// devicesLock makes logins follow each other. One may touch the devices of many others, to forget them or to bind to them again, and
// none is in a hurry.
var devicesLock = uuid.NewSHA1(uuid.Nil, []byte("devices"))

// RegisterDevice binds the numbers to the device and nothing else: what the token was bound to before is cleared, and an earlier
// device of a number is replaced. No numbers only clears. A device without numbers is forgotten, its token with it. The answer is the
// numbers in the order asked, each once. Whoever names a number's id may bind it: the id is its credential.
func (s *Service) RegisterDevice(ctx context.Context, in RegisterDevice) ([]*Number, error) {
	if err := s.checkDevice(in); err != nil {
		return nil, err
	}
	hash := s.keys.lookup("device.token", in.Token)
	ids := distinct(in.Numbers)
	var bound []*Number
	err := s.change(ctx, func(ctx context.Context, c *change) (err error) {
		if err := s.lockBound(ctx, c, ids, hash); err != nil {
			return err
		}
		if bound, err = numbersToBind(ctx, c, ids); err != nil {
			return err
		}
		return s.bindDevice(ctx, c, in, hash, bound)
	})
	if err != nil {
		return nil, err
	}
	return bound, nil
}

// lockBound makes other logins wait, and then whoever else writes the rows of the numbers that this one binds or lets go: it writes several
// accounts' at once, and would meet somebody who does so in another order (message_deliver.go).
func (s *Service) lockBound(ctx context.Context, c *change, ids []uuid.UUID, token []byte) error {
	if err := s.store.Lock(ctx, c.tx, devicesLock); err != nil {
		return err
	}
	if s.store.Ordered() {
		return nil
	}
	devices, err := c.tx.Device.Query().Where(device.TokenHash(token)).IDs(ctx)
	if err != nil {
		return fmt.Errorf("find the device: %w", err)
	}
	rows, err := c.tx.Number.Query().Where(number.Or(number.IDIn(ids...), number.DeviceIDIn(devices...))).Select(number.FieldAccountID).All(ctx)
	if err != nil {
		return fmt.Errorf("find whose the numbers are: %w", err)
	}
	accounts := make([]uuid.UUID, len(rows))
	for i, n := range rows {
		accounts[i] = n.AccountID
	}
	return s.store.Lock(ctx, c.tx, accounts...)
}

// checkDevice holds the bounds of the messaging API's document.
func (s *Service) checkDevice(in RegisterDevice) error {
	for _, f := range []struct {
		field, text string
		least, most int
	}{
		{"appId", in.AppID, 2, 32}, {"build", in.Build, 2, 16}, {"name", in.Name, 2, 32}, {"locale", in.Locale, 2, 6},
		{"token", in.Token, 8, 228},
	} {
		if n := utf8.RuneCountInString(f.text); n < f.least || n > f.most {
			return invalid(f.field, "%d to %d characters", f.least, f.most)
		}
		if !utf8.ValidString(f.text) || strings.ContainsFunc(f.text, unicode.IsControl) {
			return invalid(f.field, "control characters are not allowed")
		}
	}
	if len(in.Numbers) > s.limits.Receivers {
		return invalid("uuid", "at most %d numbers", s.limits.Receivers)
	}
	return nil
}

// distinct is the ids in the order asked, each once.
func distinct(ids []uuid.UUID) []uuid.UUID {
	seen := make(map[uuid.UUID]bool, len(ids))
	out := make([]uuid.UUID, 0, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// numbersToBind is the numbers in the order asked, or the refusal where one of them is unknown.
func numbersToBind(ctx context.Context, c *change, ids []uuid.UUID) ([]*Number, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := c.tx.Number.Query().Where(number.IDIn(ids...)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the numbers: %w", err)
	}
	if len(rows) != len(ids) {
		return nil, notFound("uuid", "there is no such number")
	}
	slices.SortFunc(rows, func(a, b *Number) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	return rows, nil
}

// bindDevice writes the device and what it is bound to, and forgets devices that nothing is bound to any more.
func (s *Service) bindDevice(ctx context.Context, c *change, in RegisterDevice, hash []byte, numbers []*Number) error {
	dev, err := c.tx.Device.Query().Where(device.TokenHash(hash)).Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return fmt.Errorf("find the device: %w", err)
	}
	var left []uuid.UUID // devices that lose a number
	if dev != nil {
		left = append(left, dev.ID)
		if err := c.tx.Number.Update().Where(number.DeviceID(dev.ID)).ClearDeviceID().Exec(ctx); err != nil {
			return fmt.Errorf("clear the device's numbers: %w", err)
		}
	}
	if len(numbers) > 0 {
		ids := make([]uuid.UUID, len(numbers))
		for i, n := range numbers {
			ids[i] = n.ID
			if n.DeviceID != nil {
				left = append(left, *n.DeviceID)
			}
		}
		id, err := s.saveDevice(ctx, c, in, hash, dev)
		if err != nil {
			return err
		}
		if err := c.tx.Number.Update().Where(number.IDIn(ids...)).SetDeviceID(id).Exec(ctx); err != nil {
			return fmt.Errorf("bind the numbers: %w", err)
		}
		for _, n := range numbers {
			n.DeviceID = &id
		}
	}
	if err := forgetUnused(ctx, c, left...); err != nil {
		return err
	}
	return s.devicesChanged(ctx, c, append(left, boundTo(numbers)...))
}

// boundTo is the devices of the numbers.
func boundTo(numbers []*Number) (ids []uuid.UUID) {
	for _, n := range numbers {
		ids = append(ids, *n.DeviceID)
	}
	return distinct(ids)
}

// DeviceToken is the push token of a device.
func (i Inside) DeviceToken(d *Device) (string, error) {
	token, err := i.s.keys.open(sealedToken(d.ID), d.TokenSealed)
	return string(token), err
}

// Following is the room that tells owners of accounts what happens, outside of all doors (comms/notice).
type Following interface {
	// MatrixChanged is called in a change of an account, which may be one of its Matrix ID.
	MatrixChanged(ctx context.Context, c *Change, acc *Account) error
	// DevicesChanged is called in a change that binds numbers to some devices and lets go of others; those without numbers are gone.
	DevicesChanged(ctx context.Context, c *Change, devices []uuid.UUID) error
	// Committed is called with the events of each change once it is durable, in the way of all that come after it: it must cost nothing.
	Committed(events []*Event)
}

// Follow has f told; to be called before the first verb.
func (i Inside) Follow(f Following) { i.s.following = f }

func (s *Service) matrixChanged(ctx context.Context, c *change, acc *Account) error {
	if s.following == nil {
		return nil
	}
	return s.following.MatrixChanged(ctx, c, acc)
}

func (s *Service) devicesChanged(ctx context.Context, c *change, devices []uuid.UUID) error {
	if s.following == nil || len(devices) == 0 {
		return nil
	}
	return s.following.DevicesChanged(ctx, c, devices)
}

// forgetUnused removes those of the devices that nothing is bound to.
func forgetUnused(ctx context.Context, c *change, devices ...uuid.UUID) error {
	if len(devices) == 0 {
		return nil
	}
	if _, err := c.tx.Device.Delete().Where(device.IDIn(devices...), device.Not(device.HasNumbers())).Exec(ctx); err != nil {
		return fmt.Errorf("forget devices without numbers: %w", err)
	}
	return nil
}

// saveDevice is the id of the token's device, new or with what the app says of itself now.
func (s *Service) saveDevice(ctx context.Context, c *change, in RegisterDevice, hash []byte, old *Device) (uuid.UUID, error) {
	if old != nil {
		err := old.Update().SetAppID(in.AppID).SetBuild(in.Build).SetName(in.Name).SetLocale(in.Locale).SetUpdatedAt(c.now).Exec(ctx)
		if err != nil {
			return uuid.Nil, fmt.Errorf("update the device: %w", err)
		}
		return old.ID, nil
	}
	id := uuid.New()
	err := c.tx.Device.Create().SetID(id).SetTokenHash(hash).SetTokenSealed(s.keys.seal(sealedToken(id), []byte(in.Token))).
		SetAppID(in.AppID).SetBuild(in.Build).SetName(in.Name).SetLocale(in.Locale).
		SetCreatedAt(c.now).SetUpdatedAt(c.now).Exec(ctx)
	if err != nil {
		return uuid.Nil, fmt.Errorf("store the device: %w", err)
	}
	return id, nil
}

// sealedToken names a device's sealed push token, so that it opens in no other row.
func sealedToken(device uuid.UUID) string { return "device.token:" + device.String() }
