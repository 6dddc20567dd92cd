package messaging

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"switchboard/comms"
)

// documented is the document's table of codes, the English half.
var documented = map[int]string{
	10000: "OK", 10001: "server error", 10002: "format error", 10003: "number not available", 10004: "uuid error", 10005: "link data existed",
	10009: "server busy, try again", 10010: "caller number not in use", 10011: "callee number not in use", 10012: "callid error",
	10013: "msgid error", 10020: "debug", 10031: "service not available", 10032: "balance not enough", 10061: "auth error",
}

func TestEveryCodeHasItsAnswer(t *testing.T) {
	for _, c := range comms.Codes() {
		a, ok := answers[fault{code: c}]
		if !ok {
			t.Errorf("%s has no line of its own", c)
		}
		// A field or reason that this door has never heard of falls back on the code.
		if got := answerTo(&comms.Error{Code: c, Field: "x", Reason: "Y"}); got != a {
			t.Errorf("%s of something unknown is %v, want %v", c, got, a)
		}
	}
	for f, a := range answers {
		if documented[a.number] != a.text {
			t.Errorf("%+v is %d %q, which is not the documented text", f, a.number, a.text)
		}
		if a.status != http.StatusOK && f.reason != comms.ReasonTooLarge {
			t.Errorf("%+v goes out under the status %d", f, a.status)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&comms.Error{Code: comms.Invalid, Field: "to", Text: "no phone number"}, "10002 format error — callee: no phone number"},
		{&comms.Error{Code: comms.Invalid, Field: "callerName", Text: "2 to 32 characters"}, "10002 format error — caller_name: 2 to 32 characters"},
		{&comms.Error{Code: comms.Invalid, Field: "somethingNew", Text: "text"}, "10002 format error"},
		{&comms.Error{Code: comms.Invalid, Field: "length", Reason: comms.ReasonTooLarge, Text: "at most 5 bytes"}, "10002 format error — length: at most 5 bytes"},
		{&comms.Error{Code: comms.NotFound, Field: "from", Text: "secret"}, "10004 uuid error"},
		{&comms.Error{Code: comms.NotFound, Field: "uuid", Text: "secret"}, "10004 uuid error"},
		{&comms.Error{Code: comms.NotFound, Field: "uri", Text: "secret"}, "10013 msgid error"},
		{&comms.Error{Code: comms.NotFound, Field: "to", Text: "secret"}, "10011 callee number not in use"},
		{&comms.Error{Code: comms.Forbidden, Field: "to", Reason: comms.ReasonBlocked, Text: "blocked"}, "10011 callee number not in use"},
		{&comms.Error{Code: comms.Forbidden, Field: "to", Reason: comms.ReasonDisabled, Text: "off"}, "10011 callee number not in use"},
		{&comms.Error{Code: comms.Forbidden, Field: "from", Reason: comms.ReasonDisabled, Text: "off"}, "10010 caller number not in use"},
		{&comms.Error{Code: comms.Limited, Text: "secret"}, "10009 server busy, try again"},
		{&comms.Error{Code: comms.Unavailable, Text: "secret"}, "10009 server busy, try again"},
		{&comms.Error{Code: comms.Unavailable, Reason: comms.ReasonNoVoice, Text: "secret"}, "10031 service not available"},
		{errors.New("secret"), "10001 server error"},
		{fmt.Errorf("around: %w", formatFault("req is missing")), "10002 format error — req is missing"},
	} {
		r := refusalOf(c.err)
		if got := fmt.Sprint(r.number, " ", r.Error()); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
}
