package mail

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/account"
)

// ActivationPath is where the page of the link is, under the address of this server; the token follows.
const ActivationPath = "/auth/activate/"

// linkLife is how long the link is good (contract of the call-records API).
const linkLife = 24 * time.Hour

// RegisterByMail asks for a new account that its owner must activate.
type RegisterByMail struct {
	Email, Password, IdempotencyKey string
	Base                            string // the address under which the client reaches this server
}

// Registered is the account that came of it, inactive.
type Registered struct {
	Account  *comms.Account
	Replayed bool
}

// RegisterByMail makes an account that nobody can log into, and posts a letter with the link that activates it. An account that is not
// activated while the link is good is removed.
func (s *Service) RegisterByMail(ctx context.Context, in RegisterByMail) (*Registered, error) {
	base, err := url.Parse(in.Base)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, comms.Refused(comms.Invalid, "base", comms.ReasonNone, "the address of this server is not known: send a Host header")
	}
	token := newToken()
	acc, replayed, err := s.in.RegisterInactive(ctx, comms.Register{Email: in.Email, Password: in.Password, IdempotencyKey: in.IdempotencyKey},
		comms.Activation{Hash: s.in.Lookup("activation", token), For: linkLife, Tell: func(ctx context.Context, c *comms.Change, acc *comms.Account) error {
			return s.Post(ctx, c, Letter{Account: acc.ID, To: acc.Email, Subject: "Activate your account",
				Text: fmt.Sprintf(invitation, base.Host, in.Base+ActivationPath+token)})
		}})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return &Registered{acc, replayed}, nil
}

// invitation is plain ASCII in short lines but for the link, which no mail program may break.
const invitation = `Hello,

somebody, probably you, has made an account at %s for this address.
To activate it, open this link within 24 hours:

%s

The link is good once. If it was not you, do nothing: without it the
account is removed.
`

// newToken is 256 random bits for an address.
func newToken() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Activate makes the account of that link active. The link is good once; a second time tells that it was used, for many mail programs look at
// a link before their owner does.
func (s *Service) Activate(ctx context.Context, token string) (acc *comms.Account, err error) {
	id, err := s.in.Read().Account.Query().Where(account.ActivationHash(s.in.Lookup("activation", token))).OnlyID(ctx)
	if ent.IsNotFound(err) {
		return nil, noSuchLink()
	}
	if err != nil {
		return nil, fmt.Errorf("look for an activation: %w", err)
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, id); err != nil {
			return err
		}
		acc, err = c.Tx().Account.Get(ctx, id)
		switch {
		case ent.IsNotFound(err):
			return noSuchLink()
		case err != nil:
			return fmt.Errorf("read an account: %w", err)
		case acc.Active:
			return comms.Refused(comms.Conflict, "token", comms.ReasonNone, "this link was used before, perhaps by your mail program: the account is active, you can log in")
		case acc.ActivationUntil == nil || *acc.ActivationUntil <= c.Now():
			return noSuchLink()
		}
		if acc, err = acc.Update().SetActive(true).Save(ctx); err != nil {
			return fmt.Errorf("activate an account: %w", err)
		}
		c.Tell(&comms.Event{Kind: comms.AccountUpdated, AccountID: acc.ID, Account: acc})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return acc, nil
}

// noSuchLink is the answer for a link that never was and for one that is too old: the account that it was for is gone.
func noSuchLink() error {
	return comms.Refused(comms.NotFound, "token", comms.ReasonLinkExpired, "this link is not known, or older than 24 hours: register again")
}
