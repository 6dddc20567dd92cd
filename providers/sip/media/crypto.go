package media

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/srtp/v3"
)

// SDES (RFC 4568): each side writes the key that it encrypts with into its description, which TLS protects on its way.
const (
	suite80    = "AES_CM_128_HMAC_SHA1_80"
	suite32    = "AES_CM_128_HMAC_SHA1_32"
	keySize    = 16
	saltSize   = 14
	replaySize = 64 // packets within which a repeated one is noticed (RFC 3711, section 3.3.2)
)

// suites are in the order in which we offer them.
var suites = []string{suite80, suite32}

func profileOf(suite string) (srtp.ProtectionProfile, bool) {
	switch suite {
	case suite80:
		return srtp.ProtectionProfileAes128CmHmacSha1_80, true
	case suite32:
		return srtp.ProtectionProfileAes128CmHmacSha1_32, true
	}
	return 0, false
}

// crypto is one a=crypto line.
type crypto struct {
	tag   int
	suite string
	key   string // key and salt, as bytes
}

// parseCrypto reads "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31|1:4 PARAM...". A line that asks for what we don't do is passed over, for
// there may be another: a key identifier (MKI), more than one key, and every parameter, most of which weaken the stream.
func parseCrypto(value string) (crypto, bool) {
	parts := strings.Fields(value)
	if len(parts) != 3 {
		return crypto{}, false
	}
	tag, err := strconv.Atoi(parts[0])
	if _, known := profileOf(parts[1]); err != nil || tag < 0 || !known {
		return crypto{}, false
	}
	key, ok := strings.CutPrefix(parts[2], "inline:")
	key, rest, _ := strings.Cut(key, "|")
	raw, err := base64.StdEncoding.DecodeString(key)
	if !ok || strings.ContainsAny(rest, ":;") || err != nil || len(raw) != keySize+saltSize {
		return crypto{}, false
	}
	return crypto{tag: tag, suite: parts[1], key: string(raw)}, true
}

func (c crypto) String() string {
	return fmt.Sprintf("%d %s inline:%s", c.tag, c.suite, base64.StdEncoding.EncodeToString([]byte(c.key)))
}

func newKey() string {
	b := make([]byte, keySize+saltSize)
	_, _ = rand.Read(b) // crypto/rand never fails
	return string(b)
}

// context makes one direction's cipher.
func (c crypto) context(options ...srtp.ContextOption) (*srtp.Context, error) {
	profile, _ := profileOf(c.suite)
	ctx, err := srtp.CreateContext([]byte(c.key[:keySize]), []byte(c.key[keySize:]), profile, options...)
	if err != nil {
		return nil, fmt.Errorf("media: SRTP: %w", err)
	}
	return ctx, nil
}

// securing is the SRTP of a leg: its own keys, one for each suite, made once, and what was agreed last.
type securing struct {
	keys       map[string]string
	mine, peer crypto
}

// own is the line with our key for a suite. It stays the same for as long as the leg lives, so that our packets' index goes on counting
// through every re-INVITE (RFC 3711, section 3.2.1).
func (s *securing) own(tag int, suite string) crypto {
	if s.keys == nil {
		s.keys = map[string]string{}
	}
	if s.keys[suite] == "" {
		s.keys[suite] = newKey()
	}
	return crypto{tag: tag, suite: suite, key: s.keys[suite]}
}

// agree makes the ciphers for two lines that belong together. A direction whose key is as before is left alone.
func (l *Leg) agree(mine, peer crypto) error {
	s := &l.session.securing
	if s.mine.key != mine.key || s.mine.suite != mine.suite {
		ctx, err := mine.context()
		if err != nil {
			return err
		}
		l.out.mu.Lock()
		l.out.srtp, l.out.secured = ctx, make([]byte, 0, packetRoom)
		l.out.mu.Unlock()
	}
	if s.peer.key != peer.key || s.peer.suite != peer.suite {
		ctx, err := peer.context(srtp.SRTPReplayProtection(replaySize), srtp.SRTCPReplayProtection(replaySize))
		if err != nil {
			return err
		}
		l.in.mu.Lock()
		l.in.srtp = ctx
		l.in.mu.Unlock()
	}
	s.mine, s.peer = mine, peer
	return nil
}

// disagree goes back to plain RTP, where a later description asks for it and it is allowed.
func (l *Leg) disagree() {
	l.session.securing.mine, l.session.securing.peer = crypto{}, crypto{}
	l.out.mu.Lock()
	l.out.srtp = nil
	l.out.mu.Unlock()
	l.in.mu.Lock()
	l.in.srtp = nil
	l.in.mu.Unlock()
}
