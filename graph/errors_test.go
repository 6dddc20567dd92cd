package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"switchboard/comms"
)

func TestEveryCodeHasAWord(t *testing.T) {
	for _, c := range comms.Codes() {
		if topCodes[c] != c.String() {
			t.Errorf("%v is told as %q", c, topCodes[c])
		}
		_, user := userCodes[c]
		whole := slices.Contains([]comms.Code{comms.Limited, comms.Unavailable, comms.Internal}, c)
		if user == whole {
			t.Errorf("%v: user error %v, but it is about the request as a whole: %v", c, user, whole)
		}
	}
	if len(topCodes) != len(comms.Codes()) {
		t.Error("topCodes has words for codes that don't exist")
	}
}

func TestUserErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		err  *comms.Error
		code string // of the user error; empty: it is a top-level error
		path string
	}{
		{"a rule", &comms.Error{Code: comms.Invalid, Field: "text", Text: "t"}, "INVALID", "input.text"},
		{"a wrong password", &comms.Error{Code: comms.Unauthenticated, Field: "password"}, "UNAUTHENTICATED", "input.password"},
		{"nothing there", &comms.Error{Code: comms.NotFound, Field: "from"}, "NOT_FOUND", "input.from"},
		{"a state", &comms.Error{Code: comms.Conflict, Field: "x"}, "CONFLICT", "input.x"},
		{"the input as a whole", &comms.Error{Code: comms.Conflict, Field: "input", Reason: comms.ReasonNumberLimit}, "NUMBER_LIMIT", "input"},
		{"another word in the verb", &comms.Error{Code: comms.Invalid, Field: "callerName"}, "INVALID", "input.fromName"},
		{"the length of the file", &comms.Error{Code: comms.Invalid, Field: "length", Reason: comms.ReasonTooLarge}, "TOO_LARGE", "input.file"},
		{"an account to be activated", &comms.Error{Code: comms.Forbidden, Field: "email", Reason: comms.ReasonNotActivated}, "NOT_ACTIVATED", "input.email"},
		{"a consent that is missing", &comms.Error{Code: comms.Conflict, Field: "id", Reason: comms.ReasonNotConsented}, "NOT_CONSENTED", "input.id"},
		{"a group that is not there", &comms.Error{Code: comms.NotFound, Field: "group"}, "NOT_FOUND", "input.groupId"},
		{"a carrier that is away", &comms.Error{Code: comms.Unavailable, Field: "id", Reason: "CARRIER_UNREACHABLE"}, "", ""},
		{"no carrier set up", &comms.Error{Code: comms.Unavailable, Reason: comms.ReasonNotConfigured}, "", ""},
		{"a taken email", &comms.Error{Code: comms.Conflict, Field: "email", Reason: comms.ReasonEmailTaken}, "EMAIL_TAKEN", "input.email"},
		{"a reason without a word", &comms.Error{Code: comms.Forbidden, Field: "scopes", Reason: comms.ReasonScope}, "FORBIDDEN", "input.scopes"},
		{"the caller", &comms.Error{Code: comms.Forbidden, Reason: comms.ReasonScope}, "", ""},
		{"nobody", &comms.Error{Code: comms.Unauthenticated}, "", ""},
		{"too often, whatever the field", &comms.Error{Code: comms.Limited, Field: "email"}, "", ""},
		{"our fault, whatever the field", &comms.Error{Code: comms.Internal, Field: "email"}, "", ""},
	} {
		list, err := userErrors(fmt.Errorf("wrapped: %w", c.err))
		switch {
		case c.code == "":
			if list != nil || !errors.Is(err, c.err) {
				t.Errorf("%s: %v, %v; want it top level", c.name, list, err)
			}
		case err != nil || len(list) != 1 || string(list[0].Code) != c.code || *list[0].Field != c.path || list[0].Message != c.err.Text:
			t.Errorf("%s: %+v, %v", c.name, list, err)
		}
	}
	if list, err := userErrors(nil); list != nil || err != nil {
		t.Errorf("nothing wrong: %v, %v", list, err)
	}
}

func TestPresenter(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.7: password=hunter2")
	withArgs := graphql.WithFieldContext(t.Context(), &graphql.FieldContext{Field: graphql.CollectedField{
		Field: &ast.Field{Alias: "messages", Arguments: ast.ArgumentList{{Name: "filter"}}}}})
	ran := graphql.WithFieldContext(t.Context(), &graphql.FieldContext{Args: map[string]any{}, Field: graphql.CollectedField{
		Field: &ast.Field{Alias: "messages", Arguments: ast.ArgumentList{{Name: "filter"}}}}})
	for _, c := range []struct {
		name      string
		ctx       context.Context
		err       error
		text, ext string
		logged    bool
	}{
		{"a refusal", t.Context(), &comms.Error{Code: comms.NotFound, Field: "id", Text: "there is no such number"}, "there is no such number", "map[code:NOT_FOUND]", false},
		{"its cause stays inside", t.Context(), &comms.Error{Code: comms.Unauthenticated, Text: "no", Err: secret}, "no", "map[code:UNAUTHENTICATED]", false},
		{"a reason", t.Context(), &comms.Error{Code: comms.Invalid, Reason: comms.ReasonCursorExpired, Text: "old"}, "old", "map[code:CURSOR_EXPIRED]", false},
		{"a missing scope", t.Context(), &comms.Error{Code: comms.Forbidden, Reason: comms.ReasonScope, Text: "no"}, "no", "map[code:FORBIDDEN]", false},
		{"too often", t.Context(), &comms.Error{Code: comms.Limited, RetryAfter: 1500 * time.Millisecond, Text: "wait"}, "wait", "map[code:LIMITED retryAfter:2]", false},
		{"busy", t.Context(), &comms.Error{Code: comms.Unavailable, RetryAfter: time.Second, Text: "busy", Err: secret}, "busy", "map[code:UNAVAILABLE retryAfter:1]", true},
		{"anything else", t.Context(), secret, "internal error", "map[code:INTERNAL]", true},
		{"anything else, with a place", t.Context(), gqlerror.WrapPath(ast.Path{ast.PathName("me")}, secret), "internal error", "map[code:INTERNAL]", true},
		{"gqlgen's own, from the schema", ran, gqlerror.Errorf("must not be null"), "internal error", "map[code:INTERNAL]", true},
		{"an argument that can't be read", withArgs, gqlerror.Errorf("Time is text"), "Time is text", "map[code:BAD_USER_INPUT]", false},
		{"what a transport said", t.Context(), &gqlerror.Error{Message: "too deep", Extensions: map[string]any{"code": "DEPTH_LIMIT"}}, "too deep", "map[code:DEPTH_LIMIT]", false},
		{"a panic", t.Context(), recoverPanic(t.Context(), "index out of range, hunter2"), "internal error", "map[code:INTERNAL]", true},
	} {
		var log bytes.Buffer
		got := presenter(slog.New(slog.NewTextHandler(&log, nil)))(c.ctx, c.err)
		if got.Message != c.text || fmt.Sprint(got.Extensions) != c.ext {
			t.Errorf("%s: %q %v", c.name, got.Message, got.Extensions)
		}
		if (log.Len() > 0) != c.logged {
			t.Errorf("%s: the log has %q", c.name, log.String())
		}
		if got.Err != nil {
			t.Errorf("%s: the cause is handed out with the error", c.name)
		}
	}
}
