package graph

import (
	"encoding/json"
	"maps"
	"math"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"switchboard/graph/model"
)

// scalars are the schema's own, by how they are read (gqlgen.yml binds the same). gqlgen reads them only when a resolver's arguments are
// made: by then other fields were answered, and bad input would come back as half a result.
var scalars = map[string]func(any) error{
	"Time":        func(v any) error { _, err := model.UnmarshalTime(v); return err },
	"PhoneNumber": func(v any) error { _, err := model.UnmarshalPhoneNumber(v); return err },
	"Seconds":     func(v any) error { _, err := model.UnmarshalSeconds(v); return err },
	"Upload":      func(v any) error { _, err := graphql.UnmarshalUpload(v); return err },
}

// variables coerces what was given as the operation declares it (GraphQL specification section 6.1.2, CoerceVariableValues). gqlparser's
// own VariableValues takes numbers as text and text as numbers, any letter case of an enum's values, and every custom scalar.
func (d *documents) variables(op *ast.OperationDefinition, given map[string]any) (map[string]any, *gqlerror.Error) {
	out, used := given, 0 // nobody else looks at what was given, so it becomes what is returned
	if out == nil {
		out = make(map[string]any, len(op.VariableDefinitions))
	}
	c := coercion{schema: d.schema}
	c.steps = c.room[:0]
	for _, v := range op.VariableDefinitions {
		value, ok := given[v.Variable]
		switch {
		case !ok && v.DefaultValue != nil:
			var err error
			if value, err = v.DefaultValue.Value(nil); err != nil {
				return nil, c.missing(v.Variable, "has no usable default")
			}
		case !ok && v.Type.NonNull:
			return nil, c.missing(v.Variable, "must be defined")
		case !ok:
			continue
		}
		var err *gqlerror.Error
		if out[v.Variable], err = c.at(step{name: v.Variable}, v.Type, value); err != nil {
			return nil, err
		}
		used++
	}
	if used < len(out) { // what the operation doesn't declare is no variable of it
		maps.DeleteFunc(out, func(name string, _ any) bool { return op.VariableDefinitions.ForName(name) == nil })
	}
	return out, nil
}

// coercion is under way at a place.
type coercion struct {
	schema *ast.Schema
	steps  []step
	room   [6]step // most inputs are no deeper
}

// step is one of the way to a value: a name, or a place in a list. It becomes an ast.Path, whose elements are boxed, only for an error.
type step struct {
	name   string
	index  int
	inList bool
}

func (c *coercion) at(s step, typ *ast.Type, v any) (any, *gqlerror.Error) {
	c.steps = append(c.steps, s)
	v, err := c.value(typ, v)
	c.steps = c.steps[:len(c.steps)-1]
	return v, err
}

func (c *coercion) refuse(format string, args ...any) *gqlerror.Error {
	err := refused(badInput, format, args...)
	err.Path = ast.Path{ast.PathName("variable")}
	for _, s := range c.steps {
		if s.inList {
			err.Path = append(err.Path, ast.PathIndex(s.index))
		} else {
			err.Path = append(err.Path, ast.PathName(s.name))
		}
	}
	return err
}

func (c *coercion) missing(name, why string) *gqlerror.Error {
	c.steps = append(c.steps, step{name: name})
	return c.refuse("%s", why)
}

func (c *coercion) value(typ *ast.Type, v any) (any, *gqlerror.Error) {
	if v == nil {
		if typ.NonNull {
			return nil, c.refuse("cannot be null")
		}
		return nil, nil
	}
	if typ.Elem != nil {
		return c.list(typ.Elem, v)
	}
	def := c.schema.Types[typ.NamedType]
	switch def.Kind {
	case ast.InputObject:
		return v, c.object(def, v)
	case ast.Enum:
		if name, ok := v.(string); !ok || def.EnumValues.ForName(name) == nil {
			return nil, c.refuse("is no value of %s", def.Name)
		}
	case ast.Scalar:
		if why := badScalar(def.Name, v); why != "" {
			return nil, c.refuse("%s", why)
		}
	}
	return v, nil
}

// list takes a single value for a list of one (section 3.12).
func (c *coercion) list(elem *ast.Type, v any) (any, *gqlerror.Error) {
	list, ok := v.([]any)
	if !ok {
		v, err := c.value(elem, v)
		return []any{v}, err
	}
	for i := range list {
		var err *gqlerror.Error
		if list[i], err = c.at(step{index: i, inList: true}, elem, list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (c *coercion) object(def *ast.Definition, v any) *gqlerror.Error {
	object, ok := v.(map[string]any)
	if !ok {
		return c.refuse("must be a %s", def.Name)
	}
	for name, value := range object {
		if def.Fields.ForName(name) == nil {
			return c.missing(name, "unknown field")
		}
		if value == nil && def.Directives.ForName("oneOf") != nil {
			return c.missing(name, "must not be null: it is the one field that is given")
		}
	}
	if def.Directives.ForName("oneOf") != nil && len(object) != 1 {
		return c.refuse("exactly one field of %s must be given", def.Name)
	}
	for _, f := range def.Fields {
		value, ok := object[f.Name]
		if !ok {
			if f.Type.NonNull && f.DefaultValue == nil {
				return c.missing(f.Name, "must be defined")
			}
			continue // gqlgen knows the defaults of input fields
		}
		var err *gqlerror.Error
		if object[f.Name], err = c.at(step{name: f.Name}, f.Type, value); err != nil {
			return err
		}
	}
	return nil
}

// badScalar says why a value can't be read as a scalar; empty: it can.
func badScalar(name string, v any) string {
	if read := scalars[name]; read != nil {
		if err := read(v); err != nil {
			return err.Error()
		}
		return ""
	}
	ok := true
	switch name {
	case "String":
		_, ok = v.(string)
	case "Boolean":
		_, ok = v.(bool)
	case "Int":
		n, whole := wholeNumber(v)
		ok = whole && n >= math.MinInt32 && n <= math.MaxInt32
	case "Float":
		switch n := v.(type) {
		case json.Number:
			_, err := n.Float64()
			ok = err == nil
		case float64, int64: // literals
		default:
			ok = false
		}
	case "ID":
		if _, text := v.(string); !text {
			_, ok = wholeNumber(v)
		}
	}
	if !ok {
		return "is no value of " + name
	}
	return ""
}

func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

// literals checks the values that stand in the document itself, likewise. It is done once for each document.
func (d *documents) literals(args ast.ArgumentList) *gqlerror.Error {
	for _, a := range args {
		if err := d.literal(a.Value); err != nil {
			return err
		}
	}
	return nil
}

func (d *documents) literal(v *ast.Value) *gqlerror.Error {
	switch {
	case v.Kind == ast.Variable || v.Kind == ast.NullValue || v.Definition == nil:
		return nil
	case v.Kind == ast.ListValue && v.ExpectedType != nil && v.ExpectedType.Elem == nil:
		return refusedAt(v.Position, badInput, "must not be a list")
	case v.Definition.Kind == ast.Scalar && v.Kind != ast.ListValue:
		value, err := v.Value(nil)
		if err != nil {
			return refusedAt(v.Position, badInput, "is no value of %s", v.Definition.Name)
		}
		if read := scalars[v.Definition.Name]; read != nil || v.Definition.Name == "Int" {
			if why := badScalar(v.Definition.Name, value); why != "" {
				return refusedAt(v.Position, badInput, "%s", why)
			}
		}
		return nil
	case v.Kind == ast.ObjectValue && v.Definition.Directives.ForName("oneOf") != nil:
		if err := oneOfLiteral(v); err != nil {
			return err
		}
	}
	for _, child := range v.Children {
		if err := d.literal(child.Value); err != nil {
			return err
		}
	}
	return nil
}

func oneOfLiteral(v *ast.Value) *gqlerror.Error {
	if len(v.Children) != 1 {
		return refusedAt(v.Position, badInput, "exactly one field of %s must be given", v.Definition.Name)
	}
	one := v.Children[0].Value
	if one.Kind == ast.NullValue || one.Kind == ast.Variable && (one.VariableDefinition == nil || !one.VariableDefinition.Type.NonNull) {
		return refusedAt(v.Position, badInput, "the one field of %s must not be null", v.Definition.Name)
	}
	return nil
}
