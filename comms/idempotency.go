package comms

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/idempotencykey"
	"switchboard/internal/clock"
)

// keyLife is how long the same key leads to the same result.
const keyLife = 24 * time.Hour

// onceKey names a request so that the same one again leads to nothing new.
type onceKey struct {
	Scope string // who may say it: the account's id; for registrations the email
	Key   string // the client's word; empty: this request is not to be remembered
	Verb  string
	// Request is what must be the same again, without secrets that are only ever kept as slow hashes: those are compared by the verb.
	Request any
}

// once is change for what must not happen twice. fn fills result, which is kept, sealed, with what fn wrote. When the same request was
// made before, result is filled from there, fn is not run and replayed is true.
func (s *Service) once(ctx context.Context, k onceKey, result any, fn func(ctx context.Context, c *change) error) (replayed bool, err error) {
	if k.Key == "" {
		return false, s.change(ctx, fn)
	}
	if err := checkKey(k.Key); err != nil {
		return false, err
	}
	request, err := json.Marshal(k.Request)
	if err != nil {
		return false, fmt.Errorf("encode a request: %w", err)
	}
	digest := s.keys.lookup("idempotency."+k.Verb, string(request))
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		// Who comes second waits here until the first is committed, and then finds the key.
		if err := s.store.Lock(ctx, c.tx, uuid.NewSHA1(uuid.Nil, []byte(k.Scope+"\x00"+k.Key))); err != nil {
			return err
		}
		if replayed, err = s.replay(ctx, c, k, digest, result); err != nil || replayed {
			return err
		}
		if err := fn(ctx, c); err != nil {
			return err
		}
		return s.remember(ctx, c, k, digest, result)
	})
	return replayed && err == nil, err
}

// remembers tells whether a request with that key was made before; what it was is for once to compare.
func (s *Service) remembers(ctx context.Context, k onceKey) (bool, error) {
	if k.Key == "" || checkKey(k.Key) != nil {
		return false, nil
	}
	there, err := s.store.Read().IdempotencyKey.Query().Where(idempotencykey.Scope(k.Scope), idempotencykey.Key(k.Key)).Exist(ctx)
	if err != nil {
		return false, fmt.Errorf("look for an idempotency key: %w", err)
	}
	return there, nil
}

func checkKey(key string) error {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.ValidString(key) || utf8.RuneCountInString(key) > 255 || strings.ContainsFunc(key, unprintable) {
		return invalid("idempotencyKey", "idempotencyKey must be 1 to 255 printable characters")
	}
	return nil
}

// replay looks for an earlier request under the key, and forgets one that is too old.
func (s *Service) replay(ctx context.Context, c *change, k onceKey, digest []byte, result any) (bool, error) {
	mine := idempotencykey.And(idempotencykey.Scope(k.Scope), idempotencykey.Key(k.Key))
	row, err := c.tx.IdempotencyKey.Query().Where(mine).Only(ctx)
	if ent.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for an idempotency key: %w", err)
	}
	if c.now.Sub(row.CreatedAt) >= keyLife {
		_, err := c.tx.IdempotencyKey.Delete().Where(mine).Exec(ctx)
		return false, err
	}
	if row.Verb != k.Verb || !hmac.Equal(row.Digest, digest) {
		return false, keyReused()
	}
	plain, err := s.keys.open(k.sealedAs(), row.Result)
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(plain, result); err != nil {
		return false, fmt.Errorf("decode the result of %s: %w", k.Verb, err)
	}
	return true, nil
}

func (s *Service) remember(ctx context.Context, c *change, k onceKey, digest []byte, result any) error {
	plain, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode the result of %s: %w", k.Verb, err)
	}
	err = c.tx.IdempotencyKey.Create().SetScope(k.Scope).SetKey(k.Key).SetVerb(k.Verb).SetDigest(digest).
		SetResult(s.keys.seal(k.sealedAs(), plain)).SetCreatedAt(c.now).Exec(ctx)
	if err != nil {
		return fmt.Errorf("store an idempotency key: %w", err)
	}
	return nil
}

func (k onceKey) sealedAs() string { return "idempotency:" + k.Scope + ":" + k.Key }

func keyReused() error {
	return conflict("idempotencyKey", ReasonKeyReused, "this idempotencyKey was used for a different request")
}

func (s *Service) sweepKeys(ctx context.Context, now clock.Micros) error {
	return s.inBatches(ctx, "sweep idempotency keys", func(ctx context.Context, c *change) (int, error) {
		ids, err := c.tx.IdempotencyKey.Query().Where(idempotencykey.CreatedAtLTE(now.Add(-keyLife))).Limit(sweepBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return c.tx.IdempotencyKey.Delete().Where(idempotencykey.IDIn(ids...)).Exec(ctx)
	})
}
