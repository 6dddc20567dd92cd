package push

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// outside is all push services in one: it speaks their protocols as their documents have them, and refuses what they would.
type outside struct {
	*httptest.Server
	t       *testing.T
	rsaKey  *rsa.PrivateKey   // the service account's
	teamKey *ecdsa.PrivateKey // the developer team's
	device  *ecdh.PrivateKey  // a browser's
	auth    []byte            // and its secret

	mu     sync.Mutex
	got    []delivery
	answer func(w http.ResponseWriter) bool // answers in its place, or answers nothing and is false
	grants int
}

// delivery is what a device would get.
type delivery struct {
	path, replaces string
	data           map[string]string
}

func newOutside(t *testing.T) *outside {
	o := &outside{t: t, auth: make([]byte, 16)}
	rand.Read(o.auth)
	var err [3]error
	o.rsaKey, err[0] = rsa.GenerateKey(rand.Reader, 2048)
	o.teamKey, err[1] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	o.device, err[2] = ecdh.P256().GenerateKey(rand.Reader)
	if err := errors.Join(err[:]...); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", o.grant)
	for pattern, serve := range map[string]func(r *http.Request) (delivery, error){"POST /v1/projects/shop/messages:send": o.fcm,
		"POST /3/device/{token}": o.apns, "POST /up/{device}": o.unified, "POST /web/{device}": o.web} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			d, err := serve(r)
			o.mu.Lock()
			defer o.mu.Unlock()
			if err != nil {
				o.t.Errorf("%s: %v", r.URL.Path, err)
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			if o.answer != nil && o.answer(w) {
				return
			}
			o.got = append(o.got, d)
		})
	}
	o.Server = httptest.NewUnstartedServer(mux)
	o.EnableHTTP2 = true
	o.StartTLS()
	t.Cleanup(o.Close)
	return o
}

// options are ours for it.
func (o *outside) options(kept Keeper) Options {
	dir := o.t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			o.t.Fatal(err)
		}
		return path
	}
	sealed := func(key any) []byte {
		b, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			o.t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
	}
	account, err := json.Marshal(serviceAccount{ProjectID: "shop", KeyID: "k1", Key: string(sealed(o.rsaKey)), ClientEmail: "push@shop.example", TokenURI: o.URL + "/token"})
	if err != nil {
		o.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(o.Certificate())
	return Options{Contact: "mailto:ops@example.org", FCM: write("fcm.json", account), FCMHost: o.URL, Roots: roots, Kept: kept,
		Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		APNs:    APNs{Key: write("apns.p8", sealed(o.teamKey)), KeyID: "ABC123DEFG", Team: "DEF123GHIJ", Topic: "example.shop", Host: o.URL}}
}

// grant gives access for an assertion (developers.google.com/identity/protocols/oauth2/service-account).
func (o *outside) grant(w http.ResponseWriter, r *http.Request) {
	claims := jwt.MapClaims{}
	t, err := jwt.ParseWithClaims(r.PostFormValue("assertion"), claims, func(*jwt.Token) (any, error) { return &o.rsaKey.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(o.URL+"/token"), jwt.WithIssuer("push@shop.example"), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	if err != nil || t.Header["kid"] != "k1" || claims["scope"] != "https://www.googleapis.com/auth/firebase.messaging" ||
		claims["exp"].(float64)-claims["iat"].(float64) > 3600 || r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		o.t.Errorf("an assertion of %v: %v", claims, err)
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	o.grants++
	o.mu.Unlock()
	fmt.Fprint(w, `{"access_token":"ya29.good","expires_in":3599,"token_type":"Bearer"}`)
}

func (o *outside) fcm(r *http.Request) (d delivery, err error) {
	if r.Header.Get("Authorization") != "Bearer ya29.good" {
		return d, errors.New("no access")
	}
	var body struct {
		Message struct {
			Token        string            `json:"token"`
			Data         map[string]string `json:"data"`
			Notification struct{ Title, Body string }
			Android      struct {
				Priority     string `json:"priority"`
				TTL          string `json:"ttl"`
				CollapseKey  string `json:"collapse_key"`
				Notification struct{ Tag string }
			} `json:"android"`
		} `json:"message"`
	}
	in := json.NewDecoder(io.LimitReader(r.Body, 4096))
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil {
		return d, err
	}
	m := body.Message
	if m.Android.Priority != "HIGH" || m.Android.TTL != "86400s" || m.Android.CollapseKey != m.Android.Notification.Tag || m.Notification.Title == "" {
		return d, fmt.Errorf("%+v", m)
	}
	return delivery{m.Token, m.Android.CollapseKey, m.Data}, nil
}

func (o *outside) apns(r *http.Request) (d delivery, err error) {
	raw, ok := strings.CutPrefix(r.Header.Get("authorization"), "bearer ")
	claims := jwt.MapClaims{}
	t, err := jwt.ParseWithClaims(raw, claims, func(*jwt.Token) (any, error) { return &o.teamKey.PublicKey, nil }, jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithIssuer("DEF123GHIJ"), jwt.WithIssuedAt())
	switch {
	case err != nil || !ok || t.Header["kid"] != "ABC123DEFG":
		return d, fmt.Errorf("a provider token of %v: %w", claims, err)
	case r.ProtoMajor != 2:
		return d, errors.New(r.Proto)
	case r.Header.Get("apns-topic") != "example.shop", r.Header.Get("apns-push-type") != "alert", r.Header.Get("apns-priority") != "10":
		return d, fmt.Errorf("%v", r.Header)
	}
	if _, err := uuid.Parse(r.Header.Get("apns-id")); err != nil {
		return d, err
	}
	var body struct {
		APS struct {
			Alert struct{ Title, Body string }
			Sound string
		} `json:"aps"`
		Type, Number, MsgID string
	}
	in := json.NewDecoder(io.LimitReader(r.Body, 4096))
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil {
		return d, err
	}
	return delivery{r.PathValue("token"), r.Header.Get("apns-collapse-id"), map[string]string{"type": body.Type, "number": body.Number,
		"msgid": body.MsgID, "title": body.APS.Alert.Title, "body": body.APS.Alert.Body}}, nil
}

var topicForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// urlHeaders are those of RFC 8030.
func urlHeaders(r *http.Request) error {
	if r.Header.Get("TTL") != "86400" || r.Header.Get("Urgency") != "high" || !topicForm.MatchString(r.Header.Get("Topic")) {
		return fmt.Errorf("%v", r.Header)
	}
	return nil
}

func (o *outside) unified(r *http.Request) (d delivery, err error) {
	d = delivery{path: r.URL.Path, replaces: r.Header.Get("Topic")}
	if err := urlHeaders(r); err != nil {
		return d, err
	}
	return d, json.NewDecoder(io.LimitReader(r.Body, 4096)).Decode(&d.data)
}

func (o *outside) web(r *http.Request) (d delivery, err error) {
	d = delivery{path: r.URL.Path, replaces: r.Header.Get("Topic")}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4097))
	if err := errors.Join(err, urlHeaders(r), o.vapid(r.Header.Get("Authorization"))); err != nil {
		return d, err
	}
	if r.Header.Get("Content-Encoding") != "aes128gcm" || len(body) > 4096 {
		return d, fmt.Errorf("%d bytes as %v", len(body), r.Header)
	}
	plain, err := o.decrypt(body)
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(plain, &d.data)
}

// vapid checks RFC 8292, sections 2 and 3.
func (o *outside) vapid(header string) error {
	m := regexp.MustCompile(`^vapid t=([^,]+), ?k=([\w-]+)$`).FindStringSubmatch(header)
	if m == nil {
		return fmt.Errorf("not VAPID: %q", header)
	}
	point, err := base64.RawURLEncoding.DecodeString(m[2])
	if err != nil {
		return err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return fmt.Errorf("a key of %d bytes: %w", len(point), err)
	}
	claims := jwt.RegisteredClaims{}
	_, err = jwt.ParseWithClaims(m[1], &claims, func(*jwt.Token) (any, error) { return key, nil }, jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithAudience(o.URL), jwt.WithExpirationRequired(), jwt.WithSubject("mailto:ops@example.org"))
	if err == nil && claims.ExpiresAt.After(time.Now().Add(24*time.Hour)) {
		err = errors.New("it is good for too long")
	}
	return err
}

// decrypt is the browser's side of RFC 8291, section 3, and RFC 8188, section 2.
func (o *outside) decrypt(body []byte) ([]byte, error) {
	if len(body) < 86 || body[20] != 65 {
		return nil, errors.New("no header")
	}
	salt, size, sender, record := body[:16], binary.BigEndian.Uint32(body[16:20]), body[21:86], body[86:]
	if int(size) < len(record) {
		return nil, fmt.Errorf("a record of %d bytes in %d", len(record), size)
	}
	theirs, err := ecdh.P256().NewPublicKey(sender)
	if err != nil {
		return nil, err
	}
	shared, err := o.device.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(o.device.PublicKey().Bytes()) + string(sender)
	ikm, err1 := hkdf.Key(sha256.New, shared, o.auth, info, 32)
	cek, err2 := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	nonce, err3 := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	block, err4 := aes.NewCipher(cek)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, record, nil)
	if err != nil {
		return nil, err
	}
	text := strings.TrimRight(string(plain), "\x00")
	if !strings.HasSuffix(text, "\x02") {
		return nil, errors.New("no delimiter of the last record")
	}
	return []byte(text[:len(text)-1]), nil
}

// newHanging is a service that takes requests and answers nothing until hang is closed.
func newHanging(t *testing.T, hang chan struct{}) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}
