package push

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"switchboard/comms/notice"
)

// apns speaks to Apple's push service over HTTP/2 (developer.apple.com/documentation/usernotifications: "Sending notification requests to APNs").
type apns struct {
	client *http.Client
	o      APNs
	key    *ecdsa.PrivateKey
	host   string

	mu    sync.Mutex
	token string
	made  time.Time
}

func newAPNs(o Options) (*apns, error) {
	a := &apns{client: client(o, &http.Transport{}), o: o.APNs, host: o.APNs.Host}
	switch {
	case a.host != "":
	case o.APNs.Sandbox:
		a.host = "https://api.sandbox.push.apple.com"
	default:
		a.host = "https://api.push.apple.com"
	}
	file, err := os.ReadFile(o.APNs.Key)
	if err != nil {
		return nil, err
	}
	a.key, err = jwt.ParseECPrivateKeyFromPEM(file)
	return a, err
}

// tokenAge is how old a provider token may become: Apple refuses one of an hour, and a new one every twenty minutes.
const tokenAge = 50 * time.Minute

// access is the provider token ("Establishing a token-based connection to APNs").
func (a *apns) access() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.token != "" && now.Sub(a.made) < tokenAge {
		return a.token, nil
	}
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": a.o.Team, "iat": now.Unix()})
	t.Header["kid"] = a.o.KeyID
	signed, err := t.SignedString(a.key)
	if err != nil {
		return "", fmt.Errorf("sign for APNs: %w", err)
	}
	a.token, a.made = signed, now
	return signed, nil
}

// forget drops a token that APNs calls expired: our clock or its own is wrong.
func (a *apns) forget(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == token {
		a.token = ""
	}
}

func (a *apns) push(ctx context.Context, t target, n notice.Notification) error {
	token, err := a.access()
	if err != nil {
		return err
	}
	body, err := marshal(map[string]any{"aps": map[string]any{"alert": map[string]string{"title": n.Title, "body": n.Body}, "sound": "default"},
		"type": n.Kind, "number": n.Number, "msgid": n.ID})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.host+"/3/device/"+t.token, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"authorization": "bearer " + token, "apns-topic": a.o.Topic, "apns-push-type": "alert",
		"apns-priority": "10", "apns-expiration": strconv.FormatInt(time.Now().Add(timeToLive).Unix(), 10), "apns-collapse-id": topic(n),
		"apns-id": uuid.NewSHA1(uuid.NameSpaceOID, []byte(t.token+n.ID)).String(), "content-type": "application/json"} {
		r.Header.Set(name, value)
	}
	got, err := ask(a.client, r)
	if err != nil {
		return err
	}
	if got.status == http.StatusOK {
		return nil
	}
	var said struct{ Reason string }
	if json.Unmarshal(got.body, &said) != nil {
		return got.failure(true)
	}
	if said.Reason == "ExpiredProviderToken" {
		a.forget(token)
	}
	return apnsFailure(got, said.Reason)
}

// apnsFailure reads the answer ("Handling notification responses from APNs").
func apnsFailure(a answer, reason string) error {
	why := fmt.Errorf("HTTP %d %.40q", a.status, reason)
	switch {
	case a.status == http.StatusGone, reason == "BadDeviceToken", reason == "Unregistered", reason == "ExpiredToken":
		return &notice.Failure{Problem: notice.Gone, Err: why}
	case reason == "DeviceTokenNotForTopic":
		return &notice.Failure{Problem: notice.BadToken, Err: why}
	case reason == "TooManyRequests": // of this device
		return a.failure(false)
	case reason == "TooManyProviderTokenUpdates", a.status == http.StatusTooManyRequests, a.status >= 500:
		return a.failure(true)
	case a.status == http.StatusForbidden, reason == "BadTopic", reason == "TopicDisallowed", reason == "MissingTopic":
		return &notice.Failure{Problem: notice.LoggedOut, Service: true, Err: why}
	}
	return &notice.Failure{Problem: notice.Refused, Err: why}
}
