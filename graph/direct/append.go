package direct

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

// JSON is a value that is written already.
type JSON []byte

// MarshalGQL implements graphql.Marshaler.
func (j JSON) MarshalGQL(w io.Writer) { write(w, j) }

// write leaves a failure to who reads the writer: gqlgen's is a buffer in memory, which has none.
func write(w io.Writer, b []byte) {
	if _, err := w.Write(b); err != nil {
		panic(err) // caught by gqlgen as any panic of a resolver
	}
}

// Result is what an append function made, as gqlgen wants it.
func Result(b []byte, ok bool) graphql.Marshaler {
	if !ok {
		return graphql.Null
	}
	return JSON(b)
}

// Buffer is what an object is written into: most fit.
func Buffer() []byte { return make([]byte, 0, 512) }

// Expect makes room for a list of n elements of which the first has been written: the others will be about as long. Growing step by
// step would copy, and leave behind, several times what is written.
func Expect(b []byte, start, n int) []byte {
	return slices.Grow(b, (len(b)-start)*(n-1)*9/8+64)
}

// Key begins the field at position i of its object. An alias is a GraphQL name: nothing in it needs an escape.
func (f *Field) Key(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, f.Alias...)
	return append(b, '"', ':')
}

// Null writes null.
func Null(b []byte) []byte { return append(b, "null"...) }

// Marshaler writes what only a graphql.Marshaler can.
func Marshaler(b []byte, m graphql.Marshaler) []byte {
	if j, ok := m.(JSON); ok {
		return append(b, j...)
	}
	w := sink{b}
	m.MarshalGQL(&w)
	return w.b
}

type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

func (s *sink) WriteString(p string) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

const hex = "0123456789ABCDEF"

// String writes a JSON string with gqlgen's escapes. What is not UTF-8 is replaced: JSON has no other text.
func String(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
