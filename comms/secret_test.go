package comms

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

func testKeys(t *testing.T, b byte) keyring {
	t.Helper()
	k, err := newKeyring(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealOpensOnlyWhereItWasSealed(t *testing.T) {
	k := testKeys(t, 1)
	sealed := k.seal("apikey:a", []byte("occ_x"))
	if got, err := k.open("apikey:a", sealed); err != nil || string(got) != "occ_x" {
		t.Fatalf("%q, %v", got, err)
	}
	if bytes.Contains(sealed, []byte("occ_x")) || bytes.Equal(sealed, k.seal("apikey:a", []byte("occ_x"))) {
		t.Error("the secret shows, or two seals of it are alike")
	}
	broken := bytes.Clone(sealed)
	broken[len(broken)-1] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"another row": func() ([]byte, error) { return k.open("apikey:b", sealed) },
		"another key": func() ([]byte, error) { return testKeys(t, 2).open("apikey:a", sealed) },
		"a bit":       func() ([]byte, error) { return k.open("apikey:a", broken) },
		"cut":         func() ([]byte, error) { return k.open("apikey:a", sealed[:3]) },
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if bytes.Equal(mac(k.lookupKey, "a", "bc"), mac(k.lookupKey, "ab", "c")) || bytes.Equal(k.lookup("a", "b"), k.link("a", "b")) {
		t.Error("parts or uses run into each other")
	}
}

func TestSlowHash(t *testing.T) {
	h, ctx := newSlowHash(4), t.Context()
	long := strings.Repeat("x", 72)
	for _, secret := range []string{"1234", "correct horse battery", long, long + "y", strings.Repeat("é", 500), "a\x00a"} {
		hash, err := h.of(ctx, secret)
		if err != nil {
			t.Fatal(err)
		}
		for _, try := range []string{secret, secret + "z", secret[:len(secret)-1], ""} {
			ok, err := h.matches(ctx, hash, try)
			if err != nil || ok != (try == secret) {
				t.Errorf("%q against %q: %v, %v", try, secret, ok, err)
			}
		}
	}
	hash, err := h.of(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.matches(ctx, hash, "a\x00a"); ok || err != nil { // bcrypt alone would take it
		t.Errorf("a zero byte hides what follows it: %v, %v", ok, err)
	}
	if ok, err := h.matches(ctx, "", "anything"); ok || err != nil {
		t.Errorf("nothing matched: %v, %v", ok, err)
	}
}

func TestSlowHashShedsLoad(t *testing.T) {
	h := newSlowHash(4)
	for range cap(h.running) { // as if all processors were at work
		h.running <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range cap(h.waiting) {
		wg.Go(func() {
			if _, err := h.of(ctx, "secret"); !errors.Is(err, context.Canceled) {
				t.Errorf("somebody who waited and left: %v", err)
			}
		})
	}
	for len(h.waiting) < cap(h.waiting) {
		runtime.Gosched()
	}
	if _, err := h.of(t.Context(), "one too many"); !IsCode(err, Unavailable) {
		t.Errorf("one too many: %v", err)
	}
	cancel()
	wg.Wait()
	for range cap(h.running) {
		<-h.running
	}
	if _, err := h.of(t.Context(), "after"); err != nil {
		t.Error(err)
	}
}

func TestSessionTokens(t *testing.T) {
	s := &Service{keys: testKeys(t, 1), auth: newCredentialCache()} // without a store: no token below may need a statement
	id := uuid.New()
	s.auth.learn(id)
	good, err := s.sessionToken(id, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Authenticate(t.Context(), Presented{Bearer: good})
	if err != nil || a.AccountID != id || !a.May(allScopes) || time.Until(a.ExpiresAt) < 59*time.Minute {
		t.Fatalf("%+v, %v", a, err)
	}
	for name, token := range badTokens(t, s, id, good) {
		a, err := s.Authenticate(t.Context(), Presented{Bearer: token})
		if a != nil || !IsCode(err, Unauthenticated) {
			t.Errorf("%s: %+v, %v", name, a, err)
		} else if strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
	if _, err := s.Authenticate(t.Context(), Presented{ApiKey: good}); !IsCode(err, Unauthenticated) {
		t.Errorf("a session token as X-API-Key: %v", err)
	}
	if a, err := s.Authenticate(t.Context(), Presented{}); a != nil || err != nil {
		t.Errorf("nobody: %+v, %v", a, err)
	}
}

// badTokens are session tokens that must not work, each for one reason.
func badTokens(t *testing.T, s *Service, id uuid.UUID, good string) map[string]string {
	t.Helper()
	sign := func(m jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		claims := jwt.MapClaims{"iss": "switchboard", "aud": "switchboard", "sub": id.String(),
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		change(claims)
		token, err := jwt.NewWithClaims(m, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	same := func(jwt.MapClaims) {}
	set := func(k string, v any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[k] = v } }
	without := func(k string) func(jwt.MapClaims) { return func(c jwt.MapClaims) { delete(c, k) } }
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	hs, key := jwt.SigningMethodHS256, s.keys.jwtKey
	if _, err := s.Authenticate(t.Context(), Presented{Bearer: sign(hs, key, same)}); err != nil {
		t.Fatalf("the claims below are not what spoils a token: %v", err)
	}
	return map[string]string{
		"alg none":       sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"HS512":          sign(jwt.SigningMethodHS512, key, same),
		"RS256":          sign(jwt.SigningMethodRS256, rsaKey, same),
		"another key":    sign(hs, testKeys(t, 2).jwtKey, same),
		"lookup key":     sign(hs, s.keys.lookupKey, same),
		"other issuer":   sign(hs, key, set("iss", "elsewhere")),
		"no issuer":      sign(hs, key, without("iss")),
		"other audience": sign(hs, key, set("aud", "elsewhere")),
		"no audience":    sign(hs, key, without("aud")),
		"expired":        sign(hs, key, set("exp", time.Now().Add(-time.Second).Unix())),
		"no expiry":      sign(hs, key, without("exp")),
		"from tomorrow":  sign(hs, key, set("iat", time.Now().Add(24*time.Hour).Unix())),
		"no subject":     sign(hs, key, without("sub")),
		"odd subject":    sign(hs, key, set("sub", "root")),
		"no signature":   good[:strings.LastIndexByte(good, '.')+1],
		"two parts":      good[:strings.LastIndexByte(good, '.')],
		"rubbish":        "rubbish",
		"huge":           strings.Repeat("a", 1<<20),
	}
}

// What was read before a credential ended must not be remembered after it.
func TestCredentialCacheForgetsExactly(t *testing.T) {
	c := newCredentialCache()
	_, seen := c.get("k")
	c.end([]byte("k"))
	c.put("k", &Actor{}, seen)
	if a, _ := c.get("k"); a != nil {
		t.Error("an ended key was remembered by somebody who read it before")
	}
	_, seen = c.get("k")
	c.put("k", &Actor{}, seen)
	if a, _ := c.get("k"); a == nil {
		t.Error("nothing is remembered")
	}
	c.end([]byte("k"))
	if a, _ := c.get("k"); a != nil {
		t.Error("the key did not end")
	}
	for i := range cachedCredentials + 1 {
		_, seen := c.get("")
		c.put(fmt.Sprint(i), &Actor{}, seen)
		c.learn(uuid.New())
	}
	if len(c.actors) > cachedCredentials || len(c.accounts) > cachedCredentials {
		t.Errorf("%d actors, %d accounts: no bound", len(c.actors), len(c.accounts))
	}
}

// Facts are shown to the account's programs: what is sensitive stays out of them.
func TestFactsHoldNoSecrets(t *testing.T) {
	b, err := json.Marshal(fact{
		Account: &Account{PasswordHash: "secret", APIKeyHash: []byte("secret"), APIKeySealed: []byte("secret"),
			AuthTokenHash: []byte("secret"), AuthTokenSealed: []byte("secret")},
		Number: &Number{PinHash: "secret"}, Token: &ApiToken{Hash: []byte("secret")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"secret", "c2VjcmV0"} { // as text and in base64
		if bytes.Contains(b, []byte(leak)) {
			t.Errorf("%s", b)
		}
	}
}
