package graph

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Limits bound what one request can make the server do. Zero means the default, in parentheses; each has an error code of its own.
// The size of a page is comms' to limit (PAGE_SIZE_LIMIT).
type Limits struct {
	Depth      int   // DEPTH_LIMIT: fields inside fields (12)
	Complexity int   // COMPLEXITY_LIMIT: fields to answer, those of a page counted once for each item that it may hold (10,000)
	Aliases    int   // ALIAS_LIMIT: aliases in a document (50)
	Batch      int   // BATCH_LIMIT: operations in one HTTP request (10)
	Tokens     int   // TOKEN_LIMIT: words of a document (5,000)
	Body       int64 // BODY_LIMIT: bytes of a request or a WebSocket message (1 MiB)
	Upload     int64 // BODY_LIMIT: bytes of the files of a multipart request together (64 MiB and a little)
	Files      int   // BODY_LIMIT: files of a multipart request (10)
}

func (l Limits) withDefaults() Limits {
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orInt(&l.Depth, 12)
	orInt(&l.Complexity, 10_000)
	orInt(&l.Aliases, 50)
	orInt(&l.Batch, 10)
	orInt(&l.Tokens, 5_000)
	orInt(&l.Files, 10)
	if l.Body == 0 {
		l.Body = 1 << 20
	}
	if l.Upload == 0 {
		l.Upload = 64<<20 + 64<<10 // comms says exactly how large a file may be; this only stops what can't be one
	}
	return l
}

// The words of extensions.code that the transports themselves say. What execution says stands in errors.go.
const (
	codeDepth         = "DEPTH_LIMIT"
	codeComplexity    = "COMPLEXITY_LIMIT"
	codeAliases       = "ALIAS_LIMIT"
	codeBatch         = "BATCH_LIMIT"
	codeTokens        = "TOKEN_LIMIT"
	codeBody          = "BODY_LIMIT"
	codeOperations    = "OPERATION_LIMIT"
	codeRequest       = "BAD_REQUEST"
	codeMethod        = "METHOD_NOT_ALLOWED"
	codeMediaType     = "UNSUPPORTED_MEDIA_TYPE"
	codeNotAcceptable = "NOT_ACCEPTABLE"
	codeCSRF          = "CSRF"
	codeOrigin        = "ORIGIN_NOT_ALLOWED"
	codeStream        = "SUBSCRIPTION_NEEDS_STREAM"
	codeIntrospection = "INTROSPECTION_DISABLED"
)

// refused is an error that names no field: the request as a whole isn't done.
func refused(code, format string, args ...any) *gqlerror.Error {
	e := gqlerror.Errorf(format, args...)
	e.Extensions = map[string]any{"code": code}
	return e
}

// refusedAt is refused with the place in the document.
func refusedAt(at *ast.Position, code, format string, args ...any) *gqlerror.Error {
	e := refused(code, format, args...)
	if at != nil {
		e.Locations = []gqlerror.Location{{Line: at.Line, Column: at.Column}}
	}
	return e
}

// maxSelections bounds the fields and spreads of a document as it is written. Validation compares every two fields of one name in one
// place, so a document that says one field thousands of times costs the square of that.
const maxSelections = 500

// outline measures a document before it is validated: it has to hold for documents that are not valid, and cost no more than their length.
type outline struct {
	limits     Limits
	fragments  map[string]*ast.FragmentDefinition
	depths     map[string]int // of the fragments measured; measuring while one is under way
	aliases    int
	selections int
	err        *gqlerror.Error
}

// measuring marks a fragment that contains itself: validation refuses the cycle, and here it must only come to an end.
const measuring = -1

// measure refuses a document that is too deep or has too many aliases or fields.
func (l Limits) measure(doc *ast.QueryDocument) *gqlerror.Error {
	o := &outline{limits: l, fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)), depths: make(map[string]int)}
	for _, f := range doc.Fragments {
		o.fragments[f.Name] = f
	}
	for _, f := range doc.Fragments { // each once, used or not
		o.fragment(f.Name)
	}
	for _, op := range doc.Operations {
		if o.depth(op.SelectionSet) > l.Depth {
			o.refuse(refusedAt(op.Position, codeDepth, "the operation is nested more than %d fields deep", l.Depth))
		}
	}
	return o.err
}

func (o *outline) refuse(err *gqlerror.Error) {
	if o.err == nil {
		o.err = err
	}
}

func (o *outline) fragment(name string) int {
	if d, ok := o.depths[name]; ok {
		return max(d, 0)
	}
	f := o.fragments[name]
	if f == nil {
		return 0
	}
	o.depths[name] = measuring
	d := o.depth(f.SelectionSet)
	o.depths[name] = d
	return d
}

func (o *outline) depth(set ast.SelectionSet) int {
	deepest := 0
	o.selections += len(set)
	if o.selections > maxSelections {
		o.refuse(refused(codeComplexity, "the document has more than %d fields", maxSelections))
		return 0
	}
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if s.Alias != s.Name {
				if o.aliases++; o.aliases > o.limits.Aliases {
					o.refuse(refusedAt(s.Position, codeAliases, "the document has more than %d aliases", o.limits.Aliases))
				}
			}
			d := 1 + o.depth(s.SelectionSet)
			// How deep introspection may go is gqlparser's rule MaxIntrospectionDepth; GraphiQL asks for nine levels of ofType.
			if s.Name == "__schema" || s.Name == "__type" {
				d = 1
			}
			deepest = max(deepest, d)
		case *ast.InlineFragment:
			deepest = max(deepest, o.depth(s.SelectionSet))
		case *ast.FragmentSpread:
			deepest = max(deepest, o.fragment(s.Name))
		}
	}
	return deepest
}
