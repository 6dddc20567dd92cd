package privacycall

import (
	"context"
	"crypto/md5" // the document's choice; what protects is that the token is secret and each signature is good once
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
)

// rules are the verbs by which a request proves who it is.
type rules interface {
	AuthenticateApplication(ctx context.Context, appID, token string) (*comms.Application, error)
	SpendSignature(ctx context.Context, door, signed string) error
}

var _ rules = (*call.Service)(nil)

// signed is what a request signs: token:appId:timestamp.
type signed struct{ text, token, appID, stamp string }

const (
	stampLayout = "20060102150405" // yyyyMMddHHmmss
	stampOff    = 10 * time.Minute
)

// zones are those in which the time stamp, which names none, may be written (chosen): UTC, and China's time.
var zones = []*time.Location{time.UTC, time.FixedZone("CST", 8*60*60)}

// authenticate tells which application asks. It looks at one thing after the other, in this order: the header (101100, 101101, 101104), the
// time (101106), the signature (101114, 101115), who that is (101111), and last whether the signature was used before (101108), so that only
// who can sign makes the server remember anything.
func (d *door) authenticate(r *http.Request) (*signed, *comms.Application, error) {
	s, err := readAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return nil, nil, err
	}
	if !fresh(s.stamp, time.Now()) {
		return nil, nil, refusal{flagExpired, "the time stamp is more than 10 minutes off", http.StatusOK}
	}
	q := r.URL.Query()
	sig := q.Get("sig")
	if sig == "" {
		sig = q.Get("Sig")
	}
	if sig == "" {
		return nil, nil, refusal{flagNoSig, "sig is missing", http.StatusOK}
	}
	if subtle.ConstantTimeCompare([]byte(sig), []byte(s.sig())) != 1 {
		return nil, nil, refusal{flagMismatch, "sig is not the signature of what Authorization says", http.StatusOK}
	}
	return d.accept(r.Context(), s)
}

// accept finds the application and spends the signature.
func (d *door) accept(ctx context.Context, s *signed) (*signed, *comms.Application, error) {
	app, err := d.Calls.AuthenticateApplication(ctx, s.appID, s.token)
	if err != nil {
		return nil, nil, err
	}
	return s, app, d.Calls.SpendSignature(ctx, "privacycall", s.text)
}

// readAuthorization reads the header: base64 with or without its padding (RFC 4648, section 3.2).
func readAuthorization(header string) (*signed, error) {
	header = strings.TrimSpace(header)
	if header == "" {
		return nil, refusal{flagNoAuthorization, "Authorization is missing", http.StatusOK}
	}
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(header, "="))
	if err != nil {
		return nil, refusal{flagNotBase64, "Authorization is not base64", http.StatusOK}
	}
	bad := refusal{flagNotSigned, "Authorization must hold token:appId:timestamp", http.StatusOK}
	parts := strings.Split(string(text), ":")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return nil, bad
	}
	if _, err := time.Parse(stampLayout, parts[2]); err != nil || len(parts[2]) != len(stampLayout) {
		return nil, bad
	}
	return &signed{string(text), parts[0], parts[1], parts[2]}, nil
}

// fresh tells whether the time stamp is at most ten minutes off, in one of the zones.
func fresh(stamp string, now time.Time) bool {
	for _, zone := range zones {
		if at, err := time.ParseInLocation(stampLayout, stamp, zone); err == nil && now.Sub(at).Abs() <= stampOff {
			return true
		}
	}
	return false
}

// sig is the signature in the document's form: the MD5, in upper case.
func (s *signed) sig() string { return fmt.Sprintf("%X", md5.Sum([]byte(s.text))) }

// agrees tells whether the body names the account and the application that signed (contract: all three places must agree).
func (s *signed) agrees(in *object) bool {
	account, app := in.text("ACCOUNTSID"), in.text("APPID")
	same := subtle.ConstantTimeCompare([]byte(account), []byte(s.token)) & subtle.ConstantTimeCompare([]byte(app), []byte(s.appID))
	return same == 1
}
