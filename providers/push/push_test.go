package push

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/comms/notice"
)

// pocket keeps secrets for one process.
type pocket struct {
	mu   sync.Mutex
	kept map[string]string
}

func (p *pocket) Secret(_ context.Context, name string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.kept[name]; ok {
		return []byte(s), nil
	}
	return nil, nil
}

func (p *pocket) KeepSecret(_ context.Context, name string, was, is []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept[name] == string(was) {
		p.kept[name] = string(is)
	}
	return []byte(p.kept[name]), nil
}

func newPocket() *pocket { return &pocket{kept: map[string]string{}} }

const appleToken = "00FC13ADFF785122B4AD28809A3420982341241421348097878E577C991DE8F0"

// tokens is one of each kind, and where it leads.
func (o *outside) tokens() map[string]string {
	b := base64.RawURLEncoding.EncodeToString
	point := o.device.PublicKey().Bytes()
	short := elliptic.MarshalCompressed(elliptic.P256(), new(big.Int).SetBytes(point[1:33]), new(big.Int).SetBytes(point[33:]))
	return map[string]string{
		"bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1": "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1",
		appleToken:          strings.ToLower(appleToken),
		o.URL + "/up/phone": "/up/phone",
		o.URL + "/web/long#" + b(point) + "." + b(o.auth):                                                       "/web/long",
		o.URL + "/web/short#" + b(short) + "." + b(o.auth):                                                      "/web/short",
		`{"endpoint":"` + o.URL + `/web/json","keys":{"p256dh":"` + b(point) + `","auth":"` + b(o.auth) + `"}}`: "/web/json",
	}
}

var sample = notice.Notification{ID: "123456789012345678", Kind: "missed.call", Number: "+86…000", Title: "Missed call", Body: "For +86…000"}

func TestEachKindOfToken(t *testing.T) {
	o := newOutside(t)
	kept := newPocket()
	s, err := New(o.options(kept))
	if err != nil {
		t.Fatal(err)
	}
	want := delivery{replaces: "m123456789012345678", data: map[string]string{"type": "missed.call", "number": "+86…000",
		"msgid": "123456789012345678", "title": "Missed call", "body": "For +86…000"}}
	for token, path := range o.tokens() {
		if len(token) > 228 {
			t.Errorf("%d characters: %s", len(token), token)
		}
		for range 2 { // as after a kill: the second replaces the first
			n := sample
			n.Token = token
			if err := s.Push(t.Context(), n); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			want.path = path
			if got := o.got[len(o.got)-1]; !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	}
	if o.grants != 1 {
		t.Errorf("%d grants", o.grants)
	}
	key, err := s.PublicKey(t.Context())
	again, err2 := New(o.options(kept))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if same, err := again.PublicKey(t.Context()); err != nil || same != key || len(key) != 87 {
		t.Errorf("the key was %s and is %s: %v", key, same, err)
	}
}

func TestTokensThatAreNone(t *testing.T) {
	o := newOutside(t)
	s, err := New(o.options(newPocket()))
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"https://", "https:///path", "https://user@host/", "http://[::1", "two words", "{}", `{"endpoint":"https://a"}`,
		"https://a/#x.y", "https://a/#" + strings.Repeat("A", 87) + "." + strings.Repeat("A", 22), "https://a/#" + strings.Repeat("A", 44) + "." + strings.Repeat("A", 22)} {
		n := sample
		n.Token = token
		if f, _ := s.Push(t.Context(), n).(*notice.Failure); f == nil || f.Problem != notice.BadToken {
			t.Errorf("%s: %v", token, f)
		}
	}
	bare, err := New(Options{Kept: newPocket()})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{appleToken, "an-android-token"} {
		n := sample
		n.Token = token
		if f, _ := bare.Push(t.Context(), n).(*notice.Failure); f == nil || f.Problem != notice.NotConfigured {
			t.Errorf("%s: %v", token, f)
		}
	}
}

const google, apple, unified = "an-android-token", appleToken, "/up/phone"

// fcmSays is an error of FCM's.
func fcmSays(code string) string {
	return `{"error":{"code":0,"status":"X","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"` + code + `"}]}}`
}

// refusals are what the services answer, and what that means.
var refusals = []struct {
	token  string
	status int
	body   string
	after  string
	want   notice.Failure
}{
	{google, 404, fcmSays("UNREGISTERED"), "", notice.Failure{Problem: notice.Gone}},
	{google, 400, fcmSays("INVALID_ARGUMENT"), "", notice.Failure{Problem: notice.BadToken}},
	{google, 403, fcmSays("SENDER_ID_MISMATCH"), "", notice.Failure{Problem: notice.BadToken}},
	{google, 401, fcmSays("THIRD_PARTY_AUTH_ERROR"), "", notice.Failure{Problem: notice.LoggedOut}},
	{google, 401, `{"error":{"status":"UNAUTHENTICATED"}}`, "", notice.Failure{Problem: notice.LoggedOut, Service: true}},
	{google, 403, `{"error":{"status":"PERMISSION_DENIED"}}`, "", notice.Failure{Problem: notice.LoggedOut, Service: true}},
	{google, 429, fcmSays("QUOTA_EXCEEDED"), "7", notice.Failure{Problem: notice.Limited, Service: true, After: 7 * time.Second}},
	{google, 503, fcmSays("UNAVAILABLE"), "", notice.Failure{Problem: notice.Away, Service: true}},
	{google, 502, `<html>`, "999999", notice.Failure{Problem: notice.Away, Service: true, After: time.Hour}},
	{apple, 410, `{"reason":"Unregistered","timestamp":1}`, "", notice.Failure{Problem: notice.Gone}},
	{apple, 400, `{"reason":"BadDeviceToken"}`, "", notice.Failure{Problem: notice.Gone}},
	{apple, 400, `{"reason":"DeviceTokenNotForTopic"}`, "", notice.Failure{Problem: notice.BadToken}},
	{apple, 403, `{"reason":"InvalidProviderToken"}`, "", notice.Failure{Problem: notice.LoggedOut, Service: true}},
	{apple, 403, `{"reason":"ExpiredProviderToken"}`, "", notice.Failure{Problem: notice.LoggedOut, Service: true}},
	{apple, 429, `{"reason":"TooManyRequests"}`, "", notice.Failure{Problem: notice.Limited}},
	{apple, 429, `{"reason":"TooManyProviderTokenUpdates"}`, "", notice.Failure{Problem: notice.Limited, Service: true}},
	{apple, 503, `{"reason":"Shutdown"}`, "", notice.Failure{Problem: notice.Away, Service: true}},
	{apple, 502, `nonsense`, "", notice.Failure{Problem: notice.Away, Service: true}},
	{apple, 413, `{"reason":"PayloadTooLarge"}`, "", notice.Failure{Problem: notice.Refused}},
	{unified, 404, ``, "", notice.Failure{Problem: notice.Gone}},
	{unified, 410, ``, "", notice.Failure{Problem: notice.Gone}},
	{unified, 429, ``, "2", notice.Failure{Problem: notice.Limited, Service: true, After: 2 * time.Second}},
	{unified, 500, ``, "", notice.Failure{Problem: notice.Away, Service: true}},
	{unified, 507, ``, "", notice.Failure{Problem: notice.Away}},
	{unified, 307, ``, "", notice.Failure{Problem: notice.BadToken}},
	{unified, 403, ``, "", notice.Failure{Problem: notice.Refused}},
}

// What each answer means, of each service.
func TestFailures(t *testing.T) {
	o := newOutside(t)
	for _, c := range refusals {
		s, err := New(o.options(newPocket()))
		if err != nil {
			t.Fatal(err)
		}
		o.answer = func(w http.ResponseWriter) bool {
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			w.Header().Set("Location", "/up/elsewhere")
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
			return true
		}
		n := sample
		if n.Token = c.token; c.token == unified {
			n.Token = o.URL + unified
		}
		err = s.Push(t.Context(), n)
		got, ok := err.(*notice.Failure)
		if !ok {
			t.Fatalf("%d %s: %v", c.status, c.body, err)
		}
		if strings.Contains(err.Error(), c.token) {
			t.Errorf("the log would hold the token: %v", err)
		}
		if got.Err = nil; *got != c.want {
			t.Errorf("%.10s %d %s: %+v, want %+v", c.token, c.status, c.body, *got, c.want)
		}
	}
	if len(o.got) != 0 {
		t.Errorf("a redirect was followed: %v", o.got)
	}
}

// A device that names a host as we name a service has nobody else wait for it.
func TestAHostIsNoOtherService(t *testing.T) {
	s := &Services{}
	for host, token := range map[string]string{"fcm": "an-android-token", "apns": appleToken} {
		if own, theirs := s.Service(token), s.Service("https://"+host+"/up/one"); own != host || theirs == own {
			t.Errorf("%s waits for %s, and %s for %s", token, own, host, theirs)
		}
	}
}

// A device can't have us ask what only we can reach, by whatever name.
func TestPrivateAddresses(t *testing.T) {
	asked := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer inside.Close()
	s, err := New(Options{Kept: newPocket()})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{inside.URL + "/x", strings.Replace(inside.URL, "127.0.0.1", "localhost", 1), strings.Replace(inside.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1),
		strings.Replace(inside.URL, "127.0.0.1", "0.0.0.0", 1)} {
		n := sample
		n.Token = token
		if f, _ := s.Push(t.Context(), n).(*notice.Failure); f == nil || f.Problem != notice.BadToken {
			t.Errorf("%s: %v", token, f)
		}
	}
	if asked {
		t.Error("it was asked")
	}
	for address, want := range map[string]bool{"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "::1": false, "::": false, "fe80::1": false, "fd00::1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false, "2001:db8::1": false, "8.8.8.8": true, "2606:4700::1111": true, "192.168.7.7": true} {
		if got := public(netip.MustParseAddr(address), []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24")}); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
