package call

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/sipnumber"
	"switchboard/internal/clock"
)

// CreateSipNumber asks for a telephone that may register.
type CreateSipNumber struct {
	Number         string   // 2 to 15 digits; empty: one is drawn
	Password       string   // empty: one is made
	Rings          []string // the numbers that it rings for: own ones, or outside numbers that it stands for within its account
	Alias          string
	Secure         bool // it must register by TLS and encrypt its sound
	IdempotencyKey string
}

// NewSipNumber is a telephone with its password.
type NewSipNumber struct {
	SipNumber *comms.SipNumber
	Password  string
	Replayed  bool
}

// MostPhones bounds what one account can make the registrar remember.
const MostPhones = 1000

// CreateSipNumber makes a telephone. Its password is shown now, and to its owner again by SipPassword: digest needs it in the clear, so it
// can't be kept as a slow hash.
func (s *Service) CreateSipNumber(ctx context.Context, in CreateSipNumber) (*NewSipNumber, error) {
	a, err := comms.Demand(ctx, comms.WriteNumbers)
	if err != nil {
		return nil, err
	}
	if in, err = in.canonical(); err != nil {
		return nil, err
	}
	out := &NewSipNumber{}
	key := comms.OnceKey{Scope: a.AccountID.String(), Key: in.IdempotencyKey, Verb: "createSipNumber",
		Request: []any{in.Number, in.Password, in.Rings, in.Alias, in.Secure}}
	out.Replayed, err = s.in.Once(ctx, key, out, func(ctx context.Context, c *comms.Change) error {
		phone, password, err := s.insertPhone(ctx, c, a.AccountID, in)
		if err != nil {
			return err
		}
		out.SipNumber, out.Password = phone, password
		c.Tell(&comms.Event{Kind: comms.PhoneCreated, AccountID: a.AccountID, Phone: phone})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (in CreateSipNumber) canonical() (CreateSipNumber, error) {
	if in.Number != "" {
		if err := comms.CheckSipNumber("number", in.Number); err != nil {
			return in, err
		}
	}
	if in.Password != "" {
		if err := comms.CheckSipPassword("password", in.Password); err != nil {
			return in, err
		}
	}
	if err := comms.CheckAlias(in.Alias); err != nil {
		return in, err
	}
	var err error
	in.Rings, err = comms.CanonicalRings(in.Rings)
	return in, err
}

func (s *Service) insertPhone(ctx context.Context, c *comms.Change, account uuid.UUID, in CreateSipNumber) (*comms.SipNumber, string, error) {
	if err := s.in.Lock(ctx, c, comms.PhonesLock, account); err != nil { // in one call, as provisioning takes them
		return nil, "", err
	}
	have, err := c.Tx().SipNumber.Query().Where(sipnumber.AccountID(account)).Count(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("count telephones: %w", err)
	}
	if have >= MostPhones {
		return nil, "", comms.Refused(comms.Conflict, "input", comms.ReasonNone, "an account can have "+strconv.Itoa(MostPhones)+" telephones")
	}
	number, err := s.freePhoneNumber(ctx, c, in.Number)
	if err != nil {
		return nil, "", err
	}
	password := in.Password
	if password == "" {
		password = comms.NewPhonePassword()
	}
	phone, err := c.Tx().SipNumber.Create().SetAccountID(account).SetNumber(number).SetAlias(in.Alias).SetSecure(in.Secure).
		SetPasswordSealed(s.in.Seal(comms.PhonePasswordOf(number), []byte(password))).SetCreatedAt(c.Now()).SetUpdatedAt(c.Now()).Save(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("store a telephone: %w", err)
	}
	phone.Edges.Rings, err = s.in.PutRings(ctx, c, phone.ID, in.Rings)
	return phone, password, err
}

// freePhoneNumber is the number that was asked for, if it is free, or one that is drawn: six digits, which is shorter than any telephone
// number of E.164 with its country's code, so that no call to an outside number goes to it by mistake.
func (s *Service) freePhoneNumber(ctx context.Context, c *comms.Change, wanted string) (string, error) {
	for range 100 {
		number := wanted
		if wanted == "" {
			number = strconv.Itoa(100_000 + rand.IntN(900_000))
		}
		taken, err := c.Tx().SipNumber.Query().Where(sipnumber.Number(number)).Exist(ctx)
		switch {
		case err != nil:
			return "", fmt.Errorf("look for a telephone: %w", err)
		case !taken:
			return number, nil
		case wanted != "":
			return "", comms.Refused(comms.Conflict, "number", comms.ReasonNone, "the number "+wanted+" is taken by a telephone")
		}
	}
	return "", &comms.Error{Code: comms.Unavailable, Text: "no free number was found, try again", RetryAfter: time.Second}
}

// UpdateSipNumber asks to change a telephone. Nil leaves a thing as it is.
type UpdateSipNumber struct {
	ID     uuid.UUID
	Rings  []string // not nil: exactly these
	Alias  *string
	Secure *bool
}

// UpdateSipNumber changes what a telephone is called, what it rings for and whether it must encrypt.
func (s *Service) UpdateSipNumber(ctx context.Context, in UpdateSipNumber) (phone *comms.SipNumber, err error) {
	if in.Alias != nil {
		if err := comms.CheckAlias(*in.Alias); err != nil {
			return nil, err
		}
	}
	if in.Rings, err = comms.CanonicalRings(in.Rings); err != nil {
		return nil, err
	}
	err = s.changePhone(ctx, in.ID, func(ctx context.Context, c *comms.Change, old *comms.SipNumber) error {
		update := c.Tx().SipNumber.UpdateOneID(old.ID).SetNillableAlias(in.Alias).SetNillableSecure(in.Secure).SetUpdatedAt(c.Now())
		if phone, err = update.Save(ctx); err != nil {
			return fmt.Errorf("store a telephone: %w", err)
		}
		phone.Edges.Rings = old.Edges.Rings
		if in.Rings != nil {
			if phone.Edges.Rings, err = s.in.PutRings(ctx, c, phone.ID, in.Rings); err != nil {
				return err
			}
		}
		c.Tell(&comms.Event{Kind: comms.PhoneUpdated, AccountID: phone.AccountID, Phone: phone})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return phone, nil
}

// ChangeSipPassword asks for another password of a telephone; empty: one is made.
type ChangeSipPassword struct {
	ID       uuid.UUID
	Password string
}

// ChangeSipPassword replaces a telephone's password. Who registered with the old one is registered no more: a password is changed because
// somebody has it who should not.
func (s *Service) ChangeSipPassword(ctx context.Context, in ChangeSipPassword) (*NewSipNumber, error) {
	if in.Password == "" {
		in.Password = comms.NewPhonePassword()
	} else if err := comms.CheckSipPassword("password", in.Password); err != nil {
		return nil, err
	}
	out := &NewSipNumber{Password: in.Password}
	err := s.changePhone(ctx, in.ID, func(ctx context.Context, c *comms.Change, phone *comms.SipNumber) (err error) {
		if err := s.dropContacts(ctx, c, phone); err != nil {
			return err
		}
		sealed := s.in.Seal(comms.PhonePasswordOf(phone.Number), []byte(in.Password))
		out.SipNumber, err = c.Tx().SipNumber.UpdateOneID(phone.ID).SetPasswordSealed(sealed).SetUpdatedAt(c.Now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("store a password: %w", err)
		}
		out.SipNumber.Edges.Rings = phone.Edges.Rings
		c.Tell(&comms.Event{Kind: comms.PhoneUpdated, AccountID: phone.AccountID, Phone: out.SipNumber})
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.contacts.forget(in.ID)
	return out, nil
}

// DeleteSipNumber removes a telephone; it is registered no more.
func (s *Service) DeleteSipNumber(ctx context.Context, id uuid.UUID) (gone *comms.SipNumber, err error) {
	err = s.changePhone(ctx, id, func(ctx context.Context, c *comms.Change, phone *comms.SipNumber) error {
		if err := s.dropContacts(ctx, c, phone); err != nil {
			return err
		}
		if err := c.Tx().SipNumber.DeleteOneID(phone.ID).Exec(ctx); err != nil {
			return fmt.Errorf("delete a telephone: %w", err)
		}
		gone = phone
		c.Tell(&comms.Event{Kind: comms.PhoneDeleted, AccountID: phone.AccountID, Phone: phone})
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.contacts.forget(id)
	return gone, nil
}

// changePhone is a change of one telephone of the caller's, with what it rings for.
func (s *Service) changePhone(ctx context.Context, id uuid.UUID, fn func(context.Context, *comms.Change, *comms.SipNumber) error) error {
	a, err := comms.Demand(ctx, comms.WriteNumbers)
	if err != nil {
		return err
	}
	return s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, a.AccountID); err != nil {
			return err
		}
		phone, err := c.Tx().SipNumber.Query().Where(sipnumber.ID(id), sipnumber.AccountID(a.AccountID)).WithRings(sortedRings).Only(ctx)
		if err != nil {
			return noPhone(err)
		}
		return fn(ctx, c, phone)
	})
}

// noPhone is what is answered for an id that is none, or another account's: ids of others don't exist.
func noPhone(err error) error {
	if ent.IsNotFound(err) {
		return comms.Refused(comms.NotFound, "id", comms.ReasonNone, "there is no such telephone")
	}
	return fmt.Errorf("read a telephone: %w", err)
}

// AuthenticatePhone finds the telephone of that number whose password proves what was sent: the room that speaks SIP computes the digest
// (RFC 8760). A number that is none and a wrong password are one answer, and take as long.
func (s *Service) AuthenticatePhone(ctx context.Context, number string, proves func(password string) bool) (*comms.SipNumber, error) {
	refused := comms.Refused(comms.Unauthenticated, "", comms.ReasonNone, "the number or its password is wrong")
	phone, err := s.byOwnNumber(ctx, number)
	if err != nil {
		return nil, err
	}
	if phone == nil {
		proves(nobodysPassword)
		return nil, refused
	}
	password, err := s.in.Open(comms.PhonePasswordOf(phone.Number), phone.PasswordSealed)
	if err != nil {
		return nil, err
	}
	if !proves(string(password)) {
		return nil, refused
	}
	return phone, nil
}

// byOwnNumber is the telephone with that number, all of its columns; nil: there is none. It is read for each call, so it is written out.
func (s *Service) byOwnNumber(ctx context.Context, number string) (p *comms.SipNumber, err error) {
	rows, err := s.in.Read().QueryContext(ctx, `SELECT id, account_id, number, password_sealed, secure, alias, created_at FROM sip_numbers WHERE number = $1`, number)
	if err != nil {
		return nil, fmt.Errorf("read a telephone: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		p = &comms.SipNumber{}
		if err := rows.Scan(&p.ID, &p.AccountID, &p.Number, &p.PasswordSealed, &p.Secure, &p.Alias, &p.CreatedAt); err != nil {
			return nil, fmt.Errorf("read a telephone: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read a telephone: %w", err)
	}
	return p, nil
}

// nobodysPassword has a space, so no telephone has it; what it proves is not asked.
var nobodysPassword = "no telephone has this " + clock.Now().Time().String()
