package direct

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Place is where in the response something is being written: a field, or an element of a list. It becomes gqlgen's chain of contexts
// only where something needs that: an error, or a field with a resolver. One place serves all elements of a list, one after another.
type Place struct {
	Up     *Place
	Object string
	Field  *graphql.CollectedField // nil for an element
	Index  int
}

// Context is ctx as gqlgen would have made it for this place. ctx itself is that of the outermost object.
func (p *Place) Context(ctx context.Context) context.Context {
	if p == nil {
		return ctx
	}
	ctx = p.Up.Context(ctx)
	if p.Field == nil {
		index := p.Index
		return graphql.WithFieldContext(ctx, &graphql.FieldContext{Index: &index})
	}
	return graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: p.Object, Field: *p.Field})
}

// Fail reports that a field's method failed.
func (p *Place) Fail(ctx context.Context, err error) {
	ctx = p.Context(ctx)
	graphql.AddError(ctx, graphql.AddFieldLocationToError(ctx, err))
}

// Missing reports that something is null which the schema says never is.
func (p *Place) Missing(ctx context.Context) {
	graphql.AddErrorf(p.Context(ctx), "must not be null")
}

// Selection is the selected fields of one type of object, found once for a whole list.
type Selection struct{ Fields []Field }

// Field is one selected field.
type Field struct {
	graphql.CollectedField
	sub  *Selection
	here Place
}

// Select finds the selected fields of a type that implements those interfaces.
func Select(oc *graphql.OperationContext, set ast.SelectionSet, implementors []string) *Selection {
	collected := collect(oc, set, implementors)
	s := &Selection{Fields: make([]Field, len(collected))}
	for i := range collected {
		s.Fields[i].CollectedField = collected[i]
	}
	return s
}

// Of is what is selected of the object that the field holds.
func (f *Field) Of(oc *graphql.OperationContext, implementors []string) *Selection {
	if f.sub == nil {
		f.sub = Select(oc, f.Selections, implementors)
	}
	return f.sub
}

// At is the place of the field in an object at up. It holds until the field is written in the next object.
func (f *Field) At(up *Place, object string) *Place {
	f.here = Place{Up: up, Object: object, Field: &f.CollectedField}
	return &f.here
}

// NoChild answers gqlgen's FieldContext.Child, which only field interceptors ask: there are none.
func NoChild() (*graphql.FieldContext, error) {
	return nil, errors.New("fields of this object have no contexts of their own")
}
