package graph

import (
	"encoding/json"
	"math"
	"reflect"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"

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

// variables coerces what was given as the operation declares it.
func (d *documents) variables(op *ast.OperationDefinition, given map[string]any) (map[string]any, *gqlerror.Error) {
	values, err := validator.VariableValues(d.schema, op, given)
	if err != nil {
		g, ok := err.(*gqlerror.Error)
		if !ok {
			return nil, refused(badInput, "the variables don't fit the operation")
		}
		errcode.Set(g, badInput)
		return nil, g
	}
	c := inputCheck{schema: d.schema, path: ast.Path{ast.PathName("variable")}}
	for _, v := range op.VariableDefinitions {
		if err := c.at(ast.PathName(v.Variable), v.Type, values[v.Variable]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// inputCheck goes over values that VariableValues let through, and does what it leaves out: custom scalars, @oneOf, numbers given as text
// and text given as numbers, integers of more than 32 bits, enum values in another case.
type inputCheck struct {
	schema *ast.Schema
	path   ast.Path
}

func (c *inputCheck) at(step ast.PathElement, typ *ast.Type, v any) *gqlerror.Error {
	c.path = append(c.path, step)
	err := c.value(typ, v)
	c.path = c.path[:len(c.path)-1]
	return err
}

func (c *inputCheck) refuse(format string, args ...any) *gqlerror.Error {
	err := refused(badInput, format, args...)
	err.Path = append(ast.Path(nil), c.path...)
	return err
}

func (c *inputCheck) value(typ *ast.Type, v any) *gqlerror.Error {
	if v == nil { // whether it may be null is judged
		return nil
	}
	if typ.Elem != nil {
		list := reflect.ValueOf(v) // VariableValues makes a list of any type from a single value
		if list.Kind() != reflect.Slice {
			return c.refuse("must be a list")
		}
		for i := range list.Len() {
			if err := c.at(ast.PathIndex(i), typ.Elem, list.Index(i).Interface()); err != nil {
				return err
			}
		}
		return nil
	}
	def := c.schema.Types[typ.NamedType]
	switch def.Kind {
	case ast.InputObject:
		return c.object(def, v)
	case ast.Enum:
		name, ok := v.(string)
		if !ok || def.EnumValues.ForName(name) == nil {
			return c.refuse("is no value of %s", def.Name)
		}
	case ast.Scalar:
		if why := badScalar(def.Name, v); why != "" {
			return c.refuse("%s", why)
		}
	}
	return nil
}

func (c *inputCheck) object(def *ast.Definition, v any) *gqlerror.Error {
	object, ok := v.(map[string]any)
	if !ok {
		return c.refuse("must be a %s", def.Name)
	}
	if def.Directives.ForName("oneOf") != nil {
		if len(object) != 1 {
			return c.refuse("exactly one field of %s must be given", def.Name)
		}
		for name, value := range object {
			if value == nil {
				c.path = append(c.path, ast.PathName(name))
				return c.refuse("must not be null: it is the one field of %s", def.Name)
			}
		}
	}
	for _, f := range def.Fields {
		if value, ok := object[f.Name]; ok {
			if err := c.at(ast.PathName(f.Name), f.Type, value); err != nil {
				return err
			}
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
		case float64, int64:
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
