package callrecords

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"switchboard/comms"
)

// statuses are the HTTP statuses of what verbs answer (contract, "Errors": chosen).
var statuses = map[comms.Code]int{
	comms.Invalid:         http.StatusBadRequest,
	comms.Unauthenticated: http.StatusUnauthorized,
	comms.Forbidden:       http.StatusForbidden,
	comms.NotFound:        http.StatusNotFound,
	comms.Conflict:        http.StatusConflict,
	comms.Limited:         http.StatusTooManyRequests,
	comms.Unavailable:     http.StatusServiceUnavailable,
	comms.Internal:        http.StatusInternalServerError,
}

// errorBody is what a refused program gets (chosen).
type errorBody struct {
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message"`
}

// refusal is what this door itself refuses, before any verb is asked.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func badInput(text string) error { return &refusal{http.StatusBadRequest, text} }

// failure is an answer that is no success.
type failure struct {
	status     int
	text       string
	retryAfter time.Duration
	internal   error // for the log
}

func failureOf(err error) failure {
	if r, ok := errors.AsType[*refusal](err); ok {
		return failure{status: r.status, text: r.text}
	}
	e := comms.AsError(err)
	f := failure{status: statuses[e.Code], text: e.Text, retryAfter: e.RetryAfter}
	if e.Code == comms.Internal {
		f.internal = err
	}
	return f
}

// head sets the headers that belong to the failure's status.
func (f failure) head(h http.Header) {
	switch f.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="switchboard"`) // RFC 9110, section 11.6.1
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(f.retryAfter.Seconds())))))
	}
}
