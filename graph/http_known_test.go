package graph

import (
	"slices"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

// A document that is known is recognised in the body as it is written, and only where it is JSON there.
func TestKnownDocuments(t *testing.T) {
	d := documentsOf(t)
	for _, text := range []string{"{__typename}", "{\n__typename}"} {
		if _, errs := d.load(text); errs != nil {
			t.Fatal(errs)
		}
	}
	for body, ok := range map[string]bool{
		`{"query":"{__typename}"}`:                     true,
		` { "query" : "{__typename}" , "extra":1 }`:    true,
		`{"variables":{"query":1},"query":"{unknown"}`: true,
		`{"query":"{\n__typename}"}`:                   true,
		`{"\u0071uery":"{__typename}"}`:                true,
		"{\"query\":\"{\n__typename}\"}":               false, // a line break is no part of a JSON string
		`{"query":"{__typename}","query":"x"}`:         false,
		`{"query":"{__typename}"`:                      false,
		`{"query":"{__typename}"}}`:                    false,
		`{"query":"{__typename}",}`:                    false,
		"{\"query\":\"{__typename}\",\"x\":\"\xff\"}":  false,
	} {
		if _, bad := d.decodeBody([]byte(body), nil); (bad == nil) != ok {
			t.Errorf("%q: %v", body, bad)
		}
		sameRequest(t, d, []byte(body))
	}
}

// What is remembered of a document holds whatever its variables are: no field without a page has a price that hangs on an argument.
func TestPricesHangOnPages(t *testing.T) {
	d := documentsOf(t)
	paged := 0
	for _, def := range d.schema.Types {
		if def.Kind != ast.Object {
			continue
		}
		for _, f := range def.Fields {
			if len(f.Arguments) == 0 {
				continue
			}
			_, priced := d.es.Complexity(t.Context(), def.Name, f.Name, 1, map[string]any{"first": int64(1)})
			if slices.ContainsFunc(f.Arguments, isPage) {
				paged++
			} else if priced {
				t.Errorf("%s.%s has a price", def.Name, f.Name)
			}
		}
	}
	if paged < 5 {
		t.Errorf("only %d fields have pages", paged)
	}
}

// A selection is found once for all runs of a document, and anew where a directive or an alias makes it another.
func TestKeptSelections(t *testing.T) {
	w := onWeb(t)
	for range 2 {
		for _, c := range []struct{ query, variables, want string }{
			{`query($y: Boolean!) { __typename @skip(if: $y) b: __typename }`, `{"y":true}`, `{"data":{"b":"Query"}}`},
			{`query($y: Boolean!) { __typename @skip(if: $y) b: __typename }`, `{"y":false}`, `{"data":{"__typename":"Query","b":"Query"}}`},
			{`mutation { a: __typename ...F b: __typename } fragment F on Mutation { a: __typename c: __typename }`, `{}`,
				`{"data":{"a":"Mutation","c":"Mutation","b":"Mutation"}}`},
		} {
			got := w.do(exchange{body: `{"query":` + string(encoded(c.query)) + `,"variables":` + c.variables + `}`})
			if c.want != "" && got.body != c.want {
				t.Errorf("%s with %s: %s", c.query, c.variables, got.body)
			}
		}
	}
}
