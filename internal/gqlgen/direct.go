package main

import (
	_ "embed"
	"fmt"
	"go/types"
	"path/filepath"
	"strings"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/99designs/gqlgen/codegen/templates"
)

//go:embed direct.gotpl
var directTemplate string

// direct is a plugin of gqlgen: it generates the code that writes objects without gqlgen's machinery for each field. See graph/direct.
type direct struct {
	types   map[string]*object // by GraphQL name
	methods map[string]bool    // of executionContext: what direct.go defines in place of exec.go
}

// object is a type whose objects are written directly.
type object struct {
	*codegen.Object
	Fields []*field
	List   *config.TypeReference // of lists of it, if there are any: [T!] as a slice of pointers
	Lists  []string              // the marshal functions of such lists
}

// output is what the template makes: the objects in the order of the schema, so that it is the same each time, and the root of mutations.
type output struct {
	Objects  []*object
	Mutation *codegen.Object
}

// field says how a field is written.
type field struct {
	*codegen.Field
	How string // leaf, object, list, value (gqlgen marshals what the field holds) or resolver (gqlgen does it all)
}

// Name implements plugin.Plugin.
func (d *direct) Name() string { return "direct" }

// GenerateCode implements plugin.CodeGenerator.
func (d *direct) GenerateCode(data *codegen.Data) error {
	unalias(data)
	if err := d.choose(data); err != nil {
		return err
	}
	return templates.Render(templates.Options{
		PackageName: data.Config.Exec.Package,
		Filename:    filepath.Join(data.Config.Exec.Dir(), "direct.go"),
		Template:    directTemplate,
		Data:        output{d.ordered(data), d.mutation(data)},
		Funcs:       map[string]any{"append": appendLeaf},
		Packages:    data.Config.Packages,

		GeneratedHeader: true,
	})
}

// mutation is the root whose fields are executed one after another (GraphQL specification section 6.2.2), and so need nothing that collects
// what runs side by side.
func (d *direct) mutation(data *codegen.Data) *codegen.Object {
	for _, o := range data.Objects {
		if o.Root && o.Name == "Mutation" {
			d.methods["_"+o.Name] = true
			return o
		}
	}
	return nil
}

// ordered is the types that are written directly.
func (d *direct) ordered(data *codegen.Data) []*object {
	var out []*object
	for _, o := range data.Objects {
		if t := d.types[o.Name]; t != nil {
			out = append(out, t)
		}
	}
	return out
}

// choose finds the types that can be written directly, and how each of their fields is.
func (d *direct) choose(data *codegen.Data) error {
	if len(data.AllDirectives.LocationDirectives("FIELD")) > 0 {
		return fmt.Errorf("directives on fields need gqlgen's own way; direct objects would not run them")
	}
	d.types, d.methods = map[string]*object{}, map[string]bool{}
	for _, o := range data.Objects {
		if eligible(o) {
			d.types[o.Name] = &object{Object: o}
			d.methods["_"+o.Name] = true
		}
	}
	for _, t := range d.types {
		for _, f := range t.Object.Fields {
			t.Fields = append(t.Fields, &field{f, d.way(f)})
		}
	}
	// Lists of direct objects that a root field answers are marshalled by gqlgen's function of that name: it is replaced too.
	for _, ref := range data.ReferencedTypes {
		if t := d.types[ref.Definition.Name]; t != nil && listOf(ref) {
			t.Lists = append(t.Lists, ref.MarshalFunc())
			t.List = ref
			d.methods[ref.MarshalFunc()] = true
		}
	}
	return nil
}

// eligible tells whether objects of the type may be written one after another. A batch resolver waits for its siblings: no.
func eligible(o *codegen.Object) bool {
	if o.Root || o.Stream || strings.HasPrefix(o.Name, "__") || o.Type == config.MapType {
		return false
	}
	for _, f := range o.Fields {
		if f.IsBatch() || f.HasHaser || f.VOkFunc || f.IsMap() {
			return false
		}
	}
	return true
}

func (d *direct) way(f *codegen.Field) string {
	ref := f.TypeReference
	switch {
	case f.IsResolver || len(f.Args) > 0 || f.HasDirectives():
		return "resolver"
	case ref.GQL.Elem == nil && ref.Definition.IsLeafType() && leaf(ref):
		return "leaf"
	case ref.GQL.Elem == nil && d.types[ref.Definition.Name] != nil:
		return "object"
	case d.types[ref.Definition.Name] != nil && listOf(ref):
		return "list"
	}
	return "value"
}

// CanFail tells whether an object of the type can turn out to be null: where a field that may not be null is no plain value.
func (o *object) CanFail() bool {
	for _, f := range o.Fields {
		failing := f.How != "leaf" || f.TypeReference.IsNilable() || f.IsMethod() && !f.NoErr
		if f.TypeReference.GQL.NonNull && failing {
			return true
		}
	}
	return false
}

// listOf tells whether it is [T!] or [T!]! as a slice of pointers.
func listOf(ref *config.TypeReference) bool {
	if ref.GQL.Elem == nil || ref.GQL.Elem.Elem != nil || !ref.GQL.Elem.NonNull || !ref.IsSlice() {
		return false
	}
	_, ok := ref.GO.(*types.Slice).Elem().(*types.Pointer)
	return ok
}

// leaf tells whether the value is a plain one or a pointer to it.
func leaf(ref *config.TypeReference) bool {
	return !ref.IsContext && (ref.Marshaler != nil || ref.IsMarshaler || ref.HasEnumValues()) && (!ref.IsNilable() || ref.IsPtr()) &&
		!ref.IsTargetNilable() && !ref.IsPtrToPtr()
}

// appendLeaf is the expression that appends the leaf v of that type to b. Where the package of MarshalX has an AppendX, that is it.
func appendLeaf(ref *config.TypeReference, v string) string {
	switch {
	case ref.HasEnumValues():
		v = fmt.Sprintf("%s[%s]", ref.EnumMarshalVar(false), v)
	case ref.IsMarshaler:
		return fmt.Sprintf("direct.Marshaler(b, %s)", v)
	case ref.CastType != nil:
		v = fmt.Sprintf("%s(%s)", templates.CurrentImports.LookupType(ref.CastType), v)
	}
	m := ref.Marshaler
	switch m.FullName() {
	case "github.com/99designs/gqlgen/graphql.MarshalString", "github.com/99designs/gqlgen/graphql.MarshalID":
		return fmt.Sprintf("direct.String(b, %s)", v)
	case "github.com/99designs/gqlgen/graphql.MarshalBoolean":
		return fmt.Sprintf("strconv.AppendBool(b, %s)", v)
	case "github.com/99designs/gqlgen/graphql.MarshalInt":
		return fmt.Sprintf("strconv.AppendInt(b, int64(%s), 10)", v)
	}
	name := "Append" + strings.TrimPrefix(m.Name(), "Marshal")
	if m.Pkg().Scope().Lookup(name) != nil {
		return fmt.Sprintf("%s.%s(b, %s)", templates.CurrentImports.Lookup(m.Pkg().Path()), name, v)
	}
	return fmt.Sprintf("direct.Marshaler(b, %s(%s))", templates.Call(m), v)
}
