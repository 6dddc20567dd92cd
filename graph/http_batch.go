package graph

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// serveBatch answers a list of requests with a list of answers. They run one after the other, as they stand: a client that creates in
// one and reads in the next finds what it created. No specification has a status for half a list, so it is 200.
func (h *Handler) serveBatch(ctx context.Context, to answer, want *asked) {
	if to.as == asResponse {
		to.as = asJSON // a list is no graphql-response
	}
	body := []byte{'['}
	for i, p := range want.params {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendResponse(body, h.batched(ctx, p))
	}
	to.write(http.StatusOK, append(body, ']'))
}

func (h *Handler) batched(ctx context.Context, p *graphql.RawParams) *graphql.Response {
	op, errs := h.prepare(ctx, p)
	if errs != nil {
		return &graphql.Response{Errors: errs}
	}
	if op.Operation.Operation == ast.Subscription {
		return &graphql.Response{Errors: gqlerror.List{refused(codeStream, "a subscription can't be part of a list")}}
	}
	return h.execute(ctx, op)
}
