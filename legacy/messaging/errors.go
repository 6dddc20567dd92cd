package messaging

import (
	"errors"
	"net/http"

	"switchboard/comms"
)

// answer is one of the documented numbers with the English half of its text, and the HTTP status under which it goes out.
type answer struct {
	number int
	text   string
	status int
}

// The documented numbers that this door uses. 10005, 10012, 10020 and 10032 belong to calls that it does not have.
var (
	serverError    = answer{10001, "server error", http.StatusOK}
	formatError    = answer{10002, "format error", http.StatusOK}
	wrongMethod    = answer{10002, "format error", http.StatusMethodNotAllowed}
	tooLarge       = answer{10002, "format error", http.StatusRequestEntityTooLarge}
	notAvailable   = answer{10003, "number not available", http.StatusOK}
	uuidError      = answer{10004, "uuid error", http.StatusOK}
	serverBusy     = answer{10009, "server busy, try again", http.StatusOK}
	callerNotInUse = answer{10010, "caller number not in use", http.StatusOK}
	calleeNotInUse = answer{10011, "callee number not in use", http.StatusOK}
	msgidError     = answer{10013, "msgid error", http.StatusOK}
	noVoice        = answer{10031, "service not available", http.StatusOK}
)

// fault is what comms says of a failure, as far as this API tells failures apart. An empty part stands for any.
type fault struct {
	code   comms.Code
	field  string
	reason comms.Reason
}

// answers is the whole translation. A code stands alone once, for every failure that has no line of its own.
var answers = map[fault]answer{
	{code: comms.Invalid}:                               formatError,
	{code: comms.Invalid, reason: comms.ReasonTooLarge}: tooLarge,
	// The only credential is the UUID: where there is none that is good, "UUID 无效或验证失败" is the documented word.
	{code: comms.Unauthenticated}: uuidError,
	{code: comms.Forbidden}:       uuidError,
	// Chosen: who is blocked learns no more than that the number does not answer, so a block can't be told from a number that isn't there.
	{code: comms.Forbidden, reason: comms.ReasonBlocked}:                 calleeNotInUse,
	{code: comms.Forbidden, reason: comms.ReasonDisabled, field: "from"}: callerNotInUse,
	{code: comms.Forbidden, reason: comms.ReasonDisabled, field: "to"}:   calleeNotInUse,
	{code: comms.NotFound}:               uuidError,
	{code: comms.NotFound, field: "to"}:  calleeNotInUse,
	{code: comms.NotFound, field: "uri"}: msgidError,
	{code: comms.Conflict}:               notAvailable, // no verb of this door answers it today
	{code: comms.Limited}:                serverBusy,
	{code: comms.Unavailable}:            serverBusy,
	// Documented for AI calls. The document has no request that places one: OpenCloud's call frame does, and says this number there.
	{code: comms.Unavailable, reason: comms.ReasonNoVoice}: noVoice,
	{code: comms.Internal}:                                 serverError,
}

// answerTo looks for the closest line.
func answerTo(e *comms.Error) answer {
	for _, f := range [...]fault{
		{e.Code, e.Field, e.Reason}, {code: e.Code, reason: e.Reason}, {code: e.Code, field: e.Field},
	} {
		if a, ok := answers[f]; ok {
			return a
		}
	}
	return answers[fault{code: e.Code}]
}

// refusal is an answer that is no success, with a hint for whoever writes the client.
type refusal struct {
	answer
	hint string
}

func (r *refusal) Error() string {
	if r.hint == "" {
		return r.text
	}
	return r.text + " — " + r.hint
}

func formatFault(hint string) error { return &refusal{formatError, hint} }

// words are this API's names for what comms finds fault with.
var words = map[string]string{
	"to": "callee", "text": "data", "length": "length", "fileName": "fname", "callerName": "caller_name",
	"appId": "appid", "build": "build", "name": "name", "locale": "locale", "token": "token", "uuid": "uuid",
}

// refusalOf translates what a verb or the wire answered. Only what is wrong with the request gets a hint: the others must read the same
// whatever stood behind them.
func refusalOf(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	e := comms.AsError(err)
	r = &refusal{answer: answerTo(e)}
	if word := words[e.Field]; e.Code == comms.Invalid && word != "" {
		r.hint = word + ": " + e.Text
	}
	return r
}
