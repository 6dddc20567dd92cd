package call

import (
	"fmt"

	"switchboard/comms"
)

func invalid(field, format string, args ...any) error {
	return comms.Refused(comms.Invalid, field, comms.ReasonNone, fmt.Sprintf(format, args...))
}

func notFound(field, text string) error {
	return comms.Refused(comms.NotFound, field, comms.ReasonNone, text)
}

func conflict(field, text string) error {
	return comms.Refused(comms.Conflict, field, comms.ReasonNone, text)
}

// asError is what an account is told whose placed call is refused before there is a call. Other refusals become of a call.
func (r *Refusal) asError(field string) error {
	switch r.Why {
	case WhyNoSuch:
		return comms.Refused(comms.NotFound, field, comms.ReasonNone, r.Text)
	case WhyNotAllowed:
		return comms.Refused(comms.Forbidden, field, comms.ReasonNone, r.Text)
	case WhyTooMany:
		return &comms.Error{Code: comms.Limited, Text: r.Text, RetryAfter: limitsRetry}
	}
	return nil
}
