package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"switchboard/comms"
	"switchboard/graph/gen"
)

// A refusal is told in one of two ways. What is wrong with a mutation's input is a userError of its payload, for a form to show. All else,
// and every refusal of a query or subscription, is a top-level error whose extensions.code a program can switch on.

// refusal is an error on its way to present: always a *comms.Error, so that what is none is known to come from gqlgen.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	return comms.AsError(err)
}

// userCodes are the words for what the input can put right. The other codes are never user errors.
var userCodes = map[comms.Code]gen.UserErrorCode{
	comms.Invalid:         gen.UserErrorCodeInvalid,
	comms.Unauthenticated: gen.UserErrorCodeUnauthenticated,
	comms.Forbidden:       gen.UserErrorCodeForbidden,
	comms.NotFound:        gen.UserErrorCodeNotFound,
	comms.Conflict:        gen.UserErrorCodeConflict,
}

// userReasons are the words that say more than the code's.
var userReasons = map[comms.Reason]gen.UserErrorCode{
	comms.ReasonEmailTaken:  gen.UserErrorCodeEmailTaken,
	comms.ReasonNumberLimit: gen.UserErrorCodeNumberLimit,
	comms.ReasonWrongAnswer: gen.UserErrorCodeWrongAnswer,
	comms.ReasonWrongPIN:    gen.UserErrorCodeWrongPIN,
	comms.ReasonCaptcha:     gen.UserErrorCodeCaptcha,
	comms.ReasonBlocked:     gen.UserErrorCodeBlocked,
	comms.ReasonKeyReused:   gen.UserErrorCodeIdempotencyKeyReused,
	comms.ReasonTooLarge:    gen.UserErrorCodeTooLarge,
	comms.ReasonDisabled:    gen.UserErrorCodeDisabled,

	comms.ReasonNoNumberFree: gen.UserErrorCodeNoNumberFree,
	comms.ReasonNotActivated: gen.UserErrorCodeNotActivated,
	comms.ReasonNotConsented: gen.UserErrorCodeNotConsented,
}

// topCodes are the words of extensions.code. A refusal with a reason is told by the reason's word.
var topCodes = map[comms.Code]string{
	comms.Invalid:         "INVALID",
	comms.Unauthenticated: "UNAUTHENTICATED",
	comms.Forbidden:       "FORBIDDEN",
	comms.NotFound:        "NOT_FOUND",
	comms.Conflict:        "CONFLICT",
	comms.Limited:         "LIMITED",
	comms.Unavailable:     "UNAVAILABLE",
	comms.Internal:        "INTERNAL",
}

// inputFields are the schema's words for fields that the verbs call otherwise.
var inputFields = map[string]string{
	"callerName": "input.fromName",
	"length":     "input.file",
	"input":      "input",
	"group":      "input.groupId",
	"every":      "input.importEvery",
}

// userErrors splits what a mutation's verb answered: either the input was wrong, or the request is refused as a whole.
func userErrors(err error) ([]*gen.UserError, error) {
	if err == nil {
		return nil, nil
	}
	e := comms.AsError(err)
	code, ok := userCodes[e.Code]
	if !ok || e.Field == "" {
		return nil, e
	}
	if word, ok := userReasons[e.Reason]; ok {
		code = word
	}
	field, ok := inputFields[e.Field]
	if !ok {
		field = "input." + e.Field
	}
	return []*gen.UserError{{Code: code, Field: &field, Message: e.Text}}, nil
}

// badInput says that an argument can't be read as its type: gqlgen found it, not a verb.
const badInput = "BAD_USER_INPUT"

var errNoPlan = errors.New("a subscription was executed without a transport that plans it")

// presenter turns an error into what the caller sees. Only the text of a comms.Error, which is made to be seen, and gqlgen's own words
// about arguments leave the server; all else is logged.
func presenter(log *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		out := &gqlerror.Error{Path: graphql.GetPath(ctx)}
		g, isGraph := errors.AsType[*gqlerror.Error](err)
		if isGraph {
			out.Locations = g.Locations
			if g.Path != nil {
				out.Path = g.Path
			}
		}
		if _, isOurs := errors.AsType[*comms.Error](err); !isOurs && isGraph {
			if g.Extensions["code"] != nil { // made by a transport or by gqlgen before execution: parse, validation, limits
				return g
			}
			if unreadableArgument(ctx) {
				out.Message, out.Extensions = g.Message, map[string]any{"code": badInput}
				return out
			}
		}
		e := comms.AsError(err)
		out.Message, out.Extensions = e.Text, map[string]any{"code": topCode(e)}
		if e.RetryAfter > 0 {
			out.Extensions["retryAfter"] = int((e.RetryAfter + time.Second - 1) / time.Second)
		}
		if e.Code == comms.Internal || e.Code == comms.Unavailable && e.Err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "graphql", "code", e.Code.String(), "path", out.Path.String(), "error", err)
		}
		return out
	}
}

// topCode is the word of a top-level error. That a token lacks a scope is no news to a program beside FORBIDDEN.
func topCode(e *comms.Error) string {
	if e.Reason != comms.ReasonNone && e.Reason != comms.ReasonScope {
		return string(e.Reason)
	}
	return topCodes[e.Code]
}

// unreadableArgument tells whether the field in ctx failed on its arguments, before its resolver ran.
func unreadableArgument(ctx context.Context) bool {
	fc := graphql.GetFieldContext(ctx)
	return fc != nil && fc.Args == nil && fc.Field.Field != nil && len(fc.Field.Arguments) > 0
}

// recoverPanic turns a panic in a resolver into an internal error of its field. The stack goes to the log by way of the presenter.
func recoverPanic(_ context.Context, p any) error {
	return &comms.Error{Code: comms.Internal, Text: "internal error", Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
}
