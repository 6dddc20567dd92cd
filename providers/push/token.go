package push

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// target is what a push token names.
type target struct {
	service  string // fcm, apns, or //host of a URL, which no host can be mistaken for; empty: the token is none
	token    string // of FCM and APNs
	endpoint string // of the others
	p256dh   []byte // Web Push: the device's public key, uncompressed; nil: UnifiedPush, which is sent as it is
	auth     []byte
}

// targetOf reads a push token:
//
//	https://host/path                  UnifiedPush
//	https://host/path#P256DH.AUTH      Web Push: the subscription's two keys, base64url; the point may be compressed (SEC 1, section 2.3.3),
//	                                   which leaves an endpoint 160 of the 228 characters of a token, and 117 otherwise
//	{"endpoint":...,"keys":{...}}      the same as browsers write it (Push API, PushSubscription.toJSON), where it is short enough
//	64 hexadecimal digits              APNs
//	anything else                      FCM
func targetOf(token string) target {
	switch {
	case strings.HasPrefix(token, "https://"), strings.HasPrefix(token, "http://"):
		endpoint, keys, encrypted := strings.Cut(token, "#")
		point, auth, _ := strings.Cut(keys, ".")
		if !encrypted {
			return urlTarget(endpoint)
		}
		return webTarget(endpoint, point, auth)
	case strings.HasPrefix(token, "{"):
		var s struct {
			Endpoint string
			Keys     struct{ P256dh, Auth string }
		}
		if json.Unmarshal([]byte(token), &s) != nil {
			return target{}
		}
		return webTarget(s.Endpoint, s.Keys.P256dh, s.Keys.Auth)
	}
	if b, err := hex.DecodeString(token); err == nil && len(b) == 32 {
		return target{service: "apns", token: strings.ToLower(token)}
	}
	if strings.ContainsAny(token, " \t") {
		return target{}
	}
	return target{service: "fcm", token: token}
}

func urlTarget(endpoint string) target {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return target{}
	}
	return target{service: "//" + strings.ToLower(u.Host), endpoint: endpoint}
}

func webTarget(endpoint, point, auth string) target {
	t := urlTarget(endpoint)
	var err error
	if t.auth, err = unbase64(auth); err != nil || len(t.auth) != 16 { // RFC 8291, section 3.2
		return target{}
	}
	if t.p256dh, err = unbase64(point); err != nil {
		return target{}
	}
	if len(t.p256dh) == 33 {
		x, y := elliptic.UnmarshalCompressed(elliptic.P256(), t.p256dh)
		if x == nil {
			return target{}
		}
		t.p256dh = append(append([]byte{4}, x.FillBytes(make([]byte, 32))...), y.FillBytes(make([]byte, 32))...)
	}
	if _, err := ecdh.P256().NewPublicKey(t.p256dh); err != nil {
		return target{}
	}
	return t
}

// unbase64 reads what browsers write and what apps make of it.
func unbase64(s string) ([]byte, error) {
	s = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(s), "=")
	return base64.RawURLEncoding.DecodeString(s)
}

// Service names the service that a token belongs to.
func (*Services) Service(token string) string { return targetOf(token).service }
