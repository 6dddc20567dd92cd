package comms

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/apitoken"
	"switchboard/ent/predicate"
)

// CreateApiToken asks for a credential that may do some of what the caller may do.
type CreateApiToken struct {
	Scopes         Scope
	TTL            time.Duration // 0: it never ends by itself
	Comment        string        // at most 255 characters
	IdempotencyKey string
}

// NewApiToken is the token with its value, which is shown this once (and again for the same idempotency key).
type NewApiToken struct {
	Token    *ApiToken
	Value    string
	Replayed bool
}

// CreateApiToken makes an API token. It can't do more than whoever makes it, nor for longer.
func (s *Service) CreateApiToken(ctx context.Context, in CreateApiToken) (*NewApiToken, error) {
	a, err := demand(ctx, WriteAccount)
	if err != nil {
		return nil, err
	}
	if err := in.check(a); err != nil {
		return nil, err
	}
	out := &NewApiToken{}
	key := onceKey{Scope: a.AccountID.String(), Key: in.IdempotencyKey, Verb: "createApiToken",
		Request: []any{in.Scopes.Names(), in.TTL, in.Comment}}
	out.Replayed, err = s.once(ctx, key, out, func(ctx context.Context, c *change) error {
		if err := s.lockAccount(ctx, c, a.AccountID); err != nil {
			return err
		}
		value := newCredential(apiTokenPrefix)
		create := c.tx.ApiToken.Create().SetAccountID(a.AccountID).SetHash(tokenHash(value)).SetComment(in.Comment).
			SetScopes(in.Scopes.Names()).SetCreatedAt(c.now)
		if in.TTL > 0 {
			create.SetExpiresAt(c.now.Add(in.TTL))
		}
		row, err := create.Save(ctx)
		if err != nil {
			return fmt.Errorf("store an API token: %w", err)
		}
		out.Token, out.Value = row, value
		c.tell(&Event{Kind: ApiTokenCreated, AccountID: a.AccountID, Token: row})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// maxTokenTTL keeps the end of a token within what every door can show.
const maxTokenTTL = 100 * 365 * 24 * time.Hour

func (in CreateApiToken) check(a *Actor) error {
	switch {
	case in.Scopes == 0 || in.Scopes&^allScopes != 0:
		return invalid("scopes", "at least one scope is needed")
	case !a.May(in.Scopes):
		return &Error{Code: Forbidden, Field: "scopes", Reason: ReasonScope, Text: "a token can't give a scope that it doesn't have"}
	case in.TTL < 0 || in.TTL > maxTokenTTL:
		return invalid("ttl", "the time to live must be positive, and at most a hundred years")
	case !a.ExpiresAt.IsZero() && a.TokenID != uuid.Nil && (in.TTL == 0 || time.Now().Add(in.TTL).After(a.ExpiresAt)):
		return invalid("ttl", "a token can't make one that outlives it")
	}
	return checkComment(in.Comment)
}

func checkComment(comment string) error {
	if !utf8.ValidString(comment) || utf8.RuneCountInString(comment) > 255 || strings.ContainsFunc(comment, unicode.IsControl) {
		return invalid("comment", "the comment must have at most 255 characters, and no control characters")
	}
	return nil
}

// RevokeApiToken ends a token with the commit.
func (s *Service) RevokeApiToken(ctx context.Context, id uuid.UUID) (*ApiToken, error) {
	a, err := demand(ctx, WriteAccount)
	if err != nil {
		return nil, err
	}
	ended, err := s.revoke(ctx, a, apitoken.ID(id))
	if err != nil {
		return nil, err
	}
	if len(ended) == 0 {
		return nil, notFound("id", "there is no such token")
	}
	return ended[0], nil
}

// RevokeApiTokens ends all tokens of the caller's account that have exactly this comment, and tells how many there were.
func (s *Service) RevokeApiTokens(ctx context.Context, comment string) (int, error) {
	a, err := demand(ctx, WriteAccount)
	if err != nil {
		return 0, err
	}
	if err := checkComment(comment); err != nil {
		return 0, err
	}
	ended, err := s.revoke(ctx, a, apitoken.Comment(comment))
	return len(ended), err
}

func (s *Service) revoke(ctx context.Context, a *Actor, which predicate.ApiToken) (ended []*ApiToken, err error) {
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		if err := s.lockAccount(ctx, c, a.AccountID); err != nil { // two who revoke the same: one tells of it
			return err
		}
		ended, err = c.tx.ApiToken.Query().Where(apitoken.AccountID(a.AccountID), which).Order(ent.Asc(apitoken.FieldCreatedAt)).All(ctx)
		if err != nil {
			return fmt.Errorf("look for API tokens: %w", err)
		}
		for _, t := range ended {
			if err := c.tx.ApiToken.DeleteOne(t).Exec(ctx); err != nil {
				return fmt.Errorf("revoke an API token: %w", err)
			}
			c.ended = append(c.ended, t.Hash)
			c.tell(&Event{Kind: ApiTokenRevoked, AccountID: a.AccountID, Token: t})
		}
		return nil
	})
	return ended, err
}

// ApiTokens lists the account's tokens, oldest first, without their values.
func (s *Service) ApiTokens(ctx context.Context, p Page) (*PageOf[*ApiToken], error) {
	a, err := demand(ctx, ReadAccount)
	if err != nil {
		return nil, err
	}
	return pageOf(ctx, s, p, list[*ApiToken]{name: 't', columns: byTime,
		place: func(t *ApiToken) place { return place{at: t.CreatedAt, id: t.ID} },
		read: func(ctx context.Context, w window) ([]*ApiToken, error) {
			return s.store.Read().ApiToken.Query().Where(apitoken.AccountID(a.AccountID), w.where).Order(w.order).Limit(w.limit).All(ctx)
		}})
}
