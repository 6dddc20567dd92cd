package direct

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

func TestString(t *testing.T) {
	for _, s := range []string{"", "plain", `"quoted" \ and /`, "line\nbreak\ttab\rreturn", "\x00\x1f\x7f", "é, 語, 😀", "\u2028 </script>", "a\xffb", "\xed\xa0\x80"} {
		sameString(t, s)
	}
}

func FuzzString(f *testing.F) {
	f.Add("a\x00\"\\\n\xff é")
	f.Fuzz(sameString)
}

// sameString: what is written reads back as the text, and for text that is UTF-8 it is what gqlgen would have written.
func sameString(t *testing.T, s string) {
	got := String([]byte("x"), s)[1:]
	var back string
	if err := json.Unmarshal(got, &back); err != nil || back != strings.ToValidUTF8(s, "\uFFFD") {
		t.Fatalf("%q is written %s, read %q: %v", s, got, back, err)
	}
	var theirs bytes.Buffer
	graphql.MarshalString(s).MarshalGQL(&theirs)
	if utf8.ValidString(s) && theirs.String() != string(got) {
		t.Fatalf("%q: %s, gqlgen writes %s", s, got, &theirs)
	}
}

func TestMarshaler(t *testing.T) {
	for _, m := range []graphql.Marshaler{graphql.Null, graphql.MarshalInt(-5), graphql.MarshalString("é\n"), JSON(`{"a":1}`),
		graphql.Array{graphql.MarshalBoolean(true), JSON("2")}} {
		var want bytes.Buffer
		m.MarshalGQL(&want)
		if got := Marshaler([]byte("x"), m); string(got) != "x"+want.String() {
			t.Errorf("%s, want x%s", got, &want)
		}
	}
}

// A list grows once, to about what it needs.
func TestExpect(t *testing.T) {
	b := Buffer()
	start := len(b)
	b = append(b, strings.Repeat("x", 200)...)
	b = Expect(b, start, 50)
	if cap(b) < 50*200 || cap(b) > 2*50*200 || len(b) != 200 {
		t.Errorf("room for %d, %d used", cap(b), len(b))
	}
	if allocs := testing.AllocsPerRun(10, func() {
		b = b[:0]
		for range 50 {
			b = append(b, "0123456789"...)
		}
	}); allocs != 0 {
		t.Error(allocs)
	}
}

func TestNoChild(t *testing.T) {
	if fc, err := NoChild(); fc != nil || err == nil {
		t.Error(fc, err)
	}
}
