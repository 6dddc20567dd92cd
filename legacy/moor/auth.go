package moor

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/pool"
)

// rules are the verbs by which a request proves who it is.
type rules interface {
	SpendSignature(ctx context.Context, door, signed string) error
}

// keys finds the application of a key, and the secret that it signs with.
type keys interface {
	ApplicationKey(ctx context.Context, appKey string) (*comms.Application, []byte, error)
}

var (
	_ rules = (*call.Service)(nil)
	_ keys  = (*pool.Service)(nil)
)

// What a request proves itself with (documented).
const (
	headKey   = "m7-appkey"
	headTime  = "m7-timestamp"
	headNonce = "m7-nonce"
	headSign  = "m7-sign"
)

const (
	stampOff  = 5 * time.Minute // documented
	mostOfOne = 64              // characters of a header; the document's have 44 at most
)

// authenticate tells which application asks. It looks at one thing after the other: the headers, the time, the signature, and last whether that
// was used before, so that only who can sign makes the server remember anything. The secret that it finds is the request's: what its envelope may not tell.
func (d *door) authenticate(q *request) (*comms.Application, error) {
	var key, stamp, nonce, sign string
	for name, to := range map[string]*string{headKey: &key, headTime: &stamp, headNonce: &nonce, headSign: &sign} {
		all := q.Header.Values(name)
		if len(all) != 1 || all[0] == "" || len(all[0]) > mostOfOne { // of two somebody else may have read the other
			return nil, unproved("m7-appkey, m7-timestamp, m7-nonce and m7-sign are needed, each once")
		}
		*to = all[0]
	}
	off, ok := clockOff(stamp, time.Now())
	if !ok {
		return nil, unproved("m7-timestamp is not a time in seconds or milliseconds since 1970")
	}
	if off.Abs() > stampOff {
		return nil, unproved("m7-timestamp is more than 5 minutes off")
	}
	app, secret, err := d.Pools.ApplicationKey(q.Context(), key)
	if comms.IsCode(err, comms.Unauthenticated) {
		return nil, unproved("m7-appkey is unknown, or m7-sign is not its signature")
	}
	if err != nil {
		return nil, err
	}
	q.secret = secret
	right := signature(secret, key+stamp+nonce)
	if given, err := base64.StdEncoding.DecodeString(sign); err != nil || !hmac.Equal(given, right) {
		return nil, unproved("m7-appkey is unknown, or m7-sign is not its signature")
	}
	// Not what was sent but what was signed: base64 has several writings of one signature, and a digit can be moved from the end of the time to
	// the beginning of the nonce.
	return app, d.Calls.SpendSignature(q.Context(), "moor", string(right))
}

// signature is HMAC-SHA256 (found, on the vendor's page).
func signature(secret []byte, text string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// clockOff is how far a time stamp is off: seconds in ten digits, or milliseconds in thirteen, as the document's own samples have it. What the
// client cut off of its clock is cut off of ours.
func clockOff(stamp string, now time.Time) (off time.Duration, ok bool) {
	n, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || strings.Trim(stamp, "0123456789") != "" {
		return 0, false
	}
	switch len(stamp) {
	case 10:
		return time.Unix(now.Unix(), 0).Sub(time.Unix(n, 0)), true
	case 13:
		return time.UnixMilli(now.UnixMilli()).Sub(time.UnixMilli(n)), true
	}
	return 0, false
}
