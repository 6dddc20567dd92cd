package comms

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/ent/apitoken"
	"switchboard/internal/clock"
)

const (
	issuer         = "switchboard" // of session tokens, and their audience
	apiKeyPrefix   = "occ_"        // documented by OpenCloud
	apiTokenPrefix = "swb_"
)

// Presented is what a caller showed to say who he is. A session token, an API token and an API key are all taken as Bearer.
type Presented struct{ Bearer, ApiKey string }

// Authenticate tells who shows these credentials; nil where none were shown. Bearer counts if both are there.
func (s *Service) Authenticate(ctx context.Context, p Presented) (*Actor, error) {
	shown := p.Bearer
	if shown == "" {
		shown = p.ApiKey
	}
	switch {
	case shown == "":
		return nil, nil
	case len(shown) > 4096:
		return nil, badCredential(nil)
	case strings.HasPrefix(shown, apiKeyPrefix):
		return s.byKey(ctx, s.keys.lookup("apikey", shown), s.findApiKey)
	case strings.HasPrefix(shown, apiTokenPrefix):
		return s.byKey(ctx, tokenHash(shown), s.findApiToken)
	case p.Bearer == "":
		return nil, badCredential(nil) // an X-API-Key that is none
	default:
		return s.bySession(ctx, shown)
	}
}

func badCredential(cause error) error {
	return &Error{Code: Unauthenticated, Text: "the credential is not valid", Err: cause}
}

// sessionParser takes what sessionToken makes and nothing else: no other algorithm (RFC 8725, 3.1), issuer or audience.
var sessionParser = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer),
	jwt.WithAudience(issuer), jwt.WithExpirationRequired(), jwt.WithIssuedAt())

// sessionToken is a JWT for the account.
func (s *Service) sessionToken(account uuid.UUID, expires time.Time) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{issuer}, Subject: account.String(),
		IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(expires),
	}).SignedString(s.keys.jwtKey)
	if err != nil {
		return "", fmt.Errorf("sign a session token: %w", err)
	}
	return token, nil
}

// bySession remembers the tokens that it verified, by their hash: a verification costs as much as all else that a small request does
// outside of the store.
func (s *Service) bySession(ctx context.Context, token string) (*Actor, error) {
	hash := sha256.Sum256([]byte(token))
	key := "session:" + string(hash[:])
	a, seen := s.auth.get(key)
	if a == nil {
		var err error
		if a, err = s.verifySession(ctx, token); err != nil {
			return nil, err
		}
		s.auth.put(key, a, seen)
	}
	if !time.Now().Before(a.ExpiresAt) {
		return nil, sessionExpired()
	}
	return a, nil
}

func sessionExpired() error {
	return &Error{Code: Unauthenticated, Text: "the session token has expired"}
}

func (s *Service) verifySession(ctx context.Context, token string) (*Actor, error) {
	var claims jwt.RegisteredClaims
	if _, err := sessionParser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return s.keys.jwtKey, nil }); err != nil {
		if errors.Is(err, jwt.ErrTokenExpired) {
			return nil, sessionExpired()
		}
		return nil, badCredential(nil)
	}
	id, err := uuid.Parse(claims.Subject)
	if err != nil {
		return nil, badCredential(nil)
	}
	if !s.auth.knows(id) {
		there, err := s.store.Read().Account.Query().Where(account.ID(id)).Exist(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for an account: %w", err)
		}
		if !there {
			return nil, badCredential(nil)
		}
		s.auth.learn(id)
	}
	return &Actor{AccountID: id, Scopes: allScopes, ExpiresAt: claims.ExpiresAt.Time}, nil
}

// byKey finds the actor of a stored credential. Where another process can end a credential, each use asks the store: an ended key
// ends at once, everywhere.
func (s *Service) byKey(ctx context.Context, hash []byte, find func(context.Context, []byte) (*Actor, error)) (*Actor, error) {
	cached := s.store.Ordered()
	a, seen := (*Actor)(nil), uint64(0)
	if cached {
		a, seen = s.auth.get(string(hash))
	}
	if a == nil {
		var err error
		if a, err = find(ctx, hash); err != nil {
			return nil, err
		}
		if cached {
			s.auth.put(string(hash), a, seen)
		}
	}
	if !a.ExpiresAt.IsZero() && !time.Now().Before(a.ExpiresAt) {
		return nil, &Error{Code: Unauthenticated, Text: "the API token has expired"}
	}
	return a, nil
}

func (s *Service) findApiKey(ctx context.Context, hash []byte) (*Actor, error) {
	id, err := s.store.Read().Account.Query().Where(account.APIKeyHash(hash)).OnlyID(ctx)
	if ent.IsNotFound(err) {
		return nil, badCredential(nil)
	}
	if err != nil {
		return nil, fmt.Errorf("look for an API key: %w", err)
	}
	return &Actor{AccountID: id, Scopes: allScopes}, nil
}

func (s *Service) findApiToken(ctx context.Context, hash []byte) (*Actor, error) {
	t, err := s.store.Read().ApiToken.Query().Where(apitoken.Hash(hash)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, badCredential(nil)
	}
	if err != nil {
		return nil, fmt.Errorf("look for an API token: %w", err)
	}
	a := &Actor{AccountID: t.AccountID, TokenID: t.ID}
	for _, name := range t.Scopes {
		a.Scopes |= ScopeNamed(name)
	}
	if t.ExpiresAt != nil {
		a.ExpiresAt = t.ExpiresAt.Time()
	}
	return a, nil
}

// credentialCache spares statements: which accounts there are (none is ever removed), and whose the keys and tokens are that were
// shown. It is bounded: when it is full it starts anew.
type credentialCache struct {
	mu       sync.RWMutex
	accounts map[uuid.UUID]struct{}
	actors   map[string]*Actor
	ended    uint64 // counts ends of credentials: what was read before one may be wrong after it
}

const cachedCredentials = 50_000

func newCredentialCache() *credentialCache {
	return &credentialCache{accounts: map[uuid.UUID]struct{}{}, actors: map[string]*Actor{}}
}

func (c *credentialCache) knows(id uuid.UUID) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.accounts[id]
	return ok
}

func (c *credentialCache) learn(id uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.accounts) >= cachedCredentials {
		clear(c.accounts)
	}
	c.accounts[id] = struct{}{}
}

// get is the actor of a hash, or nil and what put wants to know of the moment before the store is asked.
func (c *credentialCache) get(hash string) (*Actor, uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.actors[hash], c.ended
}

func (c *credentialCache) put(hash string, a *Actor, seen uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != seen {
		return
	}
	if len(c.actors) >= cachedCredentials {
		clear(c.actors)
	}
	c.actors[hash] = a
}

// end forgets credentials. It is called after the commit that ended them, before their owner is told so.
func (c *credentialCache) end(hashes ...[]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended++
	for _, h := range hashes {
		delete(c.actors, string(h))
	}
}

// capped is when a session token ends that this actor asks for: never later than what he showed for it, if that was an API token.
func (a *Actor) capped(ttl time.Duration) time.Time {
	at := clock.Now().Add(ttl).Time()
	if a.TokenID != uuid.Nil && !a.ExpiresAt.IsZero() && a.ExpiresAt.Before(at) {
		return a.ExpiresAt
	}
	return at
}
