package comms

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Code says what kind of failure an Error is. Each door has one map from it to its own numbers; no number of a door lives here.
type Code uint8

// The vocabulary. Codes() lists it, so that a door's test can walk it.
const (
	Invalid         Code = iota + 1 // the input breaks a rule that the caller can read in the documentation
	Unauthenticated                 // no credential, or none that is good
	Forbidden                       // a good credential that may not do this
	NotFound                        // there is no such thing for this caller
	Conflict                        // the state of things refuses it: taken, used up, at its limit
	Limited                         // too often: try again after RetryAfter
	Unavailable                     // the server sheds load or is stopping: try again
	Internal                        // our fault; the text says nothing
)

// Codes is every code.
func Codes() []Code {
	return []Code{Invalid, Unauthenticated, Forbidden, NotFound, Conflict, Limited, Unavailable, Internal}
}

var codeNames = [...]string{Invalid: "INVALID", Unauthenticated: "UNAUTHENTICATED", Forbidden: "FORBIDDEN", NotFound: "NOT_FOUND",
	Conflict: "CONFLICT", Limited: "LIMITED", Unavailable: "UNAVAILABLE", Internal: "INTERNAL"}

func (c Code) String() string {
	if int(c) < len(codeNames) && codeNames[c] != "" {
		return codeNames[c]
	}
	return "INTERNAL"
}

// Reason is a stable word for what exactly was wrong, where a door or a program wants to tell two failures of one code apart.
type Reason string

// The reasons.
const (
	ReasonNone          Reason = ""
	ReasonEmailTaken    Reason = "EMAIL_TAKEN"
	ReasonNumberLimit   Reason = "NUMBER_LIMIT"
	ReasonWrongAnswer   Reason = "WRONG_ANSWER"
	ReasonWrongPIN      Reason = "WRONG_PIN"
	ReasonCaptcha       Reason = "CAPTCHA"
	ReasonBlocked       Reason = "BLOCKED"
	ReasonKeyReused     Reason = "IDEMPOTENCY_KEY_REUSED"
	ReasonCursorExpired Reason = "CURSOR_EXPIRED"
	ReasonBadCursor     Reason = "BAD_CURSOR"
	ReasonPageSize      Reason = "PAGE_SIZE_LIMIT"
	ReasonTooLarge      Reason = "TOO_LARGE"
	ReasonDisabled      Reason = "DISABLED"
	ReasonScope         Reason = "SCOPE"
	ReasonLinkExpired   Reason = "LINK_EXPIRED"
	ReasonNoVoice       Reason = "NO_VOICE"
	ReasonNoNumberFree  Reason = "NO_NUMBER_FREE"
	ReasonNotActivated  Reason = "NOT_ACTIVATED"
	ReasonNotConfigured Reason = "NOT_CONFIGURED"
	ReasonNotConsented  Reason = "NOT_CONSENTED"
)

// Error is what a verb answers when it does not do what was asked. Text is for the caller and never holds a secret, another
// account's data or an internal cause; the cause stays in Err, for the log.
type Error struct {
	Code       Code
	Field      string // the input's field that is wrong, in the verb's own words; empty where the caller itself is refused
	Reason     Reason
	Text       string
	RetryAfter time.Duration // for Limited and Unavailable
	Err        error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}

func (e *Error) Unwrap() error { return e.Err }

// AsError finds the Error in err. What is none becomes Internal: its text stays inside. A caller that went away is Unavailable.
func AsError(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), temporary(err):
		return &Error{Code: Unavailable, Text: "the server is busy, try again", RetryAfter: time.Second, Err: err}
	default:
		return &Error{Code: Internal, Text: "internal error", Err: err}
	}
}

// temporary tells whether the store said that the same request may succeed a moment later.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// IsCode tells whether err is an Error of that code.
func IsCode(err error, c Code) bool { e := AsError(err); return e != nil && e.Code == c }

func invalid(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Text: fmt.Sprintf(format, args...)}
}

func notFound(field, format string, args ...any) *Error {
	return &Error{Code: NotFound, Field: field, Text: fmt.Sprintf(format, args...)}
}

func conflict(field string, reason Reason, format string, args ...any) *Error {
	return &Error{Code: Conflict, Field: field, Reason: reason, Text: fmt.Sprintf(format, args...)}
}

func limited(after time.Duration, format string, args ...any) *Error {
	return &Error{Code: Limited, RetryAfter: after, Text: fmt.Sprintf(format, args...)}
}
