package push

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"switchboard/comms/notice"
)

// Options say which services there are. What is not set up is not there; those of URLs always are.
type Options struct {
	Contact string // of the operator: mailto: or https: (RFC 8292, section 2.1)
	FCM     string // file of a service account's key
	APNs    APNs
	Private []netip.Prefix // private networks in which push services of URLs may be
	Kept    Keeper
	Roots   *x509.CertPool // whose certificates are good; nil: the system's
	FCMHost string         // FCM's address (https://fcm.googleapis.com)
	Timeout time.Duration  // of one request (15 s)
}

// APNs is the app at Apple.
type APNs struct {
	Key, KeyID, Team string // file of a .p8 key, its id, the developer team's
	Topic            string // the app's bundle id
	Sandbox          bool
	Host             string // APNs' address; empty: what Sandbox says
}

// Keeper keeps a secret from one start to the next, for all processes on one database (comms/notice).
type Keeper interface {
	// Secret is what is kept under the name; nil: nothing.
	Secret(ctx context.Context, name string) ([]byte, error)
	// KeepSecret puts a secret in the place of what it was, or answers what another process put there.
	KeepSecret(ctx context.Context, name string, was, is []byte) (kept []byte, err error)
}

// Services are all push services. Their files are read at the start, so that a mistake is told then; nothing is connected before it is needed.
type Services struct {
	o    Options
	fcm  *fcm  // nil: not set up
	apns *apns // nil: not set up
	web  *web
}

// timeToLive is how long a service keeps a notification for a device that is away: as long as get can ask for the past.
const timeToLive = 24 * time.Hour

// New reads what is set up.
func New(o Options) (*Services, error) {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	s := &Services{o: o, web: newWeb(o)}
	var err error
	if o.FCM != "" {
		if s.fcm, err = newFCM(o); err != nil {
			return nil, fmt.Errorf("the key for FCM: %w", err)
		}
	}
	if o.APNs.Key != "" {
		if s.apns, err = newAPNs(o); err != nil {
			return nil, fmt.Errorf("the key for APNs: %w", err)
		}
	}
	return s, nil
}

// Push wakes a device.
func (s *Services) Push(ctx context.Context, n notice.Notification) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	switch t := targetOf(n.Token); {
	case t.service == "":
		return &notice.Failure{Problem: notice.BadToken}
	case t.endpoint != "":
		return s.web.push(ctx, t, n)
	case t.service == "apns" && s.apns != nil:
		return s.apns.push(ctx, t, n)
	case t.service == "fcm" && s.fcm != nil:
		return s.fcm.push(ctx, t, n)
	}
	return &notice.Failure{Problem: notice.NotConfigured}
}

// data is what the app is given: what happened, for which number, and the message to fetch.
func data(n notice.Notification) map[string]string {
	return map[string]string{"type": n.Kind, "number": n.Number, "msgid": n.ID, "title": n.Title, "body": n.Body}
}

// mostAnswered bounds what is read of an answer.
const mostAnswered = 64 << 10

// answer is what a service said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request. That the service can't be reached is a Failure of it.
func ask(client *http.Client, r *http.Request) (a answer, err error) {
	res, err := client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address: it is a credential
		}
		if errors.Is(err, errForbidden) {
			return a, &notice.Failure{Problem: notice.BadToken, Err: err}
		}
		if errors.Is(err, context.Canceled) {
			return a, err
		}
		return a, &notice.Failure{Problem: notice.Away, Service: true, Err: err}
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	a = answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, mostAnswered)); err != nil {
		return a, &notice.Failure{Problem: notice.Away, Service: true, Err: err}
	}
	return a, nil
}

// failure says what an answer means that is none of a service's own.
func (a answer) failure(service bool) error {
	f := &notice.Failure{Problem: notice.Away, Service: service, After: a.retryAfter(), Err: fmt.Errorf("HTTP %d", a.status)}
	if a.status == http.StatusTooManyRequests {
		f.Problem = notice.Limited
	}
	return f
}

// retryAfter is how long the service wants to be left alone (RFC 9110, section 10.2.3), within reason.
func (a answer) retryAfter() time.Duration {
	h := a.header.Get("Retry-After")
	wait := time.Duration(0)
	if s, err := strconv.Atoi(h); err == nil && s > 0 {
		wait = time.Duration(min(s, 3600)) * time.Second
	} else if t, err := http.ParseTime(h); err == nil {
		wait = time.Until(t)
	}
	return min(max(wait, 0), time.Hour)
}

// marshal is JSON of what can always be written as such.
func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a notification: %w", err)
	}
	return b, nil
}
