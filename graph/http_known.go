package graph

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Most requests bring a document that came before, and nothing but names that the schema has. Neither is copied once more.

// words are the names that stand in requests: of their members, and of the schema's input fields.
type words map[string]string

func wordsOf(schema *ast.Schema) words {
	w := words{}
	for _, name := range members {
		w[name] = name
	}
	for _, def := range schema.Types {
		if def.Kind == ast.InputObject {
			for _, f := range def.Fields {
				w[f.Name] = f.Name
			}
		}
	}
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if root == nil {
			continue
		}
		for _, f := range root.Fields { // variables are mostly called as the arguments that they are for
			for _, a := range f.Arguments {
				w[a.Name] = a.Name
			}
		}
	}
	return w
}

// members are what a request may say (GraphQL over HTTP, section "Request Parameters").
var members = [4]string{"query", "operationName", "variables", "extensions"}

// request reads a body that is one request as parseJSON and paramsIn would. It is not ok where those must: a list, or a request of more
// members than the specification has.
func (d *documents) request(b []byte) (_ *graphql.RawParams, bad *badRequest, ok bool) {
	p := jsonParser{words: d.words, text: b}
	if p.peek() != '{' {
		return nil, nil, false
	}
	if !utf8.Valid(b) {
		return nil, unreadable("it is no UTF-8"), true
	}
	var found [len(members)]any
	var given [len(members)]bool
	p.enter()
	for first := true; p.more(first, '}'); first = false {
		i := slices.Index(members[:], p.memberName())
		if i < 0 || given[i] || p.peek() != ':' {
			return nil, nil, false // whatever is wrong, parseJSON says it
		}
		p.at++
		given[i] = true
		if i > 0 {
			found[i] = p.value()
		} else if text, known := d.knownText(&p); known {
			found[i] = text
		} else {
			found[i] = p.value()
		}
	}
	if bad := p.end(); bad != nil {
		return nil, bad, true
	}
	out, bad := paramsOfMembers(found)
	return out, bad, true
}

// longestWord is more than any name of the schema has, and keeps long names from being looked at twice.
const longestWord = 40

// memberName is the name that comes next; empty where none does.
func (p *jsonParser) memberName() string {
	if p.peek() != '"' {
		return ""
	}
	return p.name()
}

// name reads a string that is likely one of the words.
func (p *jsonParser) name() string {
	if raw, ok := p.plain(); ok && len(raw) <= longestWord {
		if w, known := p.words[string(raw)]; known {
			p.at += len(raw) + 2
			return w
		}
	}
	return p.str()
}

// plain is the string that comes next as it is written, without reading it, where it has no escape.
func (p *jsonParser) plain() ([]byte, bool) {
	if p.peek() != '"' {
		return nil, false
	}
	rest := p.text[p.at+1:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return nil, false
	}
	return rest[:end], true
}

// knownText reads a document that was executed before. A line break in it is an escape in JSON: as itself it is refused where it is read.
func (d *documents) knownText(p *jsonParser) (string, bool) {
	raw, ok := p.plain()
	if !ok || slices.ContainsFunc(raw, func(c byte) bool { return c < 0x20 }) {
		return "", false
	}
	text, ok := d.known.key(raw)
	if ok {
		p.at += len(raw) + 2
	}
	return text, ok
}
