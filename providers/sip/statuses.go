package sip

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// meaning is what a word of the rules is in SIP.
type meaning struct {
	status int    // the final response to who rang in (RFC 3261 section 21)
	phrase string // its reason phrase, and the text of the Reason header
	cause  int    // Q.850, in the Reason header of a final response, a BYE or a CANCEL (RFC 3326)
}

// meanings is the one table from the words of the rules to SIP. Blocked, stranger and the like share a status with others on purpose:
// the caller learns no more than that the call was refused.
var meanings = map[call.Why]meaning{
	call.WhyHungUp:      {480, "Call Ended", 16},
	call.WhyNoAnswer:    {480, "No Answer", 19},
	call.WhyBusy:        {486, "Busy Here", 17},
	call.WhyDeclined:    {603, "Decline", 21},
	call.WhyCancelled:   {487, "Request Terminated", 16},
	call.WhyUnreachable: {480, "Temporarily Unavailable", 20},
	call.WhyNoSuch:      {404, "Not Found", 1},
	call.WhyDisabled:    {480, "Temporarily Unavailable", 27},
	call.WhyBlocked:     {603, "Decline", 21},
	call.WhyStranger:    {403, "Forbidden", 21},
	call.WhyExpired:     {403, "Forbidden", 21},
	call.WhyDirection:   {403, "Forbidden", 21},
	call.WhyNotAllowed:  {403, "Forbidden", 57},
	call.WhyTooMany:     {480, "Too Many Calls", 42},
	call.WhyOverload:    {503, "Service Unavailable", 42},
	call.WhyNoMedia:     {488, "Not Acceptable Here", 88},
	call.WhyNoVoice:     {501, "Not Implemented", 79},
	call.WhyTooLong:     {480, "Longest Duration Reached", 102},
	call.WhyLost:        {408, "Request Timeout", 102},
	call.WhyRestart:     {503, "Service Unavailable", 41},
	call.WhyStopping:    {503, "Service Unavailable", 41},
	call.WhyDeleted:     {410, "Gone", 22},
	call.WhyFailed:      {500, "Server Internal Error", 41},
}

// failures is the way back: what a final response of a callee means. What is not listed is WhyFailed: a redirection (3xx) too, because
// following it would let a callee send this call, and its bill, anywhere.
var failures = map[int]call.Why{
	401: call.WhyNotAllowed, 403: call.WhyNotAllowed, 407: call.WhyNotAllowed, // a trunk that doesn't take our credentials
	404: call.WhyNoSuch, 410: call.WhyNoSuch, 484: call.WhyNoSuch, 485: call.WhyNoSuch, 604: call.WhyNoSuch,
	408: call.WhyNoAnswer, 487: call.WhyNoAnswer,
	480: call.WhyUnreachable, 430: call.WhyUnreachable, 502: call.WhyUnreachable, 503: call.WhyUnreachable, 504: call.WhyUnreachable,
	486: call.WhyBusy, 600: call.WhyBusy,
	603: call.WhyDeclined, 607: call.WhyDeclined, 608: call.WhyDeclined,
	415: call.WhyNoMedia, 488: call.WhyNoMedia, 606: call.WhyNoMedia,
}

// endings says what a Q.850 cause means where the status alone says less: carriers answer 480 or 500 and put the truth into Reason.
var endings = map[int]call.Why{
	1: call.WhyNoSuch, 17: call.WhyBusy, 18: call.WhyNoAnswer, 19: call.WhyNoAnswer, 20: call.WhyUnreachable, 21: call.WhyDeclined,
	22: call.WhyNoSuch, 27: call.WhyUnreachable, 28: call.WhyNoSuch,
}

// meant is what a word means in SIP; a word that the table doesn't know is a failure like any other.
func meant(w call.Why) meaning {
	if m, ok := meanings[w]; ok {
		return m
	}
	return meanings[call.WhyFailed]
}

// ending is what a callee's final response says about the call.
func ending(res *sip.Response) call.End {
	why, known := failures[res.StatusCode]
	if !known {
		why = call.WhyFailed
	}
	cause := q850(res)
	if told, ok := endings[cause]; ok && (why == call.WhyFailed || why == call.WhyUnreachable) {
		why = told
	}
	if cause == 0 {
		cause = meant(why).cause
	}
	return call.End{Why: why, By: call.ByCallee, Status: res.StatusCode, Cause: cause}
}

// rank orders the failures of telephones that rang together: the one that says most about the person is what the caller is told
// (RFC 3261 section 16.7 step 6, in our words).
func rank(w call.Why) int {
	switch w {
	case call.WhyDeclined:
		return 6
	case call.WhyBusy:
		return 5
	case call.WhyNoAnswer:
		return 4
	case call.WhyNoMedia:
		return 3
	case call.WhyNotAllowed, call.WhyNoSuch:
		return 2
	case call.WhyUnreachable:
		return 1
	default:
		return 0
	}
}

// elsewhere is the reason given to telephones that ring on when another has answered, so that they don't show a missed call (RFC 3326).
const elsewhere = `SIP;cause=200;text="Call completed elsewhere"`

// reason is the Reason header for a word.
func reason(w call.Why) string {
	m := meant(w)
	text := m.phrase
	if w == call.WhyHungUp {
		text = "Normal call clearing"
	}
	return fmt.Sprintf(`Q.850;cause=%d;text="%s"`, m.cause, text)
}

// q850 is the Q.850 cause that a message's Reason headers give; 0: none.
func q850(m sip.Message) int {
	for _, h := range m.GetHeaders("Reason") {
		for _, value := range strings.Split(h.Value(), ",") { // a text in quotes may hold a comma: what is torn off then names no protocol
			protocol, params, _ := strings.Cut(value, ";")
			if !strings.EqualFold(strings.TrimSpace(protocol), "Q.850") {
				continue
			}
			for _, p := range strings.Split(params, ";") {
				name, text, _ := strings.Cut(p, "=")
				if cause, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && strings.EqualFold(strings.TrimSpace(name), "cause") && cause > 0 && cause < 128 {
					return cause
				}
			}
		}
	}
	return 0
}
