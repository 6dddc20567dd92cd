package comms

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Scope is a set of things that a credential may do.
type Scope uint16

// The scopes. A password, a session token and an API key have them all; an API token has those that it was made with.
const (
	ReadAccount Scope = 1 << iota
	WriteAccount
	ReadNumbers
	WriteNumbers
	ReadMessages
	SendMessages
	ReadEvents
	ReadRecords
	PlaceCalls
	allScopes = 1<<iota - 1
)

// scopeNames are the words that are stored; the doors have their own.
var scopeNames = []string{"account:read", "account:write", "numbers:read", "numbers:write", "messages:read", "messages:send",
	"events:read", "records:read", "calls:place"}

// Names lists the scopes of the set in the words that are stored.
func (s Scope) Names() []string {
	var out []string
	for i, name := range scopeNames {
		if s&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// ScopeNamed is the scope of that name; zero where there is none.
func ScopeNamed(name string) Scope {
	for i, n := range scopeNames {
		if n == name {
			return 1 << i
		}
	}
	return 0
}

// Actor is who asks. It is made by Authenticate (or AsNumber) and carried by the context; a verb finds it there.
type Actor struct {
	AccountID uuid.UUID
	Scopes    Scope
	TokenID   uuid.UUID // the API token, where one was used
	// Number is set instead of AccountID by the messaging API, whose credential is the id of a number: the actor may act for
	// that number and nothing else.
	Number    uuid.UUID
	ExpiresAt time.Time // when the credential ends by itself; zero: never
}

// May tells whether the actor has the scope.
func (a *Actor) May(s Scope) bool { return a != nil && a.Scopes&s == s }

type actorKey struct{}

// WithActor is ctx carrying the actor.
func WithActor(ctx context.Context, a *Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf is the actor that ctx carries; nil: nobody.
func ActorOf(ctx context.Context) *Actor {
	a, _ := ctx.Value(actorKey{}).(*Actor)
	return a
}

// AsNumber is ctx for somebody who showed the id of a number, the messaging API's credential. Whether there is such a number is
// found by the verb itself, in its own transaction.
func AsNumber(ctx context.Context, number uuid.UUID) context.Context {
	return WithActor(ctx, &Actor{Number: number, Scopes: ReadMessages | SendMessages})
}

type originKey struct{}

// WithOrigin is ctx carrying the address that a request came from, which throttles count by.
func WithOrigin(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, originKey{}, address)
}

func originOf(ctx context.Context) string {
	s, _ := ctx.Value(originKey{}).(string)
	return s
}

// demand is the account's actor with that scope, or why not.
func demand(ctx context.Context, s Scope) (*Actor, error) {
	a := ActorOf(ctx)
	switch {
	case a == nil || a.AccountID == uuid.Nil:
		return nil, &Error{Code: Unauthenticated, Text: "authentication is required"}
	case !a.ExpiresAt.IsZero() && time.Now().After(a.ExpiresAt):
		return nil, &Error{Code: Unauthenticated, Text: "the credential has expired"}
	case !a.May(s):
		return nil, &Error{Code: Forbidden, Reason: ReasonScope, Text: "this token does not have the scope that this needs"}
	}
	return a, nil
}
