package moor

import (
	"errors"
	"net/http"

	"switchboard/comms"
)

// codeOK is the code of success (documented). The code of a failure equals its HTTP status (chosen).
const codeOK = "200"

// fault is what comms says of a failure, as far as this API tells failures apart. An empty field stands for any.
type fault struct {
	code  comms.Code
	field string
}

// statuses is the whole translation. A code stands alone once, for every failure that has no line of its own.
var statuses = map[fault]int{
	{code: comms.Invalid}:                       http.StatusBadRequest,
	{code: comms.Unauthenticated}:               http.StatusUnauthorized,
	{code: comms.Forbidden}:                     http.StatusForbidden,
	{code: comms.Forbidden, field: "signature"}: http.StatusUnauthorized, // it was used before
	{code: comms.NotFound}:                      http.StatusNotFound,
	{code: comms.Conflict}:                      http.StatusConflict,
	{code: comms.Limited}:                       http.StatusTooManyRequests,
	{code: comms.Unavailable}:                   http.StatusServiceUnavailable,
	{code: comms.Internal}:                      http.StatusInternalServerError,
}

// refusal is a failure as it goes out; this door's own refusals are made as one.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

var (
	wrongMethod = refusal{http.StatusMethodNotAllowed, "every call is a POST"}
	noSuchPath  = refusal{http.StatusNotFound, "there is no such call"}
)

func unproved(text string) error { return refusal{http.StatusUnauthorized, text} }

// failureOf translates what a verb or this door answered.
func failureOf(err error) refusal {
	var r refusal
	if errors.As(err, &r) {
		return r
	}
	e := comms.AsError(err)
	status, ok := statuses[fault{e.Code, e.Field}]
	if !ok {
		status = statuses[fault{code: e.Code}]
	}
	return refusal{status, e.Text}
}
