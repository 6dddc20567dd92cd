package graph

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"switchboard/graph/direct"
)

// documents turns the text of a request into an operation that may be executed, and remembers texts that were good.
//
// It stands in for Executor.CreateOperationContext, which validates before anything measures the document, keeps parsed documents by
// number and not by size, and leaves the values of custom scalars, @oneOf and half of the built-in scalars to the resolvers.
type documents struct {
	es     graphql.ExecutableSchema
	schema *ast.Schema
	limits Limits
	open   bool // introspection is on
	rules  *rules.Rules
	known  *lru[*document]
	words  words
}

// document is a validated document, with what is the same each time it is executed.
type document struct {
	*ast.QueryDocument
	prices map[*ast.OperationDefinition]int // of the operations whose price hangs on no variable
	stats  graphql.Stats                    // its selections (direct.Keep)
}

// A parsed document takes about twenty times its text.
const (
	documentRoom   = 16 << 20
	documentWeight = 20
)

// maxErrors bounds what is told of one document: nobody reads a thousandth mistake.
const maxErrors = 20

func newDocuments(es graphql.ExecutableSchema, o Options) *documents {
	d := &documents{es: es, schema: es.Schema(), limits: o.Limits, open: o.Introspection, rules: rules.NewDefaultRules(),
		known: newLRU[*document](documentRoom), words: wordsOf(es.Schema())}
	if o.Introspection {
		return d
	}
	// A suggestion tells the schema one name at a time.
	for _, rule := range []struct{ loud, quiet validator.Rule }{
		{rules.FieldsOnCorrectTypeRule, rules.FieldsOnCorrectTypeRuleWithoutSuggestions},
		{rules.ScalarLeafsRule, rules.ScalarLeafsRuleWithoutSuggestions},
		{rules.KnownArgumentNamesRule, rules.KnownArgumentNamesRuleWithoutSuggestions},
		{rules.KnownTypeNamesRule, rules.KnownTypeNamesRuleWithoutSuggestions},
		{rules.ValuesOfCorrectTypeRule, rules.ValuesOfCorrectTypeRuleWithoutSuggestions},
	} {
		d.rules.RemoveRule(rule.loud.Name)
		d.rules.AddRule(rule.quiet.Name, rule.quiet.RuleFunc)
	}
	return d
}

// operation is what a request asks for, ready to be executed, or why it isn't.
func (d *documents) operation(ctx context.Context, p *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	doc, errs := d.load(p.Query)
	if errs != nil {
		return nil, errs
	}
	op, err := named(doc.QueryDocument, p.OperationName)
	if err != nil {
		return nil, gqlerror.List{err}
	}
	out := &graphql.OperationContext{RawQuery: p.Query, OperationName: p.OperationName, Doc: doc.QueryDocument, Operation: op,
		Extensions: p.Extensions, Headers: p.Headers, DisableIntrospection: !d.open, RecoverFunc: recoverPanic, Stats: doc.stats,
		ResolverMiddleware:     func(ctx context.Context, next graphql.Resolver) (any, error) { return next(ctx) },
		RootResolverMiddleware: func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler { return next(ctx) }}
	if out.Variables, err = d.variables(op, p.Variables); err != nil {
		return nil, gqlerror.List{err}
	}
	price, known := doc.prices[op]
	if !known {
		price = d.price(ctx, op, out.Variables)
	}
	if price > d.limits.Complexity {
		return nil, gqlerror.List{refusedAt(op.Position, codeComplexity,
			"the operation is more complex than %d: ask for fewer fields or smaller pages", d.limits.Complexity)}
	}
	return out, nil
}

// named is the operation of that name; no name stands for the only one (GraphQL specification section 6.1, GetOperation).
func named(doc *ast.QueryDocument, name string) (*ast.OperationDefinition, *gqlerror.Error) {
	if name == "" && len(doc.Operations) > 1 {
		return nil, refused(errcode.ValidationFailed, "operationName is needed: the document has more than one operation")
	}
	if op := doc.Operations.ForName(name); op != nil {
		return op, nil
	}
	return nil, refused(errcode.ValidationFailed, "there is no operation %q in the document", name)
}

// load is the validated document of a text.
func (d *documents) load(text string) (*document, gqlerror.List) {
	if known, ok := d.known.get(text); ok {
		return known, nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, d.limits.Tokens)
	if err != nil {
		return nil, gqlerror.List{d.parseError(err)}
	}
	if len(doc.Operations) == 0 {
		return nil, gqlerror.List{refused(errcode.ValidationFailed, "the document has no operation")}
	}
	if err := d.limits.measure(doc); err != nil {
		return nil, gqlerror.List{err}
	}
	if errs := validator.ValidateWithRules(d.schema, doc, d.rules); len(errs) > 0 {
		errs = errs[:min(len(errs), maxErrors)]
		for _, e := range errs {
			errcode.Set(e, errcode.ValidationFailed)
		}
		return nil, errs
	}
	if err := d.inspect(doc); err != nil {
		return nil, gqlerror.List{err}
	}
	known := &document{QueryDocument: doc, prices: d.fixedPrices(doc)}
	if !conditional(doc) {
		direct.Keep(&known.stats)
	}
	d.known.add(text, known, documentWeight*len(text))
	return known, nil
}

func (d *documents) parseError(err error) *gqlerror.Error {
	g, ok := err.(*gqlerror.Error)
	if !ok {
		return refused(errcode.ParseFailed, "the document can't be parsed")
	}
	if strings.HasPrefix(g.Message, "exceeded token limit") { // gqlparser has no other mark for it; a test would see it change
		return refused(codeTokens, "the document has more than %d tokens", d.limits.Tokens)
	}
	errcode.Set(g, errcode.ParseFailed)
	return g
}
