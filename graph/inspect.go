package graph

import (
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// inspect refuses what gqlparser's rules let through.
func (d *documents) inspect(doc *ast.QueryDocument) *gqlerror.Error {
	for _, op := range doc.Operations {
		if err := d.inspectDirectives(op.Directives); err != nil {
			return err
		}
		if err := d.inspectSet(op.SelectionSet); err != nil {
			return err
		}
		if op.Operation == ast.Subscription {
			if err := inspectSubscription(op); err != nil {
				return err
			}
		}
	}
	for _, f := range doc.Fragments {
		if err := d.inspectSet(f.SelectionSet); err != nil {
			return err
		}
	}
	return nil
}

func (d *documents) inspectSet(set ast.SelectionSet) *gqlerror.Error {
	for _, s := range set {
		var inner ast.SelectionSet
		var directives ast.DirectiveList
		switch s := s.(type) {
		case *ast.Field:
			if !d.open && (s.Name == "__schema" || s.Name == "__type") {
				return refusedAt(s.Position, codeIntrospection, "introspection is switched off")
			}
			if err := d.literals(s.Arguments); err != nil {
				return err
			}
			inner, directives = s.SelectionSet, s.Directives
		case *ast.InlineFragment:
			inner, directives = s.SelectionSet, s.Directives
		case *ast.FragmentSpread:
			directives = s.Directives
		}
		if err := d.inspectDirectives(directives); err != nil {
			return err
		}
		if err := d.inspectSet(inner); err != nil {
			return err
		}
	}
	return nil
}

func (d *documents) inspectDirectives(list ast.DirectiveList) *gqlerror.Error {
	for _, dir := range list {
		if err := d.literals(dir.Arguments); err != nil {
			return err
		}
	}
	return nil
}

// conditional tells whether a directive of the document decides what of it is answered, so that each run must look anew.
func conditional(doc *ast.QueryDocument) bool {
	var in func(ast.SelectionSet) bool
	in = func(set ast.SelectionSet) bool {
		for _, s := range set {
			var directives ast.DirectiveList
			var inner ast.SelectionSet
			switch s := s.(type) {
			case *ast.Field:
				directives, inner = s.Directives, s.SelectionSet
			case *ast.InlineFragment:
				directives, inner = s.Directives, s.SelectionSet
			case *ast.FragmentSpread:
				directives = s.Directives
			}
			if len(directives) > 0 || in(inner) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(doc.Operations, func(op *ast.OperationDefinition) bool { return in(op.SelectionSet) }) ||
		slices.ContainsFunc(doc.Fragments, func(f *ast.FragmentDefinition) bool { return in(f.SelectionSet) })
}

// inspectSubscription holds it to exactly one root field that is always there (GraphQL specification section 5.2.3.1). gqlparser counts
// one field under two aliases as one, and lets @skip take the only one away.
func inspectSubscription(op *ast.OperationDefinition) *gqlerror.Error {
	keys := map[string]bool{}
	var walk func(ast.SelectionSet) *gqlerror.Error
	walk = func(set ast.SelectionSet) *gqlerror.Error {
		for _, s := range set {
			var directives ast.DirectiveList
			var inner ast.SelectionSet
			switch s := s.(type) {
			case *ast.Field:
				keys[s.Alias] = true
				directives = s.Directives
			case *ast.InlineFragment:
				directives, inner = s.Directives, s.SelectionSet
			case *ast.FragmentSpread: // cycles are refused by then
				directives, inner = s.Directives, s.Definition.SelectionSet
			}
			if directives.ForName("skip") != nil || directives.ForName("include") != nil {
				return refusedAt(s.GetPosition(), errcode.ValidationFailed, "the root of a subscription can't use @skip or @include")
			}
			if err := walk(inner); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(op.SelectionSet); err != nil {
		return err
	}
	if len(keys) != 1 {
		return refusedAt(op.Position, errcode.ValidationFailed, "a subscription must select only one top level field")
	}
	return nil
}

// after finds the cursor argument of a subscription's root field, and the name of the variable that gives it where it is one.
func after(op *ast.OperationDefinition) (variable string) {
	for set := op.SelectionSet; len(set) > 0; {
		switch s := set[0].(type) {
		case *ast.Field:
			if a := s.Arguments.ForName("after"); a != nil && a.Value.Kind == ast.Variable {
				return a.Value.Raw
			}
			return ""
		case *ast.InlineFragment:
			set = s.SelectionSet
		case *ast.FragmentSpread:
			set = s.Definition.SelectionSet
		}
	}
	return ""
}

// onlyAfter tells whether a document names a variable twice at most: where it is declared and as the cursor. It may count too many
// (a longer name, a comment), which costs sharing, never correctness.
func onlyAfter(document, variable string) bool { return strings.Count(document, "$"+variable) <= 2 }
