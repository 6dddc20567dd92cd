package httpd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// links opens "good" and refuses the rest by name.
type links struct {
	data comms.Data
	err  error
}

func (l links) OpenLink(_ context.Context, id string, query url.Values) (*comms.Data, error) {
	if id != "7" || query.Get("signature") != "s" {
		return nil, fmt.Errorf("asked for %s, %v", id, query)
	}
	return &l.data, l.err
}

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

func files(l links) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /files/{id}", Files(l, slog.New(slog.DiscardHandler)))
	return mux
}

func ask(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAFile(t *testing.T) {
	at := clock.From(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	data := func() comms.Data {
		return comms.Data{Reader: closer{bytes.NewReader([]byte("<script>"))}, Size: 8, FileName: "a \"b\"\r\n/% ü.html", At: at, Hash: "abc"}
	}
	w := ask(files(links{data: data()}), "/files/7?signature=s")
	for name, want := range map[string]string{
		"Content-Type":            "application/octet-stream",
		"Content-Disposition":     `attachment; filename="a _b___/_ _.html"; filename*=UTF-8''a%20%22b%22%0D%0A%2F%25%20%C3%BC.html`,
		"Content-Security-Policy": "default-src 'none'; sandbox",
		"Cache-Control":           "private, max-age=60", "Etag": `"abc"`, "Accept-Ranges": "bytes", "Content-Length": "8",
		"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if w.Code != 200 || w.Body.String() != "<script>" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := ask(files(links{data: data()}), "/files/7?signature=s", "Range", "bytes=1-3"); w.Code != 206 || w.Body.String() != "scr" {
		t.Errorf("a part: %d %q", w.Code, w.Body)
	}
	if w := ask(files(links{data: data()}), "/files/7?signature=s", "If-None-Match", `"abc"`); w.Code != 304 {
		t.Errorf("unchanged: %d", w.Code)
	}
	if w := ask(files(links{data: data()}), "/files/7?signature=s", "Range", "bytes=9-"); w.Code != 416 {
		t.Errorf("past the end: %d", w.Code)
	}
	text := comms.Data{Reader: closer{bytes.NewReader([]byte("hi"))}, Size: 2, At: at}
	if w := ask(files(links{data: text}), "/files/7?signature=s"); w.Header().Get("Content-Type") != "text/plain; charset=utf-8" ||
		!strings.HasPrefix(w.Header().Get("Content-Disposition"), `attachment; filename="message.txt"`) {
		t.Errorf("a text: %v", w.Header())
	}
}

func TestEveryRefusalOfAFile(t *testing.T) {
	for _, code := range comms.Codes() {
		status, ok := fileStatus[code]
		w := ask(files(links{err: &comms.Error{Code: code, Text: "why", Err: errors.New("the inside")}}), "/files/7?signature=s")
		if !ok || w.Code != status || !strings.Contains(w.Body.String(), `"title":"why"`) || strings.Contains(w.Body.String(), "inside") {
			t.Errorf("%s: %d %s", code, w.Code, w.Body)
		}
	}
	expired := &comms.Error{Code: comms.NotFound, Reason: comms.ReasonLinkExpired, Text: "the link has expired"}
	if w := ask(files(links{err: expired}), "/files/7?signature=s"); w.Code != 410 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("expired: %d", w.Code)
	}
	if w := ask(files(links{err: errors.New("the inside")}), "/files/7?signature=s"); w.Code != 500 || strings.Contains(w.Body.String(), "inside") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestDocs(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /docs/{path...}", Docs(fstest.MapFS{
		"rooms.md":     {Data: []byte("# Rooms\n\n|a|b|\n|-|-|\n|1|2|\n\n<script>alert(1)</script>\n")},
		"example.yml":  {Data: []byte("a: <b>")},
		"adr/0001.md":  {Data: []byte("# One")},
		"adr/0002.txt": {Data: []byte("x")},
	}))
	for path, want := range map[string]string{
		"/docs/":              `<a href="/docs/rooms.md">rooms.md</a>`,
		"/docs/rooms.md":      "<td>1</td>",
		"/docs/adr/":          `<a href="/docs/adr/0001.md">0001.md</a>`,
		"/docs/adr":           `<a href="/docs/adr/0001.md">0001.md</a>`,
		"/docs/adr/0001.md":   `<h1 id="one">One</h1>`,
		"/docs/example.yml":   "a: <b>",
		"/docs/none.md":       "there is no such page",
		"/docs/%2e%2e/go.mod": "there is no such page",
	} {
		w := ask(mux, path)
		if !strings.Contains(w.Body.String(), want) || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := ask(mux, "/docs/example.yml"); w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Error(w.Header())
	}
}

func TestHealth(t *testing.T) {
	var trouble error
	h := &Health{Version: "v1", Store: func() any { return map[string]int{"QueueLen": 3} }, Ready: func(context.Context) error { return trouble }}
	check := func(handler http.HandlerFunc, status int, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		handler(w, httptest.NewRequest("GET", "/", nil))
		want := `{"status":"` + body + `","version":"v1","store":{"QueueLen":3}}` + "\n"
		if w.Code != status || w.Body.String() != want {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	check(h.Alive, 200, "ok")
	check(h.Usable, 200, "ready")
	trouble = errors.New("the inside")
	check(h.Usable, 503, "store unavailable")
	trouble = nil
	h.Draining()
	check(h.Usable, 503, "draining")
	check(h.Alive, 200, "ok")
}

func TestMetrics(t *testing.T) {
	m := NewMetrics()
	m.Watch(Figure{Name: "things_total", Help: "Things.", Rises: true, Read: func() float64 { return 5 }},
		Figure{Name: "waiting", Help: "Waiting.", Read: func() float64 { return 2 }})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m)
	mux.HandleFunc("GET /x/{id}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /bad", func(http.ResponseWriter, *http.Request) { panic("x") })
	h := Around{Log: slog.New(slog.DiscardHandler), Metrics: m, Sockets: NewSockets()}.Wrap(mux)
	for _, path := range []string{"/x/1", "/x/2", "/none/1", "/none/2", "/bad"} {
		ask(h, path)
	}
	body, err := io.ReadAll(ask(h, "/metrics").Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`switchboard_http_request_seconds_count{route="GET /x/{id}",status="200"} 2`, `switchboard_http_request_seconds_count{route="none",status="404"} 2`,
		`switchboard_http_request_seconds_count{route="GET /bad",status="500"} 1`,
		`switchboard_http_request_seconds_bucket{route="GET /x/{id}",status="200",le="+Inf"} 2`,
		`switchboard_http_request_seconds_bucket{route="GET /x/{id}",status="200",le="10"} 2`,
		"# TYPE switchboard_http_request_seconds histogram",
		"switchboard_panics_total 1", "things_total 5", "# TYPE things_total counter", "# HELP things_total Things.", "waiting 2", "# TYPE waiting gauge",
	} {
		if !strings.Contains(string(body), want+"\n") {
			t.Errorf("/metrics lacks %s:\n%s", want, body)
		}
	}
	if !regexp.MustCompile(`go_goroutines [0-9]+\n`).Match(body) || !regexp.MustCompile(`route="GET /x/{id}",status="200"} [0-9.e-]+\n`).Match(body) {
		t.Errorf("/metrics says\n%s", body)
	}
}
