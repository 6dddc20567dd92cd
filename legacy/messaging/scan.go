package messaging

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is what a JSON value is. Booleans and null are one: no field of this API takes either.
type kind uint8

const (
	absent kind = iota
	text
	number
	array
	object
	literal
)

// value is a JSON value as it lies in the head: nothing is copied before a call asks for it.
type value struct {
	kind       kind
	escaped    bool // a text in which something stands behind a backslash
	start, end int  // of the value; a text's without its quotes
}

// scanner walks over JSON (RFC 8259) and is as strict as that: it was written because encoding/json takes doubled keys, bytes that are not
// UTF-8 and halves of surrogate pairs without a word, and because a second look at a head costs more than the first.
type scanner struct {
	b []byte
	i int
}

// maxDepth is how deep a value may be nested: no field of this API needs more than two.
const maxDepth = 16

// space skips white space (RFC 8259, section 2).
func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// take skips c after white space, if it is there.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// value reads one value; false: what stands there is none.
func (s *scanner) value(depth int) (value, bool) {
	s.space()
	if s.i >= len(s.b) || depth > maxDepth {
		return value{}, false
	}
	v := value{start: s.i}
	ok := false
	switch c := s.b[s.i]; {
	case c == '"':
		return s.text()
	case c == '{':
		v.kind, ok = object, s.members(depth)
	case c == '[':
		v.kind, ok = array, s.elements(depth)
	case c == '-' || '0' <= c && c <= '9':
		v.kind, ok = number, s.number()
	default:
		v.kind, ok = literal, s.word("null") || s.word("true") || s.word("false")
	}
	v.end = s.i
	return v, ok
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

func (s *scanner) members(depth int) bool {
	s.i++
	if s.take('}') {
		return true
	}
	for {
		if _, ok := s.key(); !ok {
			return false
		}
		if _, ok := s.value(depth + 1); !ok {
			return false
		}
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// key reads a member's name and its colon.
func (s *scanner) key() (value, bool) {
	s.space()
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return value{}, false
	}
	k, ok := s.text()
	return k, ok && s.take(':')
}

func (s *scanner) elements(depth int) bool {
	s.i++
	if s.take(']') {
		return true
	}
	for {
		if _, ok := s.value(depth + 1); !ok {
			return false
		}
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// number reads -? int frac? exp? (RFC 8259, section 6).
func (s *scanner) number() bool {
	if s.b[s.i] == '-' {
		s.i++
	}
	zero := s.i < len(s.b) && s.b[s.i] == '0'
	if n := s.digits(); n == 0 || zero && n > 1 {
		return false
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if s.digits() == 0 {
			return false
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return s.digits() > 0
	}
	return true
}

func (s *scanner) digits() (n int) {
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
		n++
	}
	return n
}

// text reads a string: UTF-8, no control character, every escape known and every surrogate in a pair.
func (s *scanner) text() (value, bool) {
	s.i++
	v := value{kind: text, start: s.i}
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			v.end = s.i
			s.i++
			return v, true
		case c == '\\':
			v.escaped = true
			if _, ok := s.escape(); !ok {
				return v, false
			}
		case c < ' ':
			return v, false
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && n == 1 {
				return v, false
			}
			s.i += n
		}
	}
	return v, false
}

// escape reads what a backslash begins, a pair of surrogates as one.
func (s *scanner) escape() (rune, bool) {
	if s.i+1 >= len(s.b) {
		return 0, false
	}
	c := s.b[s.i+1]
	if c == 'u' {
		r, ok := s.unit()
		if !ok || !utf16.IsSurrogate(r) {
			return r, ok
		}
		low, ok := s.unit()
		r = utf16.DecodeRune(r, low)
		return r, ok && r != utf8.RuneError
	}
	s.i += 2
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

// unit reads one \uXXXX.
func (s *scanner) unit() (rune, bool) {
	if len(s.b)-s.i < 6 || s.b[s.i] != '\\' || s.b[s.i+1] != 'u' {
		return 0, false
	}
	r := rune(0)
	for _, c := range s.b[s.i+2 : s.i+6] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	s.i += 6
	return r, true
}

// plain is the text that v stands for, without its escapes; it shares the memory of b where there are none.
func plain(b []byte, v value) []byte {
	if !v.escaped {
		return b[v.start:v.end]
	}
	s := scanner{b: b[:v.end], i: v.start}
	out := make([]byte, 0, v.end-v.start)
	for s.i < v.end {
		if s.b[s.i] != '\\' {
			out = append(out, s.b[s.i])
			s.i++
			continue
		}
		r, _ := s.escape() // the scanner let it pass, so it is good
		out = utf8.AppendRune(out, r)
	}
	return out
}

// whole is the integer that v stands for. One that is too large is the greatest there is: whoever asked for it compares it
// with a limit. 1.0 and 1e3 are numbers and no integers here (chosen): what is counted in bytes is written in digits.
func whole(b []byte, v value) (int64, bool) {
	digits := b[v.start:v.end]
	for i, c := range digits {
		if (c < '0' || c > '9') && (c != '-' || i != 0) {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	return n, err == nil || n != 0 // the grammar holds already: all that is left to fail is the range, and then n is its end
}
