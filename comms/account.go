package comms

import (
	"context"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/account"
	letters "switchboard/ent/mail"
	"switchboard/ent/predicate"
	"switchboard/internal/clock"
)

// Credentials are what an account is given when it registers or logs in.
type Credentials struct {
	Account  *Account
	Token    string // a session token: JWT
	ApiKey   string
	Replayed bool
}

// Register asks for a new account.
type Register struct{ Email, Password, IdempotencyKey string }

// registered is what is kept of a registration under its idempotency key.
type registered struct {
	AccountID    uuid.UUID
	PasswordHash string
}

// Register makes an account. Of two registrations of one email one is refused, whenever they come.
func (s *Service) Register(ctx context.Context, in Register) (*Credentials, error) {
	acc, replayed, err := s.register(ctx, in, nil)
	if err != nil {
		return nil, err
	}
	c, err := s.credentials(acc)
	if err == nil {
		c.Replayed = replayed
	}
	return c, err
}

// Activation is what an account waits for that is not active yet: that somebody shows the secret of which Hash was made.
type Activation struct {
	Hash []byte
	For  time.Duration                                            // how long it waits; after that the account is removed, and the email is free again
	Tell func(ctx context.Context, c *Change, acc *Account) error // called in the change that makes the account: posts the letter
}

// RegisterInactive makes an account as Register does, which nobody can log into before it is activated (comms/mail).
func (i Inside) RegisterInactive(ctx context.Context, in Register, wait Activation) (acc *Account, replayed bool, err error) {
	return i.s.register(ctx, in, &wait)
}

func (s *Service) register(ctx context.Context, in Register, wait *Activation) (acc *Account, replayed bool, err error) {
	if err := s.throttle.take("register", s.throttle.Register, originKeyOf(originOf(ctx))); err != nil {
		return nil, false, err
	}
	email, err := canonicalEmail(in.Email)
	if err != nil {
		return nil, false, err
	}
	if err := checkPassword(in.Password); err != nil {
		return nil, false, err
	}
	if in.IdempotencyKey == "" { // a taken email is not worth a slow hash
		taken, err := s.store.Read().Account.Query().Where(account.Email(email), lasting(clock.Now())).Exist(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("look for an email: %w", err)
		}
		if taken {
			return nil, false, emailTaken()
		}
	}
	hash, err := s.hash.of(ctx, in.Password)
	if err != nil {
		return nil, false, err
	}
	acc, result, replayed, err := s.createAccount(ctx, newAccount{email, hash, wait}, in.IdempotencyKey)
	if err != nil || !replayed {
		return acc, false, err
	}
	// The same email and key: the same request only if the password is the same too.
	same, err := s.hash.matches(ctx, result.PasswordHash, in.Password)
	if err != nil {
		return nil, false, err
	}
	if !same {
		return nil, false, keyReused()
	}
	acc, err = s.store.Read().Account.Get(ctx, result.AccountID)
	if ent.IsNotFound(err) {
		return nil, false, keyReused() // the account that it made was never activated, and is gone
	}
	if err != nil {
		return nil, false, fmt.Errorf("read an account: %w", err)
	}
	return acc, true, nil
}

// newAccount is an account that is about to be made; one that waits for nothing is active at once.
type newAccount struct {
	email, passwordHash string
	wait                *Activation
}

func (s *Service) createAccount(ctx context.Context, n newAccount, key string) (acc *Account, r registered, replayed bool, err error) {
	request := onceKey{Scope: "register:" + n.email, Key: key, Verb: "register", Request: n.email}
	if n.wait != nil {
		request.Verb = "registerByMail"
	}
	replayed, err = s.once(ctx, request, &r, func(ctx context.Context, c *change) error {
		if err := s.freeEmail(ctx, c, n.email); err != nil {
			return err
		}
		if acc, err = s.insertAccount(ctx, c, n); err != nil {
			return err
		}
		r = registered{AccountID: acc.ID, PasswordHash: n.passwordHash}
		if n.wait == nil {
			return nil
		}
		return n.wait.Tell(ctx, c, acc)
	})
	return acc, r, replayed, err
}

// freeEmail refuses an email that an account has. It is asked before the insert: a statement that fails would fail the whole transaction.
// The unique index settles the race. An account that was not activated in time has no email any more.
func (s *Service) freeEmail(ctx context.Context, c *change, email string) error {
	acc, err := c.tx.Account.Query().Where(account.Email(email)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for an email: %w", err)
	}
	if !expired(acc, c.now) {
		return emailTaken()
	}
	return removeInactive(ctx, c, acc.ID)
}

// lasting are accounts that are active, or that may still be activated.
func lasting(now clock.Micros) predicate.Account {
	return account.Or(account.Active(true), account.ActivationUntilGT(now))
}

// expired tells whether nobody can have the account any more: it was not activated in time.
func expired(acc *Account, now clock.Micros) bool {
	return !acc.Active && (acc.ActivationUntil == nil || *acc.ActivationUntil <= now)
}

// removeInactive removes accounts that were never activated. Nothing hangs on them but letters: nobody ever had a credential for them.
func removeInactive(ctx context.Context, c *change, ids ...uuid.UUID) error {
	if _, err := c.tx.Mail.Delete().Where(letters.AccountIDIn(ids...)).Exec(ctx); err != nil {
		return fmt.Errorf("remove the letters of an account: %w", err)
	}
	if _, err := c.tx.Account.Delete().Where(account.IDIn(ids...), account.Active(false)).Exec(ctx); err != nil {
		return fmt.Errorf("remove an account that was never activated: %w", err)
	}
	return nil
}

// sweepInactive removes the accounts that were not activated in time.
func (s *Service) sweepInactive(ctx context.Context, now clock.Micros) error {
	return s.inBatches(ctx, "sweep accounts that were never activated", func(ctx context.Context, c *change) (int, error) {
		ids, err := c.tx.Account.Query().Where(account.Active(false), account.ActivationUntilLTE(now)).Limit(sweepBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return len(ids), removeInactive(ctx, c, ids...)
	})
}

// insertAccount writes a new account with a fresh API key.
func (s *Service) insertAccount(ctx context.Context, c *change, n newAccount) (*Account, error) {
	id, key := uuid.New(), newCredential(apiKeyPrefix)
	create := c.tx.Account.Create().SetID(id).SetEmail(n.email).SetPasswordHash(n.passwordHash).SetCreatedAt(c.now).
		SetAPIKeyHash(s.keys.lookup("apikey", key)).SetAPIKeySealed(s.keys.seal(apiKeyOf(id), []byte(key)))
	if n.wait != nil {
		create.SetActive(false).SetActivationHash(n.wait.Hash).SetActivationUntil(c.now.Add(n.wait.For))
	}
	acc, err := create.Save(ctx)
	if ent.IsConstraintError(err) {
		return nil, emailTaken()
	}
	if err != nil {
		return nil, fmt.Errorf("store an account: %w", err)
	}
	return acc, nil
}

func apiKeyOf(account uuid.UUID) string { return "apikey:" + account.String() }

func emailTaken() error {
	return conflict("email", ReasonEmailTaken, "an account with this email exists already")
}

// Login gives an account its credentials for its password. What was wrong is not told: whether an email is registered is nobody's
// business.
func (s *Service) Login(ctx context.Context, email, password string) (*Credentials, error) {
	if err := s.throttle.take("login.from", s.throttle.Login, originKeyOf(originOf(ctx))); err != nil {
		return nil, err
	}
	email, malformed := canonicalEmail(email)
	var acc *Account
	if malformed == nil {
		if err := s.throttle.take("login.as", s.throttle.Login, email); err != nil {
			return nil, err
		}
		var err error
		acc, err = s.store.Read().Account.Query().Where(account.Email(email)).Only(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return nil, fmt.Errorf("look for an email: %w", err)
		}
	}
	hash := ""
	if acc != nil && !expired(acc, clock.Now()) && len(password) <= maxPassword {
		hash = acc.PasswordHash
	}
	ok, err := s.hash.matches(ctx, hash, password[:min(len(password), maxPassword)])
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{Code: Unauthenticated, Field: "password", Text: "the email or the password is wrong"}
	}
	s.throttle.forgive("login.as", email)
	if !acc.Active {
		return nil, &Error{Code: Forbidden, Field: "email", Reason: ReasonNotActivated,
			Text: "the account is not active yet: follow the link in the mail that was sent to its address"}
	}
	return s.credentials(acc)
}

func (s *Service) credentials(acc *Account) (*Credentials, error) {
	token, err := s.sessionToken(acc.ID, clock.Now().Add(s.limits.TokenTTL).Time())
	if err != nil {
		return nil, err
	}
	key, err := s.keys.open(apiKeyOf(acc.ID), acc.APIKeySealed)
	if err != nil {
		return nil, err
	}
	s.auth.learn(acc.ID)
	return &Credentials{Account: acc, Token: token, ApiKey: string(key)}, nil
}

// Me is the caller's account.
func (s *Service) Me(ctx context.Context) (*Account, error) {
	a, err := demand(ctx, ReadAccount)
	if err != nil {
		return nil, err
	}
	return s.account(ctx, a)
}

func (s *Service) account(ctx context.Context, a *Actor) (*Account, error) {
	acc, err := s.store.Read().Account.Get(ctx, a.AccountID)
	if ent.IsNotFound(err) {
		return nil, badCredential(nil)
	}
	if err != nil {
		return nil, fmt.Errorf("read an account: %w", err)
	}
	return acc, nil
}

// ApiKey shows the account's API key again. The key may do everything, so whoever asks must be allowed everything.
func (s *Service) ApiKey(ctx context.Context) (string, error) {
	a, err := demand(ctx, allScopes)
	if err != nil {
		return "", err
	}
	acc, err := s.account(ctx, a)
	if err != nil {
		return "", err
	}
	key, err := s.keys.open(apiKeyOf(acc.ID), acc.APIKeySealed)
	return string(key), err
}

// RegenerateApiKey makes a new API key; the old one ends with the commit. The same idempotencyKey again answers the first result.
func (s *Service) RegenerateApiKey(ctx context.Context, idempotencyKey string) (key string, replayed bool, err error) {
	a, err := demand(ctx, allScopes)
	if err != nil {
		return "", false, err
	}
	key = newCredential(apiKeyPrefix)
	once := onceKey{Scope: a.AccountID.String(), Key: idempotencyKey, Verb: "regenerateApiKey"}
	replayed, err = s.once(ctx, once, &key, func(ctx context.Context, c *change) error {
		if err := s.lockAccount(ctx, c, a.AccountID); err != nil {
			return err
		}
		acc, err := c.tx.Account.Get(ctx, a.AccountID)
		if err != nil {
			return fmt.Errorf("read an account: %w", err)
		}
		c.ended = append(c.ended, acc.APIKeyHash)
		acc, err = acc.Update().SetAPIKeyHash(s.keys.lookup("apikey", key)).
			SetAPIKeySealed(s.keys.seal(apiKeyOf(acc.ID), []byte(key))).Save(ctx)
		if err != nil {
			return fmt.Errorf("store an API key: %w", err)
		}
		c.tell(&Event{Kind: ApiKeyRegenerated, AccountID: acc.ID, Account: acc})
		return nil
	})
	if err != nil {
		return "", false, err
	}
	return key, replayed, nil
}

// IssueToken is a fresh session token for the caller's account; like the API key it may do everything.
func (s *Service) IssueToken(ctx context.Context) (string, error) {
	a, err := demand(ctx, allScopes)
	if err != nil {
		return "", err
	}
	return s.sessionToken(a.AccountID, a.capped(s.limits.TokenTTL))
}

// matrixID is @localpart:server as the Matrix specification has it, historical localparts included (appendices, "User Identifiers").
var matrixID = regexp.MustCompile(`^@[!-9;-~]+:([0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)

// SetMatrixID notes under what name the account's owner is known to Matrix.
func (s *Service) SetMatrixID(ctx context.Context, id string) (*Account, error) {
	a, err := demand(ctx, WriteAccount)
	if err != nil {
		return nil, err
	}
	if len(id) > 255 || !matrixID.MatchString(id) {
		return nil, invalid("matrixId", "matrixId must look like @name:server and have at most 255 characters")
	}
	return s.updateAccount(ctx, a.AccountID, func(u *ent.AccountUpdateOne) { u.SetMatrixID(id) })
}

// ClearMatrixID forgets it: no more notices go there.
func (s *Service) ClearMatrixID(ctx context.Context) (*Account, error) {
	a, err := demand(ctx, WriteAccount)
	if err != nil {
		return nil, err
	}
	return s.updateAccount(ctx, a.AccountID, func(u *ent.AccountUpdateOne) { u.ClearMatrixID() })
}

// updateAccount changes one account and tells of it.
func (s *Service) updateAccount(ctx context.Context, id uuid.UUID, set func(*ent.AccountUpdateOne)) (acc *Account, err error) {
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		if err := s.lockAccount(ctx, c, id); err != nil {
			return err
		}
		u := c.tx.Account.UpdateOneID(id)
		set(u)
		if acc, err = u.Save(ctx); err != nil {
			return err
		}
		c.tell(&Event{Kind: AccountUpdated, AccountID: id, Account: acc})
		return s.matrixChanged(ctx, c, acc)
	})
	if ent.IsNotFound(err) {
		return nil, notFound("accountId", "there is no such account")
	}
	return acc, err
}

// canonicalEmail is the address in lower case: emails are compared without letter case (OpenCloud).
func canonicalEmail(email string) (string, error) {
	if len(email) <= 254 && utf8.ValidString(email) {
		if parsed, err := mail.ParseAddress(email); err == nil && parsed.Address == email {
			return strings.ToLower(email), nil
		}
	}
	return "", invalid("email", "email is not an email address")
}

const maxPassword = 1024

func checkPassword(password string) error {
	switch {
	case !utf8.ValidString(password):
		return invalid("password", "the password is not UTF-8")
	case utf8.RuneCountInString(password) < 8:
		return invalid("password", "the password must have at least 8 characters")
	case len(password) > maxPassword:
		return invalid("password", "the password must have at most %d bytes", maxPassword)
	}
	return nil
}
