package push

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	webpush "github.com/SherClockHolmes/webpush-go"

	"switchboard/comms/notice"
)

// web speaks to push services by URL: Web Push (RFC 8030, encrypted by RFC 8291, signed by RFC 8292) and UnifiedPush, which takes the same
// request.
type web struct {
	o      Options
	client *http.Client

	mu  sync.Mutex
	key *ecdh.PrivateKey // by which the services know us; nil: not needed yet
}

func newWeb(o Options) *web { return &web{o: o, client: guarded(o)} }

// keyName is the name under which the key is kept. Devices subscribe for it alone, so it is made once.
const keyName = "vapid"

// vapid is the key by which push services know us (RFC 8292).
func (w *web) vapid(ctx context.Context) (*ecdh.PrivateKey, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.key != nil {
		return w.key, nil
	}
	kept, err := w.o.Kept.Secret(ctx, keyName)
	if err != nil {
		return nil, err
	}
	if kept == nil {
		fresh, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make a key for push services: %w", err)
		}
		if kept, err = w.o.Kept.KeepSecret(ctx, keyName, nil, fresh.Bytes()); err != nil {
			return nil, err
		}
	}
	if w.key, err = ecdh.P256().NewPrivateKey(kept); err != nil {
		return nil, fmt.Errorf("read the key for push services: %w", err)
	}
	return w.key, nil
}

// PublicKey is what an app names when it subscribes (Push API, applicationServerKey): base64url of the uncompressed point.
func (s *Services) PublicKey(ctx context.Context) (string, error) {
	k, err := s.web.vapid(ctx)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(k.PublicKey().Bytes()), nil
}

// recordSize is the size of what is sent, whatever is in it: a service learns nothing from it (RFC 8291, section 4, allows 4096).
const recordSize = 3072

func (w *web) push(ctx context.Context, t target, n notice.Notification) error {
	body, err := marshal(data(n))
	if err != nil {
		return err
	}
	if t.p256dh == nil {
		return w.plain(ctx, t, n, body)
	}
	key, err := w.vapid(ctx)
	if err != nil {
		return err
	}
	asked := &sender{client: w.client}
	_, err = webpush.SendNotificationWithContext(ctx, body,
		&webpush.Subscription{Endpoint: t.endpoint, Keys: webpush.Keys{
			P256dh: base64.RawURLEncoding.EncodeToString(t.p256dh), Auth: base64.RawURLEncoding.EncodeToString(t.auth)}},
		&webpush.Options{HTTPClient: asked, RecordSize: recordSize, Topic: topic(n), TTL: int(timeToLive.Seconds()),
			Urgency: webpush.UrgencyHigh, Subscriber: strings.TrimPrefix(w.contact(), "mailto:"),
			VAPIDPublicKey:  base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()),
			VAPIDPrivateKey: base64.RawURLEncoding.EncodeToString(key.Bytes())})
	if err != nil {
		return err
	}
	return accepted(asked.answer)
}

func (w *web) contact() string {
	if w.o.Contact == "" {
		return "mailto:switchboard@localhost"
	}
	return w.o.Contact
}

// plain sends it as it is: the endpoint alone names no key to encrypt for.
func (w *web) plain(ctx context.Context, t target, n notice.Notification, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoint, bytes.NewReader(body))
	if err != nil {
		return &notice.Failure{Problem: notice.BadToken, Err: errors.New("the endpoint is no address")}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("TTL", strconv.Itoa(int(timeToLive.Seconds())))
	r.Header.Set("Topic", topic(n))
	r.Header.Set("Urgency", "high")
	a, err := ask(w.client, r)
	if err != nil {
		return err
	}
	return accepted(a)
}

// topic makes a later notification of the same message replace the first (RFC 8030, section 5.4: at most 32 characters of base64url).
func topic(n notice.Notification) string { return "m" + n.ID }

// accepted reads the answer (RFC 8030, sections 5 and 7.3).
func accepted(a answer) error {
	switch {
	case a.status >= 200 && a.status < 300:
		return nil
	case a.status == http.StatusNotFound, a.status == http.StatusGone:
		return &notice.Failure{Problem: notice.Gone}
	case a.status == http.StatusInsufficientStorage: // ntfy has it for a topic that nobody listens to: that of one device
		return a.failure(false)
	case a.status == http.StatusTooManyRequests, a.status >= 500:
		return a.failure(true)
	case a.status < 400: // it wants us elsewhere, and devices may not send us there
		return &notice.Failure{Problem: notice.BadToken, Err: fmt.Errorf("HTTP %d", a.status)}
	}
	return &notice.Failure{Problem: notice.Refused, Err: fmt.Errorf("HTTP %d", a.status)}
}

// sender reads the answer with our bounds for the library, which wants one that it can close.
type sender struct {
	client *http.Client
	answer answer
}

// Do implements webpush.HTTPClient.
func (s *sender) Do(r *http.Request) (*http.Response, error) {
	var err error
	s.answer, err = ask(s.client, r)
	return &http.Response{StatusCode: s.answer.status, Body: http.NoBody}, err
}
