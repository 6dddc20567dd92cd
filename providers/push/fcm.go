package push

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"switchboard/comms/notice"
)

// fcm speaks FCM's HTTP v1 API (firebase.google.com/docs/reference/fcm/rest/v1/projects.messages).
type fcm struct {
	client  *http.Client
	account serviceAccount
	key     *rsa.PrivateKey
	send    string // the address to send to

	mu    sync.Mutex
	token string
	until time.Time
}

// serviceAccount is the file that Google gives out for one.
type serviceAccount struct {
	ProjectID   string `json:"project_id"`
	KeyID       string `json:"private_key_id"`
	Key         string `json:"private_key"`
	ClientEmail string `json:"client_email"`
	TokenURI    string `json:"token_uri"`
}

func newFCM(o Options) (*fcm, error) {
	f := &fcm{client: client(o, &http.Transport{Proxy: http.ProxyFromEnvironment})}
	file, err := os.ReadFile(o.FCM)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(file, &f.account); err != nil {
		return nil, errors.New("the file is no service account's key") // what is wrong with it may show it
	}
	if f.account.ProjectID == "" || f.account.ClientEmail == "" || f.account.TokenURI == "" {
		return nil, errors.New("the file is no service account's key: project_id, client_email and token_uri are needed")
	}
	if f.key, err = jwt.ParseRSAPrivateKeyFromPEM([]byte(f.account.Key)); err != nil {
		return nil, err
	}
	host := o.FCMHost
	if host == "" {
		host = "https://fcm.googleapis.com"
	}
	f.send = host + "/v1/projects/" + url.PathEscape(f.account.ProjectID) + "/messages:send"
	return f, nil
}

const fcmScope = "https://www.googleapis.com/auth/firebase.messaging"

// access is a token to send with: what Google gives for an assertion of the service account (RFC 7523, section 2.1), until it ends.
func (f *fcm) access(ctx context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.token != "" && now.Before(f.until) {
		return f.token, nil
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": f.account.ClientEmail, "scope": fcmScope, "aud": f.account.TokenURI,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})
	t.Header["kid"] = f.account.KeyID
	assertion, err := t.SignedString(f.key)
	if err != nil {
		return "", fmt.Errorf("sign for FCM: %w", err)
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.account.TokenURI, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := ask(f.client, r)
	if err != nil {
		return "", err
	}
	var got struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	switch {
	case a.status >= 400 && a.status < 500 && a.status != http.StatusTooManyRequests:
		return "", &notice.Failure{Problem: notice.LoggedOut, Service: true, Err: fmt.Errorf("HTTP %d", a.status)}
	case a.status != http.StatusOK || json.Unmarshal(a.body, &got) != nil || got.AccessToken == "":
		return "", a.failure(true)
	}
	f.token, f.until = got.AccessToken, now.Add(time.Duration(got.ExpiresIn)*time.Second*9/10)
	return f.token, nil
}

// forget drops a token that FCM does not take.
func (f *fcm) forget(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.token == token {
		f.token = ""
	}
}

func (f *fcm) push(ctx context.Context, t target, n notice.Notification) error {
	token, err := f.access(ctx)
	if err != nil {
		return err
	}
	shown := map[string]string{"title": n.Title, "body": n.Body}
	// collapse_key and tag: the same message again replaces the first, on the way and on the screen.
	body, err := marshal(map[string]any{"message": map[string]any{"token": t.token, "data": data(n), "notification": shown,
		"android": map[string]any{"priority": "HIGH", "ttl": fmt.Sprintf("%ds", int(timeToLive.Seconds())), "collapse_key": topic(n),
			"notification": map[string]string{"tag": topic(n)}}}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.send, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := ask(f.client, r)
	if err != nil {
		return err
	}
	if a.status == http.StatusUnauthorized {
		f.forget(token) // the next attempt has a fresh one
	}
	return fcmFailure(a)
}

// fcmFailure reads the answer (firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode).
func fcmFailure(a answer) error {
	if a.status == http.StatusOK {
		return nil
	}
	var said struct {
		Error struct {
			Status  string `json:"status"`
			Details []struct {
				ErrorCode string `json:"errorCode"`
			} `json:"details"`
		} `json:"error"`
	}
	word := ""
	if json.Unmarshal(a.body, &said) == nil {
		word = said.Error.Status
		for _, d := range said.Error.Details {
			if d.ErrorCode != "" {
				word = d.ErrorCode
			}
		}
	}
	why := fmt.Errorf("HTTP %d %.40q", a.status, word)
	switch {
	case word == "UNREGISTERED", a.status == http.StatusNotFound:
		return &notice.Failure{Problem: notice.Gone, Err: why}
	case word == "SENDER_ID_MISMATCH", word == "INVALID_ARGUMENT":
		return &notice.Failure{Problem: notice.BadToken, Err: why}
	case word == "THIRD_PARTY_AUTH_ERROR": // of devices that FCM reaches by APNs or Web Push: Android's go on
		return &notice.Failure{Problem: notice.LoggedOut, Err: why}
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		return &notice.Failure{Problem: notice.LoggedOut, Service: true, Err: why}
	case a.status == http.StatusTooManyRequests, a.status >= 500, a.status < 400:
		return a.failure(true)
	}
	return &notice.Failure{Problem: notice.Refused, Err: why}
}
