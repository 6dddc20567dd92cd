package messaging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestHeadGivesWhatStandsThere(t *testing.T) {
	var h head
	err := h.read([]byte(" {\n \"req\" : \"send\" ,\t\"callee\":\"\\u002B358 \\ud83d\\ude00\\n\\\"\\\\\\/\\b\\f\\r\\tя\", \"length\" : 17,\r\n" +
		`"after":-5, "callees":["a", "", "\u0062"] , "uuid":[], "more":{"a":[1.5e+3,-0,true,false,null,{}],"b":""}, "\u0074oken":"t"} `))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.text(fieldCallee), "+358 😀\n\"\\/\b\f\r\tя"; got != want {
		t.Errorf("callee = %q, want %q", got, want)
	}
	if got := h.text(fieldReq) + h.text(fieldToken) + h.optional(fieldFname); got != "sendt" {
		t.Errorf("req, token, fname = %q", got)
	}
	if got := []int64{h.integer(fieldLength), h.integer(fieldAfter)}; !slices.Equal(got, []int64{17, -5}) {
		t.Errorf("length, after = %v", got)
	}
	if got := h.texts(fieldCallees, 1); !slices.Equal(got, []string{"a", "", "b"}) {
		t.Errorf("callees = %q", got)
	}
	if got := h.texts(fieldUUID, 0); len(got) != 0 {
		t.Errorf("uuid = %q", got)
	}
	if h.err != nil {
		t.Error(h.err)
	}
}

// What is no JSON object, or one that two readers could read in two ways.
var unreadable = []string{
	``, ` `, `null`, `[]`, `"req"`, `1`, `{`, `{"req"`, `{"req":`, `{"req":"get"`, `{"req":"get",}`, `{,}`, `{"req" "get"}`, `{req:"get"}`,
	`{'req':'get'}`, `{"req":"get"}}`, `{"req":"get"}{}`, `{"req":"get"} x`, "\xef\xbb\xbf{}", `{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`,
	`{"a":1e+}`, `{"a":+1}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":True}`, `{"a":nul}`, `{"a":tru`, `{"a":[1,]}`, `{"a":[,]}`, `{"a":[1 2]}`,
	`{"a":[}`, `{"a":{"b"}}`, `{"a":{"b":1,}}`, `{"a":"b}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, `{"a":"\`, "{\"a\":\"\n\"}",
	"{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}", "{\"\xff\":1}", `{"a":"\ud800"}`,
	`{"a":"\udc00"}`, `{"a":"\udc00\ud800"}`, `{"a":"\ud800\u0041"}`, `{"a":"\ud800x"}`, `{"\ud800":1}`, "{/**/}", "{}\v",
	`{"req":"get","req":"get"}`, `{"uuid":1,"\u0075uid":2}`, `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	`{"a":` + strings.Repeat(`{"a":`, 2_000),
}

func TestHeadRefusesWhatIsNoJSON(t *testing.T) {
	for _, s := range unreadable {
		var h head
		wantFormatFault(t, h.read([]byte(s)), s)
	}
}

func wantFormatFault(t *testing.T, err error, input string) {
	t.Helper()
	var r *refusal
	if !errors.As(err, &r) || r.answer != formatError || r.hint == "" {
		t.Errorf("%.60q: %v, want a format error with a hint", input, err)
	}
}

func TestHeadIsStrictAboutTypes(t *testing.T) {
	get := map[string]func(h *head){
		"text":     func(h *head) { h.text(fieldName) },
		"optional": func(h *head) { h.optional(fieldName) },
		"integer":  func(h *head) { h.integer(fieldName) },
		"texts":    func(h *head) { h.texts(fieldName, 0) },
		"some":     func(h *head) { h.texts(fieldName, 1) },
	}
	for _, c := range []struct{ json, fine string }{
		{``, "optional"},
		{`"name":null`, ""},
		{`"name":true`, ""},
		{`"name":{}`, ""},
		{`"name":"x"`, "text optional"},
		{`"name":""`, "text"},
		{`"name":7`, "integer"},
		{`"name":"7"`, "text optional"},
		{`"name":0`, "integer"},
		{`"name":-0`, "integer"},
		{`"name":1.5`, ""},
		{`"name":1.0`, ""},
		{`"name":1e3`, ""},
		{`"name":99999999999999999999999`, "integer"}, // the greatest: whoever asks compares it with a limit
		{`"name":[]`, "texts"},
		{`"name":["a"]`, "texts some"},
		{`"name":["a",null]`, ""},
		{`"name":["a",1]`, ""},
		{`"name":[["a"]]`, ""},
		{`"name":[[[[["a"]]]]]`, ""},
	} {
		for kind, ask := range get {
			var h head
			if err := h.read([]byte("{" + c.json + "}")); err != nil {
				t.Fatal(err)
			}
			ask(&h)
			if fine := slices.Contains(strings.Fields(c.fine), kind); fine != (h.err == nil) {
				t.Errorf("{%s} as %s: %v", c.json, kind, h.err)
			}
		}
	}
}

func TestTheFirstFaultStays(t *testing.T) {
	var h head
	if err := h.read([]byte(`{"length":"1"}`)); err != nil {
		t.Fatal(err)
	}
	h.integer(fieldLength)
	h.text(fieldCallee)
	if got := fmt.Sprint(h.err); got != "format error — length is not an integer" {
		t.Error(got)
	}
}

// FuzzHead compares the reader with encoding/json: what it takes must mean the same there, and what it does not take must be no
// JSON, or something that encoding/json is known to let pass.
func FuzzHead(f *testing.F) {
	for _, s := range unreadable {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h head
		err := h.read(b)
		var want map[string]any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		wantErr := d.Decode(&want)
		if err != nil {
			if wantErr == nil && json.Valid(b) && want != nil && !ambiguous(b) {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		if wantErr != nil || !json.Valid(b) {
			t.Fatalf("taken, but it is no JSON: %v", wantErr)
		}
		for f, name := range names {
			compare(t, &h, field(f), want[name])
		}
	})
}

func compare(t *testing.T, h *head, f field, want any) {
	t.Helper()
	h.err = nil
	switch want := want.(type) {
	case string:
		if got := h.text(f); got != want || h.err != nil {
			t.Fatalf("%s = %q (%v), want %q", f, got, h.err, want)
		}
	case json.Number:
		n, err := want.Int64()
		if got := h.integer(f); err == nil && (got != n || h.err != nil) {
			t.Fatalf("%s = %d (%v), want %d", f, got, h.err, n)
		}
	case []any:
		got := h.texts(f, 0)
		if h.err != nil {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%s = %q, want %q", f, got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s = %q, want %q", f, got, want)
			}
		}
	}
}

// ambiguous tells whether b may be something that encoding/json takes and this API does not.
func ambiguous(b []byte) bool {
	depth, deepest := 0, 0
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		tok, err := d.Token()
		if err != nil {
			break
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	lower := bytes.ToLower(b)
	escapes := bytes.Contains(lower, []byte(`\u`)) // perhaps of half a pair, or in a doubled name
	doubled := slices.ContainsFunc(names[:], func(n string) bool { return bytes.Count(b, []byte(`"`+n+`"`)) > 1 })
	return escapes || doubled || deepest >= maxDepth || !bytes.Equal(b, bytes.ToValidUTF8(b, nil))
}
