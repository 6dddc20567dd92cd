package graph

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"switchboard/comms"
)

// serveRequest answers by the GraphQL over HTTP specification (https://graphql.github.io/graphql-over-http/draft/), and by the distinct
// connections mode of graphql-sse where the client asks for an event stream.
func (h *Handler) serveRequest(w http.ResponseWriter, r *http.Request) {
	vary(w.Header())
	if r.Method == http.MethodGet {
		w.Header().Set("Cache-Control", "no-store") // it hangs on who asks, and a shared cache knows nothing of X-API-Key
	}
	wanted := negotiate(r.Header)
	to := answer{w: w, as: wanted.single}
	if wanted.single == asNothing {
		if !wanted.stream {
			to.as = asJSON
			to.refuse(http.StatusNotAcceptable,
				refused(codeNotAcceptable, "accept application/graphql-response+json, application/json or text/event-stream"))
			return
		}
		to.as = asJSON // for what is wrong before there is an operation
	}
	ctx, shown, err := h.signIn(r)
	if err != nil {
		h.refuseCaller(ctx, to, err)
		return
	}
	want, bad := h.read(ctx, w, r)
	if bad != nil {
		to.refuse(bad.status, bad.err)
		return
	}
	if want.discard != nil {
		defer h.discard(ctx, want)
	}
	switch {
	case want.batch:
		h.serveBatch(ctx, to, want)
	default:
		h.serveOne(ctx, serving{params: want.params[0], method: r.Method, wanted: wanted, shown: shown, lastEvent: r.Header.Get("Last-Event-Id")}, to)
	}
}

// refuseCaller answers a request whose credential isn't good.
func (h *Handler) refuseCaller(ctx context.Context, to answer, err error) {
	errs := h.errorList(ctx, err)
	status := http.StatusUnauthorized
	if !comms.IsCode(err, comms.Unauthenticated) {
		status = http.StatusServiceUnavailable
	} else {
		to.w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 section 11.6.1
	}
	to.refuse(status, errs...)
}

func (h *Handler) read(ctx context.Context, w http.ResponseWriter, r *http.Request) (*asked, *badRequest) {
	if r.Method == http.MethodGet {
		return paramsOf(r)
	}
	return h.bodyOf(ctx, w, r)
}

func (h *Handler) discard(ctx context.Context, want *asked) {
	if err := want.discard(); err != nil {
		h.o.Logger.ErrorContext(ctx, "remove uploads", "error", err)
	}
}

// serving is one operation by HTTP.
type serving struct {
	params    *graphql.RawParams
	method    string
	wanted    accepted
	shown     comms.Presented
	lastEvent string // Last-Event-ID: where a browser's EventSource takes up again
}

func (h *Handler) serveOne(ctx context.Context, c serving, to answer) {
	op, errs := h.prepare(ctx, c.params)
	if errs != nil {
		if c.wanted.single == asNothing {
			h.streamOnce(ctx, to.w, &graphql.Response{Errors: errs})
			return
		}
		to.refuse(to.requestErrorStatus(errs), errs...)
		return
	}
	kind := op.Operation.Operation
	switch {
	case c.method == http.MethodGet && kind == ast.Mutation:
		to.w.Header().Set("Allow", "POST")
		to.refuse(http.StatusMethodNotAllowed, refused(codeMethod, "a mutation is asked by POST"))
	case kind == ast.Subscription && c.wanted.stream:
		h.streamEvents(ctx, to.w, streamed{op: op, shown: c.shown, lastEvent: c.lastEvent})
	case kind == ast.Subscription:
		to.refuse(http.StatusBadRequest,
			refused(codeStream, "a subscription needs a stream: use a WebSocket, or send Accept: text/event-stream"))
	case c.wanted.single == asNothing:
		h.streamOnce(ctx, to.w, h.execute(ctx, op))
	default:
		to.write(http.StatusOK, appendResponse(nil, h.execute(ctx, op)))
	}
}

// prepare is the operation that a request asks for, or its request errors.
func (h *Handler) prepare(ctx context.Context, p *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	if err := h.restore(p); err != nil {
		return nil, gqlerror.List{err}
	}
	return h.documents.operation(ctx, p)
}

// execute runs a query or mutation.
func (h *Handler) execute(ctx context.Context, op *graphql.OperationContext) (resp *graphql.Response) {
	defer func() {
		if p := recover(); p != nil {
			resp = &graphql.Response{Errors: h.errorList(ctx, recoverPanic(ctx, p))}
		}
	}()
	// What Executor.DispatchOperation does but for extensions, of which there are none: each would cost every operation.
	ctx = graphql.WithResponseContext(graphql.WithOperationContext(ctx, op), h.present, recoverPanic)
	if ctx.Err() == nil {
		if resp = h.documents.es.Exec(ctx)(ctx); resp != nil {
			resp.Errors = append(resp.Errors, graphql.GetErrors(ctx)...)
		}
	}
	if resp == nil { // gqlgen's word for: nobody waits for it any more
		resp = &graphql.Response{Errors: h.errorList(ctx, context.Cause(ctx))}
	}
	return resp
}

// Values of headers that are shared by all answers: who adds to one gets a copy of his own.
var (
	nosniff    = slices.Clip([]string{"nosniff"})
	varyAccept = slices.Clip([]string{"Accept"})
)

// vary says that the answer hangs on Accept.
func vary(head http.Header) {
	if head["Vary"] == nil {
		head["Vary"] = varyAccept
		return
	}
	head.Add("Vary", "Accept")
}

// uncounted is less than net/http holds back to count by itself, which costs no header.
const uncounted = 1024

// answer is one HTTP response and what it is written as.
type answer struct {
	w  http.ResponseWriter
	as mediaType
}

// requestErrorStatus is the status of a request that was not executed. A document that doesn't parse or validate is no bad HTTP request
// for a client of the application/json days, which reads errors with status 200 only.
func (a answer) requestErrorStatus(errs gqlerror.List) int {
	if a.as == asJSON && errs[0].Extensions["code"] != codeRequest {
		return http.StatusOK
	}
	return http.StatusBadRequest
}

// refuse writes errors without data: nothing was executed.
func (a answer) refuse(status int, errs ...*gqlerror.Error) {
	a.write(status, appendResponse(nil, &graphql.Response{Errors: errs}))
}

func (a answer) write(status int, body []byte) {
	head := a.w.Header()
	head["Content-Type"] = mediaTypeNames[a.as]
	if len(body) > uncounted {
		head.Set("Content-Length", strconv.Itoa(len(body)))
	}
	a.w.WriteHeader(status)
	_, _ = a.w.Write(body) // a client that went away is no failure of ours, and there is nobody left to tell
}

// appendResponse writes a response as JSON. The data is JSON already, and encoding/json would read all of it again to make sure.
func appendResponse(dst []byte, resp *graphql.Response) []byte {
	dst = append(dst, '{')
	sep := ""
	if len(resp.Errors) > 0 {
		dst = append(append(dst, `"errors":`...), encoded(resp.Errors)...)
		sep = ","
	}
	if resp.Data != nil {
		dst = append(append(append(dst, sep...), `"data":`...), resp.Data...)
		sep = ","
	}
	if len(resp.Extensions) > 0 {
		dst = append(append(append(dst, sep...), `"extensions":`...), encoded(resp.Extensions)...)
	}
	return append(dst, '}')
}

// encoded is JSON of what holds nothing but text, numbers, lists and maps of those.
func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(`[{"message":"internal error","extensions":{"code":"INTERNAL"}}]`)
	}
	return b
}
