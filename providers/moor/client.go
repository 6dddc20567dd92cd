package moor

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	randv2 "math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options say whom to ask, and as whom.
type Options struct {
	URL, AppKey, Secret string
	Log                 *slog.Logger  // nil: nothing is logged
	Timeout             time.Duration // of one request, its answer included (30 s)
}

// Client asks one platform as one account.
type Client struct {
	Options
	http *http.Client
	wait func(ctx context.Context, d time.Duration) error
}

const (
	mostTries  = 5
	mostAnswer = 32 << 20        // bytes: a hundred thousand numbers
	longest    = 2 * time.Minute // that we wait because we are told to: the documented limit is over after one
	clockOff   = 5 * time.Minute // documented: what a time stamp may be off
)

// New is a client; nothing is asked yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the address of the 7moor platform must begin with https:// or http://")
	}
	if o.AppKey == "" || o.Secret == "" {
		return nil, errors.New("the 7moor platform asks for a key and a secret")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	return &Client{Options: o, wait: wait, http: &http.Client{
		// What is signed for one server is shown to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// wait waits, unless ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// again is a failure that may pass: the same is asked for once more.
type again struct {
	error
	after time.Duration // that we were told to wait; zero: nothing was said
}

func (a again) Unwrap() error { return a.error }

// ask asks for what is at a path, and asks again where that may help.
func (c *Client) ask(ctx context.Context, path string, data any) error {
	for try := 1; ; try++ {
		err := c.askOnce(ctx, path, data)
		var passing again
		if err == nil || !errors.As(err, &passing) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := passing.after
		if pause == 0 { // 0.5, 1, 2, 4 s, and up to as much again, so that many who failed together don't come back together
			pause = 500 * time.Millisecond << (try - 1)
			pause += randv2.N(pause)
		}
		if try == mostTries || pause > longest {
			return err
		}
		c.Log.InfoContext(ctx, "7moor: asking again", "path", path, "in", pause.Round(time.Millisecond), "because", err)
		if err := c.wait(ctx, pause); err != nil {
			return err
		}
	}
}

func (c *Client) askOnce(ctx context.Context, path string, data any) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+path, nil)
	if err != nil {
		return err
	}
	c.sign(r, time.Now())
	res, err := c.http.Do(r)
	if err != nil {
		return again{error: c.unreached(ctx, err)}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer+1))
	switch {
	case err != nil:
		return again{error: c.unreached(ctx, err)}
	case len(body) > mostAnswer:
		return c.failed("it answers more than %d MiB", mostAnswer>>20)
	}
	return c.read(res, body, data)
}

// sign proves who asks: HMAC-SHA256 over key, time and a number that is never used twice with it (found, on the vendor's page). The time is in
// ten digits, as that page has it.
func (c *Client) sign(r *http.Request, now time.Time) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil { // crypto/rand never fails: it ends the program instead
		panic(err)
	}
	stamp, nonce := strconv.FormatInt(now.Unix(), 10), fmt.Sprintf("%06d", n)
	h := hmac.New(sha256.New, []byte(c.Secret))
	h.Write([]byte(c.AppKey + stamp + nonce))
	for name, value := range map[string]string{"m7-appkey": c.AppKey, "m7-timestamp": stamp, "m7-nonce": nonce,
		"m7-sign": base64.StdEncoding.EncodeToString(h.Sum(nil)), "Content-Type": "application/json"} {
		r.Header.Set(name, value)
	}
}

// read is what a whole answer means.
func (c *Client) read(res *http.Response, body []byte, data any) error {
	answer, err := readAnswer(body)
	switch status := res.StatusCode; {
	case status == http.StatusTooManyRequests:
		return again{error: c.failed("it takes no more requests now"), after: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	case status >= 500:
		return again{error: c.failed("it has a problem (HTTP %d)", status), after: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		if off, ok := clockDifference(res.Header.Get("Date"), time.Now()); ok && off.Abs() > clockOff {
			return c.failed("it does not accept the signature: this machine's clock is %s off from its own", off.Abs().Round(time.Second))
		}
		return c.failed("it does not accept the key and the secret%s", answer.said())
	case status != http.StatusOK:
		return c.failed("it answers HTTP %d%s", status, answer.said())
	case err != nil:
		return c.failed("it answers something else than the documented envelope: %w", err)
	case !answer.Success:
		return c.failed("it refuses (code %s)%s", short(answer.Code), answer.said())
	}
	if err := answer.into(data); err != nil {
		return c.failed("its data is not what the document says: %w", err)
	}
	return nil
}

// failed is an error that says whose fault it is.
func (c *Client) failed(format string, args ...any) error {
	return fmt.Errorf("the 7moor platform at "+strings.ReplaceAll(c.URL, "%", "%%")+": "+format, args...)
}

func (c *Client) unreached(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return c.failed("no whole answer within %s", c.Timeout)
	}
	var e *url.Error // it repeats the address
	if errors.As(err, &e) {
		err = e.Err
	}
	return c.failed("it can't be reached: %w", err)
}

// retryAfter reads RFC 9110, section 10.2.3: seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return max(time.Duration(n)*time.Second, time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), time.Second)
	}
	return 0
}

// clockDifference is how far this clock is ahead of the one that wrote a Date header.
func clockDifference(text string, now time.Time) (time.Duration, bool) {
	at, err := http.ParseTime(text)
	return now.Sub(at), err == nil
}
