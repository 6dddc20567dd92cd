package ovh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ovh/go-ovh/ovh"

	"switchboard/comms/carrier"
)

// The largest answers that are read: of one thing, of a list of names, of a list of calls.
const (
	mostOfOne   = 256 << 10
	mostOfNames = 4 << 20
	mostOfIDs   = 64 << 20
)

// session is a customer's key in use.
type session struct {
	o *OVH

	mu     sync.Mutex  // go-ovh's client writes to itself when it makes a request
	client *ovh.Client // signs
}

// open learns OVH's clock, which goes into each signature: ours need not agree with it.
func (o *OVH) open(ctx context.Context, key string) (*session, error) {
	client, err := o.client(key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	client.Client.Transport = within{ctx, o}
	apart, err := client.TimeDelta()
	if err != nil {
		return nil, troubleOf(err)
	}
	if apart.Abs() > 365*24*time.Hour { // an answer without a number is read as 1970
		return nil, nonsense("the clock of OVH is years away from ours")
	}
	return &session{o: o, client: client}, nil
}

// within sends the one request that go-ovh's client makes by itself, which takes no context and reads without bounds.
type within struct {
	ctx context.Context
	o   *OVH
}

// RoundTrip implements http.RoundTripper.
func (w within) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := w.o.fetch(w.ctx, req, mostOfOne)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body))), Request: req}, nil
}

// get asks for something in the customer's name. A short wait that OVH asks for is waited out.
func (s *session) get(ctx context.Context, path string, most int64, into any) error {
	for tries := 1; ; tries++ {
		s.mu.Lock()
		req, err := s.client.NewRequest(http.MethodGet, path, nil, true)
		s.mu.Unlock()
		if err != nil {
			return troubleOf(err)
		}
		err = s.o.send(ctx, req, most, into)
		var t *carrier.Trouble
		if tries == 5 || !errors.As(err, &t) || t.Problem != carrier.ProblemLimited || t.After == 0 || t.After > s.o.patience {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(t.After):
		}
	}
}

// send sends a request and decodes its answer.
func (o *OVH) send(ctx context.Context, req *http.Request, most int64, into any) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	body, err := o.fetch(ctx, req, most)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nonsense("an answer that is not the documented JSON")
	}
	return nil
}

// fetch sends a request and reads its answer, if that is a success.
func (o *OVH) fetch(ctx context.Context, req *http.Request, most int64) ([]byte, error) {
	resp, err := o.api.Do(req.WithContext(ctx))
	if err != nil {
		return nil, troubleOf(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		most = min(most, mostOfOne)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, troubleOf(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp, body)
	}
	if int64(len(body)) > most {
		return nil, nonsense(fmt.Sprintf("an answer of more than %d bytes", most))
	}
	return body, nil
}

// troubleOf names what went wrong on the way. The address of a request holds telephone numbers, so it is left out.
func troubleOf(err error) error {
	var t *carrier.Trouble
	var at *url.Error
	var timeout net.Error
	switch {
	case errors.As(err, &t):
		return t
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return &carrier.Trouble{Problem: carrier.ProblemSlow, Err: errors.New("no answer in time")}
	case errors.As(err, &at):
		err = at.Err
	}
	var api *ovh.APIError
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &api) || errors.As(err, &syntax) || errors.As(err, &kind) {
		return nonsense("the clock of OVH is no number")
	}
	return &carrier.Trouble{Problem: carrier.ProblemUnreachable, Err: err}
}

func nonsense(what string) error {
	return &carrier.Trouble{Problem: carrier.ProblemNonsense, Err: errors.New(what)}
}

var (
	errNotGranted = errors.New("our rights don't reach that")
	errForbidden  = errors.New("forbidden")
)

// failure is OVH's answer where there is no success. Newer ones have a class, older ones an errorCode; of both the message is stable.
type failure struct {
	Code    string `json:"errorCode"`
	Class   string `json:"class"`
	Message string `json:"message"`
}

// word is what may be shown in a log: a message may name telephone numbers.
var word = regexp.MustCompile(`^[A-Za-z_:]{1,60}$`)

func (f failure) String() string {
	for _, text := range []string{f.Code, f.Class} {
		if word.MatchString(text) {
			return " " + text
		}
	}
	return ""
}

// refusal reads an answer that is no success.
func refusal(resp *http.Response, body []byte) error {
	var f failure
	if json.Unmarshal(body, &f) != nil {
		f = failure{} // whatever stands before OVH answers in words of its own
	}
	status, trouble := resp.StatusCode, &carrier.Trouble{After: after(resp.Header.Get("Retry-After"), time.Now())}
	trouble.Err = fmt.Errorf("%d%s", status, f)
	switch {
	case status == http.StatusTooManyRequests:
		trouble.Problem = carrier.ProblemLimited
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		trouble.Problem, trouble.Err = f.forbidden(status)
	case f.Code == "QUERY_TIME_OUT": // the signature's time was too old when it came
		trouble.Problem = carrier.ProblemSlow
	case status == http.StatusNotFound:
		trouble.Problem, trouble.Gone = carrier.ProblemRefused, true
	case status >= 500:
		trouble.Problem = carrier.ProblemUnreachable
	case status >= 400:
		trouble.Problem = carrier.ProblemRefused
	default: // a success without an answer, or a redirection
		trouble.Problem = carrier.ProblemNonsense
	}
	return trouble
}

// forbidden tells a key that is no good from rights that don't reach, and from an application that OVH doesn't know.
func (f failure) forbidden(status int) (carrier.Problem, error) {
	message := strings.ToLower(f.Message)
	said := func(code, text string) bool { return f.Code == code || strings.Contains(message, text) }
	switch {
	case said("NOT_CREDENTIAL", "credential does not exist"):
		return carrier.ProblemWithdrawn, errors.New("there is no such credential")
	case said("INVALID_CREDENTIAL", "credential"), strings.Contains(message, "login first"):
		return carrier.ProblemPending, errors.New("the credential is not valid")
	case said("NOT_GRANTED_CALL", "not been granted"):
		return carrier.ProblemRefused, errNotGranted
	case said("INVALID_KEY", "application key"):
		return carrier.ProblemRefused, errors.New("the application key is not valid")
	case status == http.StatusUnauthorized:
		return carrier.ProblemPending, errForbidden
	}
	return carrier.ProblemRefused, fmt.Errorf("%w:%s", errForbidden, f)
}

// after reads Retry-After: seconds, or a date (RFC 9110, section 10.2.3).
func after(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 24); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
