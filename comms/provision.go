package comms

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/account"
)

// Provision is what an operator wants to be there: accounts with all that is theirs. Whoever may call this verb may do everything; it is
// for the command line, not for a door.
//
// It can be asked for again and again. What is there stays, brought up to date where the wish says something; what the wish does not
// mention is left alone; no credential that exists is changed. All of it is done or nothing.
type Provision struct {
	Accounts []ProvisionAccount
	Trunks   []ProvisionTrunk
}

// ProvisionTrunk is a trunk by its name. Trunks are the server's, not an account's.
type ProvisionTrunk struct {
	Name string
	TrunkWish
}

// ProvisionAccount is one account. Empty strings and nil say nothing.
type ProvisionAccount struct {
	Email        string
	Password     string // only for an account that is new
	Plan         string
	Applications []ProvisionApplication
	Numbers      []ProvisionNumber
	Groups       []ProvisionGroup
	SipNumbers   []ProvisionSipNumber
}

// ProvisionApplication is an application by its name.
type ProvisionApplication struct {
	Name   string
	Record *bool
	Pool   []string // nil: as it is
}

// ProvisionNumber is a number of the account. The free plan's limit does not count here.
type ProvisionNumber struct {
	Number      string
	Alias       *string
	Ability     string
	Source      string
	Concurrency *int
	Line        *string
	AreaCode    *string
}

// ProvisionGroup is a group by its name.
type ProvisionGroup struct {
	Name    string
	Numbers []string // nil: as it is
}

// ProvisionSipNumber is a telephone.
type ProvisionSipNumber struct {
	Number   string
	Password string   // only for one that is new; empty: one is made
	Rings    []string // nil: as it is
}

// Provisioned is what is there now of what was wished for, with its credentials.
type Provisioned struct {
	Accounts []ProvisionedAccount
}

// ProvisionedAccount is one account with its credentials.
type ProvisionedAccount struct {
	Email        string
	ApiKey       string
	Applications []ProvisionedApplication
	Numbers      []*Number
	SipNumbers   []ProvisionedSipNumber
}

// ProvisionedApplication has what its requests are signed with: the privacy-call API with AccountToken and AppID, the
// number-pool API with AppKey and SecretKey.
type ProvisionedApplication struct {
	Name, AccountToken, AppID, AppKey, SecretKey string
}

// ProvisionedSipNumber is a telephone with its password.
type ProvisionedSipNumber struct {
	Number, Password string
}

// Provision makes it so. Where the wish is wrong the Error's Field says where, as accounts[0].numbers[2].ability.
func (s *Service) Provision(ctx context.Context, in Provision) (*Provisioned, error) {
	in, err := canonicalProvision(in)
	if err != nil {
		return nil, err
	}
	hashes, there, err := s.hashNewPasswords(ctx, in)
	if err != nil {
		return nil, err
	}
	var out *Provisioned
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		if err := s.store.Lock(ctx, c.tx, append(there, provisionKey, PhonesLock, TrunksLock)...); err != nil { // of two that load one file at once one makes what is new
			return err
		}
		for i, wish := range in.Trunks {
			if _, err := s.putTrunk(ctx, c, wish.Name, wish.TrunkWish); err != nil {
				return within(fmt.Sprintf("trunks[%d]", i), err)
			}
		}
		out = &Provisioned{Accounts: make([]ProvisionedAccount, len(in.Accounts))}
		for i, wish := range in.Accounts {
			p := provisioning{Service: s, change: c, wish: wish, out: &out.Accounts[i]}
			if err := p.all(ctx, hashes[wish.Email]); err != nil {
				return within(fmt.Sprintf("accounts[%d]", i), err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var provisionKey = uuid.NewSHA1(uuid.Nil, []byte("provision"))

// hashNewPasswords does the slow part for accounts that are not there yet before the change begins, and finds those that are.
func (s *Service) hashNewPasswords(ctx context.Context, in Provision) (hashes map[string]string, there []uuid.UUID, err error) {
	hashes = map[string]string{}
	for i, wish := range in.Accounts {
		id, err := s.store.Read().Account.Query().Where(account.Email(wish.Email), account.Active(true)).OnlyID(ctx)
		if err == nil {
			there = append(there, id)
			continue
		}
		if !ent.IsNotFound(err) {
			return nil, nil, fmt.Errorf("look for an email: %w", err)
		}
		if err := checkPassword(wish.Password); err != nil {
			return nil, nil, within(fmt.Sprintf("accounts[%d]", i), err)
		}
		if hashes[wish.Email], err = s.hash.of(ctx, wish.Password); err != nil {
			return nil, nil, err
		}
	}
	return hashes, there, nil
}

// within puts a place before the field of an Error.
func within(place string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	inner := *e
	inner.Field = place
	if e.Field != "" {
		inner.Field += "." + e.Field
	}
	return &inner
}
