package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"
)

// fromFile sets what the settings file says and nobody before it did. Every key must be a setting, in its section and once.
func fromFile(content []byte, list []setting, flags *pflag.FlagSet) error {
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return err
	}
	r := fileReader{flags: flags, seen: map[string]bool{}, known: map[string]setting{}}
	for _, s := range list {
		r.known[keyOf(s.name)] = s
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if err := r.section("", doc.Body); err != nil {
			return err
		}
	}
	return nil
}

// keyOf is where a setting stands in the file: throttle-login in the section throttle, as login.
func keyOf(name string) string {
	section, rest, _ := strings.Cut(name, "-")
	if slices.Contains(sections, section) {
		return section + "." + rest
	}
	return name
}

type fileReader struct {
	flags *pflag.FlagSet
	known map[string]setting // by key
	seen  map[string]bool    // settings that the file named
}

func (r *fileReader) section(prefix string, node ast.Node) error {
	values, ok := entries(node)
	if !ok {
		return at(node, "keys and values are expected here")
	}
	for _, v := range values {
		if err := r.entry(prefix, v); err != nil {
			return err
		}
	}
	return nil
}

func (r *fileReader) entry(prefix string, v *ast.MappingValueNode) error {
	key := v.Key.GetToken().Value
	if prefix == "" && slices.Contains(sections, key) {
		if v.Value.Type() == ast.NullType {
			return nil
		}
		return r.section(key+".", v.Value)
	}
	s, ok := r.known[prefix+key]
	if !ok || prefix == "" && strings.Contains(key, ".") {
		return at(v.Key, "unknown setting %q", key)
	}
	if r.seen[s.name] {
		return at(v.Key, "%q is set twice", key)
	}
	r.seen[s.name] = true
	text, there, err := scalar(s, v.Value)
	if err != nil || !there {
		return err
	}
	flag := r.flags.Lookup(s.name)
	if flag.Changed {
		return nil
	}
	if err := flag.Value.Set(text); err != nil {
		return at(v.Value, "%s: %s", s.name, err)
	}
	return nil
}

// scalar is the value as it would be written on the command line; there is false where nothing was written.
func scalar(s setting, node ast.Node) (text string, there bool, err error) {
	switch n := node.(type) {
	case *ast.NullNode:
		return "", false, nil
	case *ast.StringNode:
		return n.Value, true, nil
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		return node.GetToken().Value, true, nil
	case *ast.SequenceNode:
		if !s.plural() {
			return "", false, at(node, "%s is not a list", s.name)
		}
		var items []string
		for _, item := range n.Values {
			word, ok := item.(*ast.StringNode)
			if !ok || strings.Contains(word.Value, ",") {
				return "", false, at(item, "%s is a list of words", s.name)
			}
			items = append(items, word.Value)
		}
		return strings.Join(items, ","), true, nil
	default:
		return "", false, at(node, "%s must be a word, a number, true or false", s.name)
	}
}

func (s setting) plural() bool {
	switch s.to.(type) {
	case *Words, *Networks:
		return true
	}
	return false
}

func entries(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// at names the place of a mistake.
func at(node ast.Node, format string, args ...any) error {
	p := node.GetToken().Position
	return fmt.Errorf("line %d, column %d: %s", p.Line, p.Column, fmt.Sprintf(format, args...))
}
