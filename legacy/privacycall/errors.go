package privacycall

import (
	"errors"
	"net/http"

	"switchboard/comms"
)

// The codes of this API. The document gives none but 1, and the shape; these are chosen, in the family's style.
const (
	flagOK              = 1
	flagNoAuthorization = 101100
	flagNotBase64       = 101101
	flagNotSigned       = 101104
	flagExpired         = 101106
	flagReplayed        = 101108
	flagUnknown         = 101111
	flagNoSig           = 101114
	flagMismatch        = 101115
	flagBadNumber       = 100006
	flagMissing         = 100008 // a number, or a body that can be read at all
	flagNotInPool       = 100015
	flagNoneFree        = 100016
	flagDirection       = 100017
	flagEnd             = 100018
	flagNoCall          = 100104
	flagNotRecorded     = 100105
	flagInternal        = 100699
)

// fault is what comms says of a failure, as far as this API tells failures apart. An empty field stands for any.
type fault struct {
	code  comms.Code
	field string
}

// flags is the whole translation. A code stands alone once, for every failure that has no line of its own.
var flags = map[fault]int{
	{code: comms.Invalid}:                       flagBadNumber,
	{code: comms.Invalid, field: "direction"}:   flagDirection,
	{code: comms.Invalid, field: "expiresAt"}:   flagEnd,
	{code: comms.Unauthenticated}:               flagUnknown,
	{code: comms.Forbidden}:                     flagUnknown,
	{code: comms.Forbidden, field: "signature"}: flagReplayed,
	{code: comms.NotFound}:                      flagNoCall,
	{code: comms.NotFound, field: "numberId"}:   flagNotInPool,
	{code: comms.Conflict}:                      flagNoneFree,
	{code: comms.Conflict, field: "recording"}:  flagNotRecorded,
	{code: comms.Limited}:                       flagInternal,
	{code: comms.Unavailable}:                   flagInternal,
	{code: comms.Internal}:                      flagInternal,
}

// refusal is a failure as it goes out; this door's own refusals are made as one.
type refusal struct {
	flag   int
	text   string
	status int
}

func (r refusal) Error() string { return r.text }

// Those for which HTTP has words of its own (chosen, as in the messaging API). Every other failure is 200 (documented).
var (
	wrongMethod = refusal{flagMissing, "every call is a POST", http.StatusMethodNotAllowed}
	noSuchPath  = refusal{flagMissing, "there is no such call", http.StatusNotFound}
	tooLarge    = refusal{flagMissing, "the body must have at most 64 KiB", http.StatusRequestEntityTooLarge}
)

func badBody(text string) error { return refusal{flagMissing, text, http.StatusOK} }

// failureOf translates what a verb or the wire answered.
func failureOf(err error) refusal {
	var r refusal
	if errors.As(err, &r) {
		return r
	}
	e := comms.AsError(err)
	flag, ok := flags[fault{e.Code, e.Field}]
	if !ok {
		flag = flags[fault{code: e.Code}]
	}
	return refusal{flag, e.Text, http.StatusOK}
}
