package graph

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parseJSON reads one JSON value (RFC 8259) into maps, slices, strings, json.Number, bool and nil.
//
// encoding/json does not fit a door: it takes member names in any letter case and the last of two with one name, so that what a gateway
// before us checked need not be what is executed; it puts U+FFFD where the text is no UTF-8; and it reads a request three times over to
// find its values. This refuses the first three, and more than maxNesting arrays and objects in each other, in one pass.
func parseJSON(b []byte) (any, *badRequest) {
	if !utf8.Valid(b) {
		return nil, unreadable("it is no UTF-8")
	}
	p := jsonParser{text: b}
	v := p.value()
	return v, p.end()
}

// end is what was wrong, if only that something stands behind the value.
func (p *jsonParser) end() *badRequest {
	p.space()
	if p.bad == nil && p.at < len(p.text) {
		p.fail("something stands behind the JSON")
	}
	return p.bad
}

// maxNesting bounds arrays and objects in each other; the greatest input of the schema needs four.
const maxNesting = 64

type jsonParser struct {
	words words // names that need no copy
	text  []byte
	at    int
	depth int
	bad   *badRequest
}

func (p *jsonParser) fail(format string, args ...any) {
	if p.bad == nil {
		p.bad = unreadable(format, args...)
	}
	p.at = len(p.text)
}

func (p *jsonParser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// peek is the next byte that isn't space; zero at the end.
func (p *jsonParser) peek() byte {
	p.space()
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *jsonParser) value() any {
	switch c := p.peek(); c {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		return p.str()
	case 't':
		return p.word("true", true)
	case 'f':
		return p.word("false", false)
	case 'n':
		return p.word("null", nil)
	default:
		return p.number()
	}
}

func (p *jsonParser) word(word string, v any) any {
	if !bytes.HasPrefix(p.text[p.at:], []byte(word)) {
		p.fail("it is not JSON")
		return nil
	}
	p.at += len(word)
	return v
}

func (p *jsonParser) enter() bool {
	p.at++
	if p.depth++; p.depth > maxNesting {
		p.fail("it is nested more than %d deep", maxNesting)
		return false
	}
	return true
}

// more tells whether another item follows, after the comma if it isn't the first; at the end it steps over the closing bracket.
func (p *jsonParser) more(first bool, end byte) bool {
	switch c := p.peek(); {
	case c == end:
		p.at++
		p.depth--
		return false
	case first && c != 0:
		return true
	case c == ',':
		p.at++
		if p.peek() != end {
			return true
		}
	}
	p.fail("it is not JSON")
	return false
}

func (p *jsonParser) object() map[string]any {
	out := map[string]any{}
	if !p.enter() {
		return nil
	}
	for first := true; p.more(first, '}'); first = false {
		if p.peek() != '"' {
			p.fail("it is not JSON")
			return nil
		}
		name := p.name()
		if _, twice := out[name]; twice {
			p.fail("%.40q is given twice", name)
			return nil
		}
		if p.peek() != ':' {
			p.fail("it is not JSON")
			return nil
		}
		p.at++
		out[name] = p.value()
	}
	return out
}

func (p *jsonParser) array() []any {
	out := []any{}
	if !p.enter() {
		return nil
	}
	for first := true; p.more(first, ']'); first = false {
		out = append(out, p.value())
	}
	return out
}

// str reads a string; the text is at its opening quote.
func (p *jsonParser) str() string {
	p.at++
	start := p.at
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			s := string(p.text[start:p.at])
			p.at++
			return s
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			p.fail("it is not JSON: a control character in a string")
			return ""
		}
	}
	p.fail("it is not JSON: a string without end")
	return ""
}

var jsonEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads on where a string has its first escape.
func (p *jsonParser) escaped(start int) string {
	out := append(make([]byte, 0, p.at-start+64), p.text[start:p.at]...)
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return string(out)
		case c < 0x20:
			p.fail("it is not JSON: a control character in a string")
		case c != '\\':
			out = append(out, c)
			p.at++
		case p.at+1 < len(p.text) && jsonEscapes[p.text[p.at+1]] != 0:
			out = append(out, jsonEscapes[p.text[p.at+1]])
			p.at += 2
		default:
			out = utf8.AppendRune(out, p.escapedRune())
		}
	}
	p.fail("it is not JSON: a string without end")
	return ""
}

// escapedRune reads \uXXXX, or two of them that are one character (section 7). Half of such a pair is no text.
func (p *jsonParser) escapedRune() rune {
	r := p.hex()
	if !utf16.IsSurrogate(r) {
		return r
	}
	if r = utf16.DecodeRune(r, p.hex()); r == utf8.RuneError {
		p.fail("it is not JSON: half a character in a string")
	}
	return r
}

func (p *jsonParser) hex() rune {
	if p.at+6 > len(p.text) || p.text[p.at] != '\\' || p.text[p.at+1] != 'u' {
		p.fail("it is not JSON: an unknown escape in a string")
		return 0
	}
	r := rune(0)
	for _, c := range p.text[p.at+2 : p.at+6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			p.fail("it is not JSON: an unknown escape in a string")
			return 0
		}
		r = r<<4 | rune(c)
	}
	p.at += 6
	return r
}

// number reads a number and keeps it as it is written: an id of twenty digits must not become a float.
func (p *jsonParser) number() json.Number {
	start := p.at
	digits := func() bool {
		from := p.at
		for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
			p.at++
		}
		return p.at > from
	}
	has := func(any string) bool {
		if p.at < len(p.text) && strings.IndexByte(any, p.text[p.at]) >= 0 {
			p.at++
			return true
		}
		return false
	}
	has("-")
	ok := has("0") || digits()
	if ok && has(".") {
		ok = digits()
	}
	if ok && has("eE") {
		has("+-")
		ok = digits()
	}
	if !ok {
		p.fail("it is not JSON")
		return ""
	}
	return json.Number(p.text[start:p.at])
}
