package graph

import (
	goast "go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"switchboard/comms"
	"switchboard/graph/gen"
)

// schema is the contract as it is served.
func schema() *ast.Schema { return gen.NewExecutableSchema(gen.Config{}).Schema() }

func own(s *ast.Schema) []*ast.Definition {
	var out []*ast.Definition
	for _, d := range s.Types {
		if !d.BuiltIn {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *ast.Definition) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func TestEverythingIsDescribed(t *testing.T) {
	check := func(name, text string) {
		if len(strings.TrimSpace(text)) < 4 || !strings.HasSuffix(strings.TrimSpace(text), ".") {
			t.Errorf("%s has no description that is a sentence: %q", name, text)
		}
	}
	s := schema()
	check("the schema", s.Description)
	for _, d := range own(s) {
		check(d.Name, d.Description)
		for _, f := range d.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			check(d.Name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				check(d.Name+"."+f.Name+"("+a.Name+")", a.Description)
			}
		}
		for _, v := range d.EnumValues {
			check(d.Name+"."+v.Name, v.Description)
		}
	}
}

// The schema's own laws: verbs with one input and a payload that tells what was wrong with it; lists that grow are connections.
func TestShape(t *testing.T) {
	s := schema()
	for _, f := range s.Mutation.Fields {
		name := strings.ToUpper(f.Name[:1]) + f.Name[1:]
		if len(f.Arguments) != 1 || f.Arguments[0].Name != "input" || f.Arguments[0].Type.String() != name+"Input!" {
			t.Errorf("%s does not take one input: %sInput!", f.Name, name)
		}
		if f.Type.String() != name+"Payload!" {
			t.Errorf("%s answers %s, not %sPayload!", f.Name, f.Type, name)
		}
		payload := s.Types[f.Type.Name()]
		if e := payload.Fields.ForName("userErrors"); e == nil || e.Type.String() != "[UserError!]!" {
			t.Errorf("%s has no userErrors: [UserError!]!", payload.Name)
		}
		for _, p := range payload.Fields {
			if p.Type.NonNull && p.Type.Elem == nil && p.Name != "replayed" {
				t.Errorf("%s.%s may not be null, but is when the input was wrong", payload.Name, p.Name)
			}
		}
		if creates := payload.Fields.ForName("replayed") != nil; creates != (s.Types[name+"Input"].Fields.ForName("idempotencyKey") != nil) {
			t.Errorf("%s has only one of idempotencyKey and replayed", f.Name)
		}
	}
	for _, d := range own(s) {
		if node, ok := strings.CutSuffix(d.Name, "Connection"); ok {
			for field, want := range map[string]string{"edges": "[" + node + "Edge!]!", "nodes": "[" + node + "!]!", "pageInfo": "PageInfo!"} {
				if f := d.Fields.ForName(field); f == nil || f.Type.String() != want {
					t.Errorf("%s.%s is not %s", d.Name, field, want)
				}
			}
		}
		for _, f := range d.Fields {
			if !strings.HasSuffix(f.Type.Name(), "Connection") {
				continue
			}
			for _, arg := range []string{"first", "after", "last", "before"} {
				if f.Arguments.ForName(arg) == nil {
					t.Errorf("%s.%s has no argument %s", d.Name, f.Name, arg)
				}
			}
		}
	}
}

// What is generated must be what schema.graphql says: `make generate` was run.
func TestServedSchemaIsTheContract(t *testing.T) {
	text, err := os.ReadFile("../schema.graphql")
	if err != nil {
		t.Fatal(err)
	}
	contract, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	served := schema()
	for _, d := range own(contract) {
		got := served.Types[d.Name]
		if got == nil {
			t.Errorf("%s is not served: run make generate", d.Name)
			continue
		}
		for _, f := range d.Fields {
			if g := got.Fields.ForName(f.Name); g == nil || g.Type.String() != f.Type.String() || g.Description != f.Description {
				t.Errorf("%s.%s is served otherwise than schema.graphql says: run make generate", d.Name, f.Name)
			}
		}
	}
	if len(own(contract)) != len(own(served)) {
		t.Error("types are served that are not in schema.graphql: run make generate")
	}
}

// A call ends for one of the rules' words, each of which has its own in the schema. They are read from the rules' source, for a list of them
// would be what is forgotten.
func TestCallReasonsCoverTheRules(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../comms/call/verdict.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	goast.Inspect(file, func(n goast.Node) bool {
		if v, ok := n.(*goast.ValueSpec); ok && len(v.Names) == 1 && strings.HasPrefix(v.Names[0].Name, "Why") {
			words[strings.ToUpper(strings.Trim(v.Values[0].(*goast.BasicLit).Value, `"`))] = true
		}
		return true
	})
	values := schema().Types["CallReason"].EnumValues
	for _, v := range values {
		if !words[v.Name] {
			t.Errorf("no call ends for %s", v.Name)
		}
	}
	if len(words) != len(values) || len(words) < 20 {
		t.Errorf("CallReason has %d values, the rules %d words: %v", len(values), len(words), words)
	}
}

// Every word that comms knows has its word in the schema, and the other way round.
func TestEnumsCoverComms(t *testing.T) {
	s := schema()
	if got, want := len(s.Types["EventKind"].EnumValues), len(comms.Kinds()); got != want {
		t.Errorf("EventKind has %d values, comms %d kinds", got, want)
	}
	all := comms.Scope(1<<len(s.Types["ApiScope"].EnumValues) - 1)
	if got := len(all.Names()); got != len(s.Types["ApiScope"].EnumValues) || (all<<1&^all).Names() != nil {
		t.Errorf("ApiScope has %d values, comms other scopes: %v", len(s.Types["ApiScope"].EnumValues), all.Names())
	}
	words := map[string]bool{}
	for _, v := range s.Types["UserErrorCode"].EnumValues {
		words[v.Name] = true
	}
	told := map[string]bool{}
	for _, w := range userCodes {
		told[string(w)] = true
	}
	for _, w := range userReasons {
		told[string(w)] = true
	}
	for w := range words {
		if !told[w] {
			t.Errorf("no error is told as %s", w)
		}
	}
	for w := range told {
		if !words[w] {
			t.Errorf("%s is no UserErrorCode", w)
		}
	}
}
