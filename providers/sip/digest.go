package sip

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"switchboard/comms"
)

// doorman asks telephones for their passwords (RFC 3261 section 22, RFC 7616, RFC 8760). It remembers no challenge: a nonce carries its
// time and our signature, so that any process with the same secret knows it again.
type doorman struct {
	realm  string
	secret []byte

	mu    sync.Mutex
	last  int64                    // the stamp of the latest nonce: no two are alike, so no two callers' counts are mixed up
	used  *aging[uint64, int]      // the highest count that came with a nonce: what was overheard is not good a second time
	asked *aging[string, question] // who was asked lately
}

// question is what somebody was asked.
type question struct {
	at    time.Time
	plain bool // MD5 alone
}

const (
	nonceFor   = 5 * time.Minute
	mostNonces = 1 << 16
)

func newDoorman(realm string, secret []byte) *doorman {
	if len(secret) == 0 {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // it never fails (crypto/rand)
	}
	return &doorman{realm: realm, secret: secret, used: newAging[uint64, int](nonceFor, mostNonces),
		asked: newAging[string, question](time.Hour, mostNonces)}
}

func (d *doorman) nonce(now time.Time) string {
	d.mu.Lock()
	d.last = max(d.last+1, now.UnixMicro())
	stamp := d.last
	d.mu.Unlock()
	var b [24]byte
	binary.BigEndian.PutUint64(b[:8], uint64(stamp))
	copy(b[8:], d.sign(b[:8]))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (d *doorman) sign(stamp []byte) []byte {
	mac := hmac.New(sha256.New, d.secret)
	_, _ = mac.Write([]byte("sip nonce\x00" + d.realm + "\x00")) // a hash takes everything
	_, _ = mac.Write(stamp)                                      // as above
	return mac.Sum(nil)[:16]
}

// fresh tells whether a nonce is ours, and whether it is still good.
func (d *doorman) fresh(nonce string, now time.Time) (ours, good bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != 24 || !hmac.Equal(b[8:], d.sign(b[:8])) {
		return false, false
	}
	age := now.Sub(time.UnixMicro(int64(binary.BigEndian.Uint64(b[:8]))))
	return true, age > -time.Minute && age < nonceFor // another node's clock may be ahead of ours
}

// counted tells whether the count of a request is higher than any before it with this nonce.
func (d *doorman) counted(c *digest.Credentials, now time.Time) bool {
	key := maphash.String(tagSeed, c.Nonce+"\x00"+c.Username+"\x00"+c.Cnonce)
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.used.peek(key, now); ok && c.Nc <= last {
		return false
	}
	d.used.put(key, c.Nc, now)
	return true
}

// challenges are what a telephone may answer. MD5 comes first, though RFC 8760 section 2.4 would have the strongest there: telephones that
// know no other read only the first, while those that know SHA-256 look for it.
func (d *doorman) challenges(name string, plain, stale bool, now time.Time) []sip.Header {
	nonce := d.nonce(now)
	algorithms := []string{"MD5", "SHA-256"}
	if plain {
		algorithms = algorithms[:1]
	}
	var out []sip.Header
	for _, algorithm := range algorithms {
		c := digest.Challenge{Realm: d.realm, Nonce: nonce, Stale: stale, Algorithm: algorithm, QOP: []string{"auth"}}
		out = append(out, sip.NewHeader(name, c.String()))
	}
	return out
}

const answerWithin = 3 * time.Minute

// confused tells whether a telephone must be asked for MD5 alone. RFC 7616 section 3.7 has it pass over what it doesn't know, but some give
// up instead: libre, which is in baresip, up to version 1. Others are known by asking anew without having answered.
func (d *doorman) confused(agent, who string, now time.Time) bool {
	if strings.HasPrefix(agent, "baresip v0") || strings.HasPrefix(agent, "baresip v1") {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	last, ok := d.asked.get(who, now)
	plain := ok && (last.plain || now.Sub(last.at) < answerWithin)
	d.asked.put(who, question{at: now, plain: plain}, now)
	return plain
}

// asker is who sent a request, as the doorman remembers him.
func asker(source, user string) string { return cut(source+"\x00"+user, 200) }

// agentOf is the User-Agent of a request; empty: it names none.
func agentOf(req *sip.Request) string {
	if h := req.GetHeader("User-Agent"); h != nil {
		return h.Value()
	}
	return ""
}

// answered forgets that somebody was asked: he understood.
func (d *doorman) answered(req *sip.Request, now time.Time) {
	who := asker(req.Source(), req.From().Address.User)
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.asked.peek(who, now); ok && !last.plain {
		d.asked.put(who, question{}, now)
	}
}

// standing is how a request's credentials stand.
type standing int

const (
	noProof standing = iota // there are none for us, or such as are not understood
	stale                   // what they prove was asked too long ago, or they were shown before
	toProve                 // they can be checked
)

// read finds the credentials for our realm.
func (d *doorman) read(req *sip.Request, name string, now time.Time) (*digest.Credentials, standing) {
	for _, h := range req.GetHeaders(name) {
		c, err := digest.ParseCredentials(h.Value())
		if err != nil || c.Realm != d.realm || len(h.Value()) > 2048 {
			continue
		}
		if c.QOP != "auth" || c.Nc <= 0 || c.Cnonce == "" || c.Username == "" || hashOf(c.Algorithm) == nil || !sameUser(c.URI, req) {
			continue
		}
		ours, good := d.fresh(c.Nonce, now)
		switch {
		case !ours:
			continue
		case !good:
			return c, stale
		}
		return c, toProve
	}
	return nil, noProof
}

// sameUser tells whether what was hashed is for whom the request is. Hosts and parameters are changed on the way by many a router, and some
// programs (sipp among them) hash the server's address without a user, as for a REGISTER.
func sameUser(uri string, req *sip.Request) bool {
	var u sip.Uri
	if len(uri) > 512 || sip.ParseUri(uri, &u) != nil {
		return false
	}
	return u.User == "" || u.User == req.Recipient.User
}

func hashOf(algorithm string) func() hash.Hash {
	switch strings.ToUpper(algorithm) {
	case "", "MD5":
		return md5.New
	case "SHA-256":
		return sha256.New
	}
	return nil
}

// proves tells whether credentials were made with a password (RFC 7616 section 3.4.1). The time that it takes says nothing about either.
func proves(c *digest.Credentials, method, password string) bool {
	hashed := hashOf(c.Algorithm)
	sum := func(parts ...string) string {
		h := hashed()
		_, _ = h.Write([]byte(strings.Join(parts, ":"))) // a hash takes everything
		return hex.EncodeToString(h.Sum(nil))
	}
	want := sum(sum(c.Username, c.Realm, password), c.Nonce, countOf(c.Nc), c.Cnonce, c.QOP, sum(method, c.URI))
	return subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(c.Response))) == 1
}

func countOf(nc int) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(nc))
	return hex.EncodeToString(b[:])
}

// prove finds out which telephone sent a request. Where it says no, the answer was sent: a challenge, or a refusal.
func (s *Server) prove(req *sip.Request, tx sip.ServerTransaction) (*comms.SipNumber, bool) {
	ask, with, status, reason := "Proxy-Authenticate", "Proxy-Authorization", 407, "Proxy Authentication Required"
	if req.Method == sip.REGISTER {
		ask, with, status, reason = "WWW-Authenticate", "Authorization", 401, "Unauthorized"
	}
	now, from := time.Now(), sourceOf(req)
	c, how := s.doorman.read(req, with, now)
	if how != noProof {
		s.doorman.answered(req, now)
	}
	if how == toProve && !s.sources.may(from.Addr(), c.Username, now) {
		s.sources.wrong(from.Addr(), c.Username, now)
		s.refusals.Add(1)
		s.reply(tx, req, 503, "Too Many Wrong Passwords", sip.NewHeader("Retry-After", "60"))
		return nil, false
	}
	if how != toProve {
		plain := how == noProof && s.doorman.confused(agentOf(req), asker(req.Source(), req.From().Address.User), now)
		s.reply(tx, req, status, reason, s.doorman.challenges(ask, plain, how == stale, now)...)
		return nil, false
	}
	ctx, cancel := context.WithTimeout(s.life, ruleTime)
	defer cancel()
	phone, err := s.rules.AuthenticatePhone(ctx, c.Username, func(password string) bool { return proves(c, string(req.Method), password) })
	switch {
	case comms.IsCode(err, comms.Unauthenticated):
		s.sources.wrong(from.Addr(), c.Username, now)
		s.refusals.Add(1)
		s.reply(tx, req, 403, "Forbidden") // asking again would make many a telephone try for ever
		return nil, false
	case comms.IsCode(err, comms.Unavailable):
		s.log.WarnContext(ctx, "a telephone's password is not checked in time", "error", err)
		s.reply(tx, req, 503, "Service Unavailable", sip.NewHeader("Retry-After", "5"))
		return nil, false
	case err != nil:
		s.log.ErrorContext(ctx, "a telephone's password can't be checked", "error", err)
		s.reply(tx, req, 500, "Server Internal Error", sip.NewHeader("Retry-After", "10"))
		return nil, false
	case !s.doorman.counted(c, now):
		s.reply(tx, req, status, reason, s.doorman.challenges(ask, false, true, now)...)
		return nil, false
	}
	s.sources.trust(from.Addr(), now)
	if phone.Secure && !strings.EqualFold(req.Transport(), "TLS") {
		s.reply(tx, req, 403, "This Telephone Must Use TLS")
		return nil, false
	}
	return phone, true
}
