package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
)

// prune removes from exec.go the methods that direct.go defines, and then those that nothing calls any more: two thirds of the file.
func prune(exec, direct string, replaced map[string]bool) error {
	src, err := os.ReadFile(exec)
	if err != nil {
		return fmt.Errorf("read what was generated: %w", err)
	}
	extra, err := os.ReadFile(direct)
	if err != nil {
		return fmt.Errorf("read what was generated: %w", err)
	}
	out, err := pruned(src, extra, replaced)
	if err != nil {
		return err
	}
	return os.WriteFile(exec, out, 0o644)
}

// childFields are the calls that would keep the contexts of direct fields alive: FieldContext.Child of the fields that hold their objects.
var childFields = regexp.MustCompile(`return ec\.childFields_(\w+)\(ctx, field\)`)

// inputs is a map of all input types that is built for each operation, for directives that this schema has none of: a tenth of what a
// short operation allocates.
var inputs = regexp.MustCompile(`(?s)\n\t+inputUnmarshalMap := graphql\.BuildUnmarshalerMap\(.*?\n\t\)|\n\t+ctx = graphql\.WithUnmarshalerMap\(ctx, inputUnmarshalMap\)`)

// inputCopies are copies of input objects, where no default is put into them; inputPaths are contexts for errors in inputs. What a
// request gives is checked before anything is executed (graph/input.go), and errors have their paths from there: of the four allocations that
// gqlgen makes for each field of an input one is left.
var (
	inputCopies = regexp.MustCompile(`asMap := map\[string\]any\{\}\n\tfor k, v := range obj\.\(map\[string\]any\) \{\n\t\tasMap\[k\] = v\n\t\}(\n\n\tfieldsInOrder)`)
	inputPaths  = regexp.MustCompile(`\n\t+ctx := graphql\.WithPathContext\(ctx, graphql\.NewPathWith(?:Field|Index)\([^\n]*\)\)`)
)

func pruned(src, direct []byte, replaced map[string]bool) ([]byte, error) {
	src = inputs.ReplaceAll(src, nil)
	src = inputCopies.ReplaceAll(src, []byte("asMap := obj.(map[string]any)$1"))
	src = inputPaths.ReplaceAll(src, nil)
	src = childFields.ReplaceAllFunc(src, func(call []byte) []byte {
		if replaced["_"+string(childFields.FindSubmatch(call)[1])] {
			return []byte("return noChild()")
		}
		return call
	})
	file, err := parser.ParseFile(token.NewFileSet(), "exec.go", src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse what was generated: %w", err)
	}
	other, err := parser.ParseFile(token.NewFileSet(), "direct.go", direct, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse what was generated: %w", err)
	}
	return cut(src, unused(file, other, replaced)), nil
}

// unused are the methods of executionContext to be removed.
func unused(file, other *ast.File, replaced map[string]bool) []*ast.FuncDecl {
	calls := map[string]int{} // how many selectors of that name there are
	count := func(n ast.Node, by int) {
		ast.Inspect(n, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				calls[s.Sel.Name] += by
			}
			return true
		})
	}
	count(file, 1)
	count(other, 1)
	left := methods(file)
	var gone []*ast.FuncDecl
	for again := true; again; {
		again = false
		for i, m := range left {
			if m == nil || !replaced[m.Name.Name] && calls[m.Name.Name] > 0 {
				continue
			}
			count(m, -1)
			gone, left[i], again = append(gone, m), nil, true
		}
	}
	return gone
}

// methods are those that gqlgen generates for each field and type.
func methods(file *ast.File) []*ast.FuncDecl {
	var out []*ast.FuncDecl
	generated := regexp.MustCompile(`^(_|fieldContext_|childFields_|marshal[NO])`)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && generated.MatchString(f.Name.Name) {
			out = append(out, f)
		}
	}
	return out
}

func cut(src []byte, gone []*ast.FuncDecl) []byte {
	dead := make([]bool, len(src))
	for _, f := range gone {
		from := f.Pos()
		if f.Doc != nil {
			from = f.Doc.Pos()
		}
		for i := int(from) - 1; i < int(f.End())-1; i++ { // the file is the first of its set: positions are offsets + 1
			dead[i] = true
		}
	}
	var out bytes.Buffer
	for i, c := range src {
		if !dead[i] {
			out.WriteByte(c)
		}
	}
	return regexp.MustCompile(`\n{3,}`).ReplaceAll(out.Bytes(), []byte("\n\n"))
}
