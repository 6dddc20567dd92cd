package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// introspectionPrice is what __schema and __type count for, whatever is asked of them: what they answer is small and the same for all.
const introspectionPrice = 1000

// price is the complexity of an operation, or something above the limit. gqlgen's own complexity.Calculate walks a fragment once for each
// spread, so that thirty lines of fragments that spread each other twice keep it busy for minutes; here each is walked once.
func (d *documents) price(ctx context.Context, op *ast.OperationDefinition, vars map[string]any) int {
	p := pricing{ctx: ctx, es: d.es, schema: d.schema, vars: vars, limit: d.limits.Complexity, fragments: map[string]int{}}
	return p.set(op.SelectionSet)
}

// pageArguments are the arguments that a price hangs on (relay.go).
var pageArguments = []string{"first", "last"}

// dearFields are the names of fields that take none of them and yet have a price of their own. A test compares them with relay.go.
var dearFields = []string{"password", "numbers", "groups"}

// fixedPrices are the prices of a document's operations, where no variable can change them.
func (d *documents) fixedPrices(doc *ast.QueryDocument) map[*ast.OperationDefinition]int {
	var variable bool
	var walk func(ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				for _, name := range pageArguments {
					a := s.Arguments.ForName(name)
					variable = variable || a != nil && a.Value.Kind == ast.Variable
				}
				walk(s.SelectionSet)
			case *ast.InlineFragment:
				walk(s.SelectionSet)
			}
		}
	}
	for _, f := range doc.Fragments {
		walk(f.SelectionSet)
	}
	for _, op := range doc.Operations {
		walk(op.SelectionSet)
	}
	if variable {
		return nil
	}
	out := make(map[*ast.OperationDefinition]int, len(doc.Operations))
	for _, op := range doc.Operations {
		out[op] = d.price(context.Background(), op, nil)
	}
	return out
}

type pricing struct {
	ctx       context.Context
	es        graphql.ExecutableSchema
	schema    *ast.Schema
	vars      map[string]any
	limit     int
	fragments map[string]int
}

// set is what a selection set counts for. It stops counting past the limit, so nothing overflows.
func (p *pricing) set(set ast.SelectionSet) int {
	sum := 0
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			sum += p.field(s)
		case *ast.InlineFragment:
			sum += p.set(s.SelectionSet)
		case *ast.FragmentSpread:
			n, ok := p.fragments[s.Name]
			if !ok {
				n = p.set(s.Definition.SelectionSet)
				p.fragments[s.Name] = n
			}
			sum += n
		}
		if sum > p.limit {
			return p.limit + 1
		}
	}
	return sum
}

func (p *pricing) field(f *ast.Field) int {
	if f.Name == "__schema" || f.Name == "__type" {
		return introspectionPrice
	}
	inner := 0
	if len(f.SelectionSet) > 0 {
		inner = p.set(f.SelectionSet)
	}
	// How much a field answers hangs on these mostly, and asking costs more than adding.
	if !slices.ContainsFunc(f.Definition.Arguments, isPage) && !slices.Contains(dearFields, f.Name) {
		return 1 + inner
	}
	args := f.ArgumentMap(p.vars)
	if f.ObjectDefinition.Kind == ast.Object {
		return p.of(f.ObjectDefinition.Name, f.Name, inner, args)
	}
	// An interface costs what its dearest type does.
	dearest := 1 + inner
	for _, t := range p.schema.GetPossibleTypes(f.ObjectDefinition) {
		dearest = max(dearest, p.of(t.Name, f.Name, inner, args))
	}
	return dearest
}

func isPage(a *ast.ArgumentDefinition) bool { return slices.Contains(pageArguments, a.Name) }

func (p *pricing) of(typ, field string, inner int, args map[string]any) int {
	if n, ok := p.es.Complexity(p.ctx, typ, field, inner, args); ok {
		return n
	}
	return 1 + inner
}
