package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
	"switchboard/comms/notice"
	"switchboard/comms/pool"
	"switchboard/comms/record"
	"switchboard/graph/gen"
)

// Resolver answers the fields of the roots, and the few of nodes that need more than the node. Each root has a type of its own so
// that Query.number and Number.messages don't collide; their methods stand in the file of the noun.
type Resolver struct {
	svc      *comms.Service
	calls    *call.Service
	records  *record.Service
	carriers *carrier.Service
	pools    *pool.Service
	mails    *mail.Service
	notices  *notice.Service
}

type (
	queryResolver        struct{ *Resolver }
	mutationResolver     struct{ *Resolver }
	subscriptionResolver struct{ *Resolver }
	accountResolver      struct{ *Resolver }
	numberResolver       struct{ *Resolver }
	sipNumberResolver    struct{ *Resolver }
)

var _ gen.ResolverRoot = (*Resolver)(nil)

// Query is the root of what can be read.
func (r *Resolver) Query() gen.QueryResolver { return queryResolver{r} }

// Mutation is the root of what can be done.
func (r *Resolver) Mutation() gen.MutationResolver { return mutationResolver{r} }

// Subscription is the root of what can be watched.
func (r *Resolver) Subscription() gen.SubscriptionResolver { return subscriptionResolver{r} }

// Account resolves what an account doesn't carry.
func (r *Resolver) Account() gen.AccountResolver { return accountResolver{r} }

// Number resolves what a number doesn't carry.
func (r *Resolver) Number() gen.NumberResolver { return numberResolver{r} }

// SipNumber resolves what a telephone's row doesn't carry.
func (r *Resolver) SipNumber() gen.SipNumberResolver { return sipNumberResolver{r} }

// newSchema is the executable schema over the rules.
func newSchema(svc *comms.Service, o Options) graphql.ExecutableSchema {
	r := &Resolver{svc: svc, calls: o.Calls, records: o.Records, carriers: o.Carriers, pools: o.Pools, mails: o.Mails, notices: o.Notices}
	return gen.NewExecutableSchema(gen.Config{Resolvers: r, Complexity: complexity(svc.Limits().PageSize)})
}

type baseURLKey struct{}

// WithBaseURL is ctx carrying the address under which the caller reaches this server, without a slash at its end: what the links in
// answers begin with.
func WithBaseURL(ctx context.Context, base string) context.Context {
	return context.WithValue(ctx, baseURLKey{}, base)
}

func baseURL(ctx context.Context) string {
	s, _ := ctx.Value(baseURLKey{}).(string)
	return s
}

// idOf reads an id. Text that is no id names nothing, and no thing has the id Nil: the verb says that there is none.
func idOf(s string) uuid.UUID {
	if len(s) != len(uuid.Nil.String()) {
		return uuid.Nil
	}
	id, err := uuid.Parse(s)
	if err != nil {
		return uuid.Nil
	}
	return id
}

func idsOf(texts []string) []uuid.UUID {
	if texts == nil {
		return nil
	}
	ids := make([]uuid.UUID, len(texts))
	for i, s := range texts {
		ids[i] = idOf(s)
	}
	return ids
}

// text is an optional input; null is empty.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// viewer is the account that asks; Nil where nobody does, who then sees nothing either.
func viewer(ctx context.Context) uuid.UUID {
	if a := comms.ActorOf(ctx); a != nil {
		return a.AccountID
	}
	return uuid.Nil
}

// orNull makes a thing that isn't there null, as Query.number and Query.message promise.
func orNull[T any](thing *T, err error) (*T, error) {
	if comms.IsCode(err, comms.NotFound) {
		return nil, nil
	}
	return thing, refusal(err)
}
