package comms

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// keyring holds one key for each use, all derived from the server's secret: what leaks through one use opens no other.
type keyring struct {
	box               cipher.AEAD
	lookupKey, jwtKey []byte
	linkKey           []byte
}

func newKeyring(secret []byte) (keyring, error) {
	var k keyring
	for use, to := range map[string]*[]byte{"lookup": &k.lookupKey, "jwt": &k.jwtKey, "link": &k.linkKey} {
		key, err := hkdf.Key(sha256.New, secret, nil, "switchboard "+use, 32)
		if err != nil {
			return keyring{}, fmt.Errorf("derive the %s key: %w", use, err)
		}
		*to = key
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "switchboard seal", 32)
	if err != nil {
		return keyring{}, fmt.Errorf("derive the seal key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return keyring{}, fmt.Errorf("seal key: %w", err)
	}
	if k.box, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return keyring{}, fmt.Errorf("seal key: %w", err)
	}
	return k, nil
}

// seal encrypts a secret that must be shown again. what names it and whose it is, so that a sealed value copied into another row or
// column doesn't open there.
func (k keyring) seal(what string, plain []byte) []byte {
	return k.box.Seal(nil, nil, plain, []byte(what))
}

func (k keyring) open(what string, sealed []byte) ([]byte, error) {
	plain, err := k.box.Open(nil, nil, sealed, []byte(what))
	if err != nil {
		kind, _, _ := strings.Cut(what, ":") // the rest may be somebody's credential, and this error is logged
		return nil, fmt.Errorf("open %s: the server's key is not the one that sealed it: %w", kind, err)
	}
	return plain, nil
}

// lookup is the hash under which a credential is stored and found. Keyed, so that a stolen database doesn't even tell whether
// a guess is right.
func (k keyring) lookup(what, secret string) []byte { return mac(k.lookupKey, what, secret) }

// link signs the parts of a link that is good without a credential.
func (k keyring) link(parts ...string) []byte { return mac(k.linkKey, parts...) }

// mac keeps the parts apart by their lengths: ("a", "bc") and ("ab", "c") differ.
func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(binary.AppendUvarint(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// newCredential is a fresh credential of 256 random bits behind a prefix that tells people and leak scanners what it is.
func newCredential(prefix string) string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// tokenHash is how an API token is stored: 256 random bits need neither salt nor slowness.
func tokenHash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// slowHash hashes what people choose: passwords and PINs. Each costs a processor tens of milliseconds, so as many run at once as there
// are processors, some wait, and the rest is told to come again.
type slowHash struct {
	cost    int
	none    []byte // a hash that nothing matches
	running chan struct{}
	waiting chan struct{}
}

// hashQueue is how many may be at it for each processor: some six seconds of work.
const hashQueue = 128

func newSlowHash(cost int) *slowHash {
	if cost == 0 {
		cost = bcrypt.DefaultCost
	}
	cost = min(max(cost, bcrypt.MinCost), bcrypt.MaxCost)
	n := runtime.NumCPU()
	return &slowHash{
		cost: cost,
		// Well-formed, so that comparing takes as long as with a real one; made without work, for a fast start.
		none:    []byte(fmt.Sprintf("$2a$%02d$%s", cost, strings.Repeat(".", 53))),
		running: make(chan struct{}, n),
		waiting: make(chan struct{}, n*hashQueue),
	}
}

// of is the hash to store.
func (h *slowHash) of(ctx context.Context, secret string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	b, err := bcrypt.GenerateFromPassword(bcryptInput(secret), h.cost)
	if err != nil {
		return "", fmt.Errorf("hash a secret: %w", err)
	}
	return string(b), nil
}

// matches compares; an empty hash matches nothing but takes as long, so that the time doesn't tell that there is none.
func (h *slowHash) matches(ctx context.Context, hash, secret string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	stored := []byte(hash)
	if hash == "" {
		stored = h.none
	}
	err := bcrypt.CompareHashAndPassword(stored, bcryptInput(secret))
	if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, fmt.Errorf("compare a secret: %w", err)
	}
	return err == nil && hash != "", nil
}

func (h *slowHash) enter(ctx context.Context) error {
	select {
	case h.waiting <- struct{}{}:
	default:
		return &Error{Code: Unavailable, Text: "too many people are logging in, try again", RetryAfter: time.Second}
	}
	select {
	case h.running <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.waiting
		return ctx.Err()
	}
}

func (h *slowHash) leave() {
	<-h.running
	<-h.waiting
}

// bcryptInput is what bcrypt is given: it reads 72 bytes at most, and takes "a" and "a\x00a" for the same.
func bcryptInput(secret string) []byte {
	if len(secret) <= 72 && !strings.Contains(secret, "\x00") {
		return []byte(secret)
	}
	h := sha256.Sum256([]byte("switchboard long password\n" + secret))
	return []byte(base64.RawStdEncoding.EncodeToString(h[:]))
}
