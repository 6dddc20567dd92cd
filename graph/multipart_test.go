package graph

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"switchboard/internal/house"
)

// form is a multipart request: parts by name and text; a name with a slash is a file.
func form(parts ...[2]string) (contentType, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		var part io.Writer
		if name, file, ok := strings.Cut(p[0], "/"); ok {
			part, _ = w.CreateFormFile(name, file) // a buffer takes everything
		} else {
			part, _ = w.CreateFormField(p[0])
		}
		_, _ = io.WriteString(part, p[1])
	}
	_ = w.Close()
	return w.FormDataContentType(), b.String()
}

const sendFile = `mutation($i: SendMessageInput!) { sendMessage(input: $i) { message { kind length file { name length url } } userErrors { code field } } }`

func TestMultipart(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{PublicURL: "https://sb.example", Limits: Limits{Upload: 10 << 10, Body: 4 << 10, Files: 2}})
	us, them := w.person(1), w.person(1)
	operations := fmt.Sprintf(`{"query":%q,"variables":{"i":{"from":"%s","to":["%s"],"file":null}}}`, sendFile, us.numbers[0].ID, them.numbers[0].Number)
	const place = `{"f":["variables.i.file"]}`
	sign := map[string]string{"Authorization": "Bearer " + us.token}
	for _, c := range []struct {
		name   string
		head   map[string]string
		parts  [][2]string
		status int
		code   string
	}{
		{"good", sign, [][2]string{{"operations", operations}, {"map", place}, {"f/a.txt", "some data"}}, 200, ""},
		{"no file, none named", sign, [][2]string{{"operations", `{"query":"{__typename}"}`}, {"map", `{}`}}, 200, ""},
		{"in a list", sign, [][2]string{{"operations", "[" + operations + "]"}, {"map", `{"f":["0.variables.i.file"]}`}, {"f/a.txt", "some data"}}, 200, ""},
		{"signed by another header", map[string]string{"GraphQL-Require-Preflight": "1"}, [][2]string{{"operations", operations}, {"map", place}, {"f/a", "x"}}, 401, "UNAUTHENTICATED"},
		{"a form of another site", nil, [][2]string{{"operations", operations}, {"map", place}, {"f/a", "x"}}, 415, "CSRF"},
		{"a file missing", sign, [][2]string{{"operations", operations}, {"map", place}}, 400, "BAD_REQUEST"},
		{"a file more", sign, [][2]string{{"operations", operations}, {"map", place}, {"f/a", "x"}, {"g/b", "x"}}, 400, "BAD_REQUEST"},
		{"a file twice", sign, [][2]string{{"operations", operations}, {"map", place}, {"f/a", "x"}, {"f/b", "x"}}, 400, "BAD_REQUEST"},
		{"the map first", sign, [][2]string{{"map", place}, {"operations", operations}, {"f/a", "x"}}, 400, "BAD_REQUEST"},
		{"no map", sign, [][2]string{{"operations", operations}, {"f/a", "x"}}, 400, "BAD_REQUEST"},
		{"nothing", sign, nil, 400, "BAD_REQUEST"},
		{"a map that is a list", sign, [][2]string{{"operations", operations}, {"map", `[]`}, {"f/a", "x"}}, 400, "BAD_REQUEST"},
		{"a map to nowhere", sign, [][2]string{{"operations", operations}, {"map", `{"f":[]}`}, {"f/a", "x"}}, 400, "BAD_REQUEST"},
		{"a map out of the variables", sign, [][2]string{{"operations", operations}, {"map", `{"f":["query"]}`}, {"f/a", "x"}}, 400, "BAD_REQUEST"},
		{"a map to what isn't null", sign, [][2]string{{"operations", operations}, {"map", `{"f":["variables.i.from"]}`}, {"f/a", "x"}}, 400, "BAD_REQUEST"},
		{"a map to what isn't there", sign, [][2]string{{"operations", operations}, {"map", `{"f":["variables.i.nothing.x.0"]}`}, {"f/a", "x"}}, 400, "BAD_REQUEST"},
		{"twice one place", sign, [][2]string{{"operations", operations}, {"map", `{"f":["variables.i.file","variables.i.file"]}`}, {"f/a", "x"}}, 400, "BAD_REQUEST"},
		{"another request of the list", sign, [][2]string{{"operations", "[" + operations + "]"}, {"map", `{"f":["1.variables.i.file"]}`}, {"f/a", "x"}}, 400, "BAD_REQUEST"},
		{"too many", sign, [][2]string{{"operations", operations}, {"map", `{"a":["x"],"b":["x"],"c":["x"]}`}}, 413, "BODY_LIMIT"},
		{"too large", sign, [][2]string{{"operations", operations}, {"map", place}, {"f/a", strings.Repeat("x", 11<<10)}}, 413, "BODY_LIMIT"},
		{"operations too large", sign, [][2]string{{"operations", operations + strings.Repeat(" ", 4<<10)}, {"map", place}, {"f/a", "x"}}, 413, "BODY_LIMIT"},
		{"text where a file belongs", sign, [][2]string{{"operations", strings.Replace(operations, "null", `"x"`, 1)}, {"map", `{}`}}, 200, "BAD_USER_INPUT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			contentType, body := form(c.parts...)
			head := map[string]string{"Content-Type": contentType}
			for k, v := range c.head {
				head[k] = v
			}
			got := w.do(exchange{body: body, head: head})
			text := strings.TrimSuffix(strings.TrimPrefix(got.body, "["), "]")
			if code := codeOf(t, text); got.status != c.status || code != c.code {
				t.Errorf("%d %s, not %d %s: %s", got.status, code, c.status, c.code, got.body)
			}
			if c.code == "" && len(c.parts) == 3 && !strings.Contains(got.body, `"message":{"kind":"FILE","length":9,"file":{"name":"a.txt","length":9,"url":"https://sb.example/files/`) {
				t.Error(got.body)
			}
		})
	}
	entries, err := os.ReadDir(w.temp)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

// TestBrokenUpload: a connection that breaks off in the middle of a file.
func TestBrokenUpload(t *testing.T) {
	w := onWeb(t)
	contentType, body := form([2]string{"operations", `{"query":"q","variables":{"f":null}}`}, [2]string{"map", `{"f":["variables.f"]}`}, [2]string{"f/a", strings.Repeat("x", 5000)})
	got := w.do(exchange{body: body[:len(body)-2000], head: map[string]string{"Content-Type": contentType, "Authorization": "Bearer " + w.person(0).token}})
	if got.status != http.StatusBadRequest {
		t.Errorf("half a file: %d %s", got.status, got.body)
	}
}

// TestPlace: a file stands at each of its places with a position of its own.
func TestPlace(t *testing.T) {
	want, bad := documentsOf(t).decodeBody([]byte(`{"query":"q","variables":{"a":null,"l":[null,[null]],"o":{"f":null}}}`), nil)
	if bad != nil {
		t.Fatal(bad)
	}
	for _, path := range []string{"variables.a", "variables.l.0", "variables.l.1.0", "variables.o.f"} {
		if bad := place(want, path, graphql.Upload{Filename: path}); bad != nil {
			t.Errorf("%s: %v", path, bad)
		}
	}
	v := want.params[0].Variables
	if got := fmt.Sprint(v["a"].(graphql.Upload).Filename, v["l"].([]any)[0].(graphql.Upload).Filename, v["l"].([]any)[1].([]any)[0].(graphql.Upload).Filename,
		v["o"].(map[string]any)["f"].(graphql.Upload).Filename); got != "variables.avariables.l.0variables.l.1.0variables.o.f" {
		t.Error(got)
	}
	for _, path := range []string{"", ".", "variables", "variables.", "variables.a", "variables.l", "variables.l.2", "variables.l.-1", "variables.l.x", "query.a", "variables.o.f.x"} {
		if place(want, path, graphql.Upload{}) == nil {
			t.Errorf("%q is taken", path)
		}
	}
}
