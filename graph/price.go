package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// introspectionPrice is what __schema and __type count for, whatever is asked of them: what they answer is small and the same for all.
const introspectionPrice = 1000

// price refuses an operation whose complexity is over the limit. gqlgen's own complexity.Calculate walks a fragment once for each
// spread, so that thirty lines of fragments that spread each other twice keep it busy for minutes; here each is walked once.
func (d *documents) price(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	p := pricing{ctx: ctx, es: d.es, schema: d.schema, vars: op.Variables, limit: d.limits.Complexity, fragments: map[string]int{}}
	if p.set(op.Operation.SelectionSet) > d.limits.Complexity {
		return refusedAt(op.Operation.Position, codeComplexity, "the operation is more complex than %d: ask for fewer fields or smaller pages",
			d.limits.Complexity)
	}
	return nil
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
	if len(f.Definition.Arguments) == 0 { // how much a field answers hangs on its arguments, and asking costs more than adding
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

func (p *pricing) of(typ, field string, inner int, args map[string]any) int {
	if n, ok := p.es.Complexity(p.ctx, typ, field, inner, args); ok {
		return n
	}
	return 1 + inner
}
