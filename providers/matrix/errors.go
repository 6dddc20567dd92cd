package matrix

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"maunium.net/go/mautrix"

	"switchboard/comms/notice"
)

var errNonsense = errors.New("the homeserver's answer makes no sense")

// loggedOut tells whether the homeserver did not know our token.
func loggedOut(err error) bool {
	return errors.Is(err, mautrix.MUnknownToken) || errors.Is(err, mautrix.MMissingToken) || status(err) == http.StatusUnauthorized
}

func notFound(err error) bool { return errors.Is(err, mautrix.MNotFound) }

// status is that of the answer; zero: there was none.
func status(err error) int {
	var h mautrix.HTTPError
	if errors.As(err, &h) && h.Response != nil {
		return h.Response.StatusCode
	}
	return 0
}

// broken is an answer that is worth a new try of anybody's: the homeserver is not what it should be.
func broken(err error) bool {
	s := status(err)
	return s == 0 || s < 400 || s >= 500
}

// failed is what a failure of Matrix means to us: the one place where that is said.
func failed(ctx context.Context, err error) error {
	var ours *notice.Failure
	switch {
	case err == nil, errors.As(err, &ours):
		return err
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return ctx.Err()
	case errors.Is(err, mautrix.MLimitExceeded), status(err) == http.StatusTooManyRequests:
		return &notice.Failure{Problem: notice.Limited, Service: true, After: retryAfter(err), Err: brief(err)}
	case loggedOut(err):
		return &notice.Failure{Problem: notice.LoggedOut, Service: true, Err: brief(err)}
	case errors.Is(err, mautrix.MUserDeactivated):
		return &notice.Failure{Problem: notice.UnknownUser, Err: brief(err)}
	case broken(err):
		return &notice.Failure{Problem: notice.Away, Service: true, Err: brief(err)}
	}
	return &notice.Failure{Problem: notice.Refused, Err: brief(err)}
}

// inviteFailure is the same of an invitation. That the owner's own homeserver does not answer is told by ours with an error of its own:
// nobody else waits for that.
func inviteFailure(ctx context.Context, err error) error {
	switch s := status(err); {
	case s >= 500:
		return &notice.Failure{Problem: notice.Away, Err: brief(err)}
	case notFound(err), errors.Is(err, mautrix.MInvalidParam), errors.Is(err, mautrix.MBadJSON):
		return &notice.Failure{Problem: notice.UnknownUser, Err: brief(err)}
	}
	return failed(ctx, err)
}

// loginFailure is the same of a login.
func loginFailure(ctx context.Context, err error) error {
	if s := status(err); s >= 400 && s < 500 && s != http.StatusTooManyRequests && !errors.Is(err, mautrix.MLimitExceeded) {
		return &notice.Failure{Problem: notice.LoggedOut, Service: true, Err: brief(err)}
	}
	return failed(ctx, err)
}

// brief is what is logged: neither the address, which names people and rooms, nor what was sent.
func brief(err error) error {
	var h mautrix.HTTPError
	var u *url.Error
	switch {
	case errors.As(err, &h) && h.RespError != nil:
		return fmt.Errorf("%d %.40q", h.RespError.StatusCode, h.RespError.ErrCode)
	case errors.As(err, &u):
		return u.Err
	case errors.As(err, &h) && h.Response != nil && h.Response.StatusCode >= 300:
		return fmt.Errorf("HTTP %d", h.Response.StatusCode)
	}
	return errNonsense
}

// longestWait is the longest that a homeserver may ask us to wait.
const longestWait = time.Hour

// retryAfter is how long the homeserver wants to be left alone: in the header, or as it was before that in the body.
func retryAfter(err error) time.Duration {
	var h mautrix.HTTPError
	if !errors.As(err, &h) {
		return 0
	}
	var wait time.Duration
	if h.RespError != nil {
		if ms, ok := h.RespError.ExtraData["retry_after_ms"].(float64); ok && ms > 0 && ms < float64(longestWait.Milliseconds()) {
			wait = time.Duration(ms) * time.Millisecond
		}
	}
	if s, err := strconv.Atoi(h.Response.Header.Get("Retry-After")); err == nil && s > 0 && s < int(longestWait/time.Second) {
		wait = max(wait, time.Duration(s)*time.Second)
	}
	return wait
}
