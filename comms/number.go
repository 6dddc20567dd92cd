package comms

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/ent/captcha"
	"switchboard/ent/number"
	"switchboard/ent/retirednumber"
)

// CreateNumber asks for a new virtual number.
type CreateNumber struct {
	Alias          string // may be empty; at most 64 characters
	PIN            string // 4 to 8 digits
	CaptchaToken   string
	IdempotencyKey string
}

// NewNumber is the number that was drawn.
type NewNumber struct {
	Number   *Number
	Replayed bool
}

// drawn is what is kept of a creation under its idempotency key.
type drawn struct {
	Number  *Number
	PINHash string
}

// CreateNumber draws a number for the caller. A refusal spends nothing: neither the captcha token nor a number.
func (s *Service) CreateNumber(ctx context.Context, in CreateNumber) (*NewNumber, error) {
	a, err := demand(ctx, WriteNumbers)
	if err != nil {
		return nil, err
	}
	if err := checkAlias(in.Alias); err != nil {
		return nil, err
	}
	if err := checkPIN("pin", in.PIN); err != nil {
		return nil, err
	}
	token, err := uuid.Parse(in.CaptchaToken)
	if err != nil {
		return nil, badCaptchaToken()
	}
	if in.IdempotencyKey == "" { // what is going to be refused is not worth a slow hash
		if err := s.couldCreate(ctx, a, token); err != nil {
			return nil, err
		}
	}
	hash, err := s.hash.of(ctx, in.PIN)
	if err != nil {
		return nil, err
	}
	var out drawn
	key := onceKey{Scope: a.AccountID.String(), Key: in.IdempotencyKey, Verb: "createNumber", Request: []string{in.Alias, token.String()}}
	replayed, err := s.once(ctx, key, &out, func(ctx context.Context, c *change) error {
		n, err := s.drawNumber(ctx, c, a, token, in.Alias, hash)
		out = drawn{n, hash}
		return err
	})
	if err != nil {
		return nil, err
	}
	if replayed {
		same, err := s.hash.matches(ctx, out.PINHash, in.PIN)
		if err != nil {
			return nil, err
		}
		if !same {
			return nil, keyReused()
		}
	}
	return &NewNumber{Number: out.Number, Replayed: replayed}, nil
}

// couldCreate looks ahead without a transaction; what counts is decided again in it.
func (s *Service) couldCreate(ctx context.Context, a *Actor, token uuid.UUID) error {
	good, err := s.store.Read().Captcha.Query().Where(captcha.Token(token), captcha.Solved(true)).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for a captcha token: %w", err)
	}
	if !good {
		return badCaptchaToken()
	}
	return s.checkNumberLimit(ctx, s.store.Read(), a.AccountID)
}

// checkNumberLimit refuses another number to an account on the free plan that has as many as it may (OpenCloud: 5).
func (s *Service) checkNumberLimit(ctx context.Context, db *ent.Client, id uuid.UUID) error {
	acc, err := db.Account.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("read an account: %w", err)
	}
	if acc.Plan != account.PlanFree {
		return nil
	}
	have, err := db.Number.Query().Where(number.AccountID(id)).Count(ctx)
	if err != nil {
		return fmt.Errorf("count numbers: %w", err)
	}
	if have >= s.limits.FreeNumbers {
		return conflict("input", ReasonNumberLimit, "an account on the free plan can have %d numbers", s.limits.FreeNumbers)
	}
	return nil
}

// drawNumber does the creation in its transaction.
func (s *Service) drawNumber(ctx context.Context, c *change, a *Actor, token uuid.UUID, alias, pinHash string) (*Number, error) {
	if err := s.lockAccount(ctx, c, a.AccountID); err != nil { // of two that would be the fifth one is
		return nil, err
	}
	if err := s.checkNumberLimit(ctx, c.tx, a.AccountID); err != nil {
		return nil, err
	}
	if err := s.spendToken(ctx, c, token); err != nil {
		return nil, err
	}
	e164, err := s.freeNumber(ctx, c)
	if err != nil {
		return nil, err
	}
	n, err := c.tx.Number.Create().SetAccountID(a.AccountID).SetNumber(e164).SetAlias(alias).SetPinHash(pinHash).
		SetCreatedAt(c.now).SetUpdatedAt(c.now).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("store a number: %w", err)
	}
	c.tell(&Event{Kind: NumberCreated, AccountID: a.AccountID, NumberID: n.ID, Number: n})
	return n, nil
}

// reservedNumbers is the part of the range, +99900000xxxx, that is never drawn: it is for numbers with a purpose of their own.
const reservedNumbers = 10_000

// freeNumber draws +999 and nine digits (OpenCloud), nobody's now and nobody's before: whoever had it may still be written to.
func (s *Service) freeNumber(ctx context.Context, c *change) (string, error) {
	for range 100 {
		e164 := fmt.Sprintf("+999%09d", reservedNumbers+rand.IntN(1e9-reservedNumbers))
		used, err := c.tx.Number.Query().Where(number.Number(e164)).Exist(ctx)
		if err != nil {
			return "", fmt.Errorf("look for a number: %w", err)
		}
		if used {
			continue
		}
		retired, err := c.tx.RetiredNumber.Query().Where(retirednumber.ID(e164)).Exist(ctx)
		if err != nil {
			return "", fmt.Errorf("look for a retired number: %w", err)
		}
		if !retired {
			return e164, nil
		}
	}
	return "", &Error{Code: Unavailable, Text: "no free number was found, try again", RetryAfter: time.Second}
}

// UpdateNumber gives a number another alias.
func (s *Service) UpdateNumber(ctx context.Context, id uuid.UUID, alias string) (n *Number, err error) {
	a, err := demand(ctx, WriteNumbers)
	if err != nil {
		return nil, err
	}
	if err := checkAlias(alias); err != nil {
		return nil, err
	}
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		if err := s.lockAccount(ctx, c, a.AccountID); err != nil {
			return err
		}
		n, err = c.tx.Number.UpdateOneID(id).Where(number.AccountID(a.AccountID)).SetAlias(alias).SetUpdatedAt(c.now).Save(ctx)
		if err != nil {
			return noNumber(err)
		}
		c.tell(&Event{Kind: NumberUpdated, AccountID: a.AccountID, NumberID: n.ID, Number: n})
		return nil
	})
	return n, err
}

// noNumber is what is answered for an id that is none, or another account's: ids of others don't exist.
func noNumber(err error) error {
	if ent.IsNotFound(err) {
		return notFound("id", "there is no such number")
	}
	return err
}

// ChangeNumberPIN asks to replace a PIN by who knows it.
type ChangeNumberPIN struct {
	ID           uuid.UUID
	Current, New string
}

// ChangeNumberPIN replaces a number's PIN. Wrong tries are counted by number; a right one clears the count.
func (s *Service) ChangeNumberPIN(ctx context.Context, in ChangeNumberPIN) error {
	a, err := demand(ctx, WriteNumbers)
	if err != nil {
		return err
	}
	if err := checkPIN("newPin", in.New); err != nil {
		return err
	}
	n, err := s.ownNumber(ctx, a, in.ID)
	if err != nil {
		return err
	}
	// Taken before the comparison, so that many tries at once are counted too.
	if err := s.throttle.take("pin", s.throttle.PIN, in.ID.String()); err != nil {
		return err
	}
	right, err := s.hash.matches(ctx, n.PinHash, in.Current)
	if err != nil {
		return err
	}
	if !right {
		return wrongPIN()
	}
	s.throttle.forgive("pin", in.ID.String())
	hash, err := s.hash.of(ctx, in.New)
	if err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, c *change) error {
		// Only over the hash that was compared: a PIN that was changed meanwhile is no longer the current one.
		mine := number.And(number.ID(n.ID), number.AccountID(a.AccountID), number.PinHash(n.PinHash))
		changed, err := c.tx.Number.Update().Where(mine).SetPinHash(hash).SetUpdatedAt(c.now).Save(ctx)
		if err != nil {
			return fmt.Errorf("store a PIN: %w", err)
		}
		if changed != 1 {
			return wrongPIN()
		}
		return nil
	})
}

func wrongPIN() error {
	return &Error{Code: Forbidden, Reason: ReasonWrongPIN, Field: "currentPin", Text: "the current PIN is wrong"}
}

// DeleteNumber removes a number with its call records (OpenCloud), and its device if that has no other. Its messages stay, and it is
// never given to anybody again.
func (s *Service) DeleteNumber(ctx context.Context, id uuid.UUID) (n *Number, err error) {
	a, err := demand(ctx, WriteNumbers)
	if err != nil {
		return nil, err
	}
	var after []func(context.Context)
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		// Of two who delete it one does, and nobody binds it to a device meanwhile.
		if err := s.store.Lock(ctx, c.tx, devicesLock); err != nil {
			return err
		}
		if err := s.lockAccount(ctx, c, a.AccountID); err != nil {
			return err
		}
		n, err = c.tx.Number.Query().Where(number.ID(id), number.AccountID(a.AccountID)).Only(ctx)
		if err != nil {
			return noNumber(err)
		}
		if after, err = s.beforeDeletion(ctx, c, n); err != nil {
			return err
		}
		if err := c.tx.Number.DeleteOne(n).Exec(ctx); err != nil {
			return fmt.Errorf("delete a number: %w", err)
		}
		if n.DeviceID != nil {
			if err := forgetUnused(ctx, c, *n.DeviceID); err != nil {
				return err
			}
		}
		// A number that was provisioned again is retired already. Not DoNothing: ent takes the row that doesn't come back for an error.
		err := c.tx.RetiredNumber.Create().SetID(n.Number).SetCreatedAt(c.now).OnConflictColumns(retirednumber.FieldID).Ignore().Exec(ctx)
		if err != nil {
			return fmt.Errorf("retire a number: %w", err)
		}
		c.tell(&Event{Kind: NumberDeleted, AccountID: a.AccountID, NumberID: n.ID, Number: n})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, do := range after {
		do(ctx)
	}
	return n, nil
}

// Number is one of the caller's numbers.
func (s *Service) Number(ctx context.Context, id uuid.UUID) (*Number, error) {
	a, err := demand(ctx, ReadNumbers)
	if err != nil {
		return nil, err
	}
	return s.ownNumber(ctx, a, id)
}

func (s *Service) ownNumber(ctx context.Context, a *Actor, id uuid.UUID) (*Number, error) {
	n, err := s.store.Read().Number.Query().Where(number.ID(id), number.AccountID(a.AccountID)).Only(ctx)
	if err != nil {
		return nil, noNumber(err)
	}
	return n, nil
}

// Numbers lists the caller's numbers, oldest first.
func (s *Service) Numbers(ctx context.Context, p Page) (*PageOf[*Number], error) {
	a, err := demand(ctx, ReadNumbers)
	if err != nil {
		return nil, err
	}
	return pageOf(ctx, s, p, list[*Number]{name: 'n', columns: byTime,
		place: func(n *Number) place { return place{at: n.CreatedAt, id: n.ID} },
		read: func(ctx context.Context, w window) ([]*Number, error) {
			return s.store.Read().Number.Query().Where(number.AccountID(a.AccountID), w.where).Order(w.order).Limit(w.limit).All(ctx)
		}})
}

// AllNumbers is the whole list, oldest first.
func (s *Service) AllNumbers(ctx context.Context) ([]*Number, error) {
	a, err := demand(ctx, ReadNumbers)
	if err != nil {
		return nil, err
	}
	return s.store.Read().Number.Query().Where(number.AccountID(a.AccountID)).Order(number.ByCreatedAt(), number.ByID()).All(ctx)
}

// NumbersByID are those of the ids that are the caller's numbers, in one statement.
func (s *Service) NumbersByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Number, error) {
	a, err := demand(ctx, ReadNumbers)
	if err != nil {
		return nil, err
	}
	return s.readNumbers(ctx, a.AccountID, ids)
}

func checkAlias(alias string) error {
	if !utf8.ValidString(alias) || utf8.RuneCountInString(alias) > 64 || strings.ContainsFunc(alias, unicode.IsControl) {
		return invalid("alias", "the alias must have at most 64 characters, and no control characters")
	}
	return nil
}

func checkPIN(field, pin string) error {
	ok := len(pin) >= 4 && len(pin) <= 8
	for i := range len(pin) {
		ok = ok && pin[i] >= '0' && pin[i] <= '9'
	}
	if !ok {
		return invalid(field, "a PIN has 4 to 8 digits")
	}
	return nil
}

// readNumbers is the statement behind every list of messages that shows its numbers: written out, as the list itself is
// (message_read.go), with only what a list shows.
func (s *Service) readNumbers(ctx context.Context, account uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Number, error) {
	if len(ids) == 0 {
		return map[uuid.UUID]*Number{}, nil
	}
	wanted := make([]any, len(ids))
	for i, id := range ids {
		wanted[i] = id
	}
	query, args := sql.Dialect(s.store.Dialect()).Select(number.FieldID, number.FieldNumber, number.FieldAlias, number.FieldAbility, number.FieldSource,
		number.FieldDisabled, number.FieldCreatedAt).From(sql.Table(number.Table)).
		Where(sql.And(sql.EQ(number.FieldAccountID, account), sql.In(number.FieldID, wanted...))).Query()
	rows, err := s.store.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read numbers: %w", err)
	}
	defer rows.Close()
	out := make(map[uuid.UUID]*Number, len(ids))
	for rows.Next() {
		n := &Number{AccountID: account}
		err := rows.Scan(&n.ID, &n.Number, &n.Alias, (*string)(&n.Ability), (*string)(&n.Source), &n.Disabled, (*int64)(&n.CreatedAt))
		if err != nil {
			return nil, fmt.Errorf("read numbers: %w", err)
		}
		out[n.ID] = n
	}
	return out, rows.Err()
}
