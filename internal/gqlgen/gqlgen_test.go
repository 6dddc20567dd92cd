package main

import (
	"strings"
	"testing"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/vektah/gqlparser/v2/ast"
)

const generated = `package gen

import "fmt"

// A is written directly.
func (ec *executionContext) _A(x int) { ec._A_b(x); ec._A_c(x) }

// only _A calls this
func (ec *executionContext) _A_b(x int) { ec.fieldContext_A_b() }

func (ec *executionContext) fieldContext_A_b() {}

// direct.go calls this: its field has a resolver
func (ec *executionContext) _A_c(x int) { ec.fieldContext_A_c() }

func (ec *executionContext) fieldContext_A_c() { fmt.Println() }

func (ec *executionContext) childFields_A(ctx, field int) { ec.fieldContext_A_b() }

func (ec *executionContext) _Query_a(x int) {
	child := func(ctx, field int) error {
		return ec.childFields_A(ctx, field)
	}
	_ = child
	ec._A(x)
}

func (ec *executionContext) childFields_B(ctx, field int) {}

func (ec *executionContext) _Query_b(x int) {
	child := func(ctx, field int) error {
		return ec.childFields_B(ctx, field)
	}
	_ = child
}

func (ec *executionContext) _Query(x int) { ec._Query_a(x); ec._Query_b(x) }

func (ec *executionContext) unrelated() {}

func (e *executableSchema) Exec(ctx context.Context) {
	inputUnmarshalMap := graphql.BuildUnmarshalerMap(
		ec.unmarshalInputA,
	)
	first := true
	if first {
		ctx = graphql.WithUnmarshalerMap(ctx, inputUnmarshalMap)
		data = ec._Query(ctx, 1)
	}
}

func use(ec *executionContext) { ec._Query(1) }
`

// What direct.go replaces goes, and all that only it needed; the rest stays as it is, byte for byte.
func TestPrune(t *testing.T) {
	out, err := pruned([]byte(generated), []byte("package gen\nfunc (ec *executionContext) appendA() { ec._A_c(1) }\n"), map[string]bool{"_A": true})
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	for _, gone := range []string{") _A(", "_A_b", "A is written", "only _A", "childFields_A", "UnmarshalerMap", "unmarshalInputA"} {
		if strings.Contains(text, gone) {
			t.Errorf("%s is still there:\n%s", gone, text)
		}
	}
	for _, kept := range []string{") _A_c(", "fieldContext_A_c", "// direct.go calls this", "return noChild()", "return ec.childFields_B(ctx, field)", ") _Query(",
		"unrelated", "ec._A(x)", "first := true", "data = ec._Query(ctx, 1)"} {
		if !strings.Contains(text, kept) {
			t.Errorf("%s is gone:\n%s", kept, text)
		}
	}
	if again, err := pruned(out, []byte("package gen\nfunc (ec *executionContext) appendA() { ec._A_c(1) }\n"), map[string]bool{"_A": true}); err != nil || string(again) != text {
		t.Errorf("pruned again it is another text: %v", err)
	}
	if _, err := pruned([]byte("package"), nil, nil); err == nil {
		t.Error("what does not parse was taken")
	}
}

// Objects whose fields wait for their siblings, or that are no structs, stay gqlgen's.
func TestEligible(t *testing.T) {
	object := func(name string, fields ...*codegen.Field) *codegen.Object {
		return &codegen.Object{Definition: &ast.Definition{Name: name}, Fields: fields}
	}
	for _, c := range []struct {
		name string
		o    *codegen.Object
		want bool
	}{
		{"plain", object("Message", &codegen.Field{}), true},
		{"a batch resolver", object("Message", &codegen.Field{}, &codegen.Field{Batch: true, IsResolver: true}), false},
		{"a haser", object("Message", &codegen.Field{HasHaser: true}), false},
		{"a value and whether there is one", object("Message", &codegen.Field{VOkFunc: true}), false},
		{"introspection", object("__Type"), false},
		{"a root", &codegen.Object{Definition: &ast.Definition{Name: "Query"}, Root: true}, false},
		{"a map", &codegen.Object{Definition: &ast.Definition{Name: "M"}, Type: config.MapType}, false},
	} {
		if got := eligible(c.o); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
