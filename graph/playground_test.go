package graph

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestPlayground: the page and all that it loads come from here. That it works stands in clients/playground.mjs.
func TestPlayground(t *testing.T) {
	w := onWeb(t)
	page := w.do(exchange{method: "GET", path: "/"})
	if page.status != 200 || page.head.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(page.body, `data-endpoint="query"`) {
		t.Fatalf("%+v", page)
	}
	if policy := page.head.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") {
		t.Error(policy)
	}
	if strings.Contains(page.body, "//") {
		t.Errorf("it names another server: %s", page.body)
	}
	links := regexp.MustCompile(`(?:src|href)="(\?[^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(links) != 2 {
		t.Fatal(page.body)
	}
	for _, l := range links {
		small := w.do(exchange{method: "GET", path: "/" + l[1], head: map[string]string{"Accept-Encoding": "br, gzip;q=0.8"}})
		plain := w.do(exchange{method: "GET", path: "/" + l[1], head: map[string]string{"Accept-Encoding": "gzip;q=0"}})
		unzip, err := gzip.NewReader(strings.NewReader(small.body))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(unzip)
		if err != nil || string(bytes.TrimSpace(b)) != plain.body {
			t.Errorf("%s: what is compressed is another text (%v)", l[1], err)
		}
		if small.head.Get("Content-Encoding") != "gzip" || plain.head.Get("Content-Encoding") != "" || small.head.Get("Vary") != "Accept-Encoding" ||
			!strings.Contains(small.head.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v", l[1], small.head)
		}
	}
	if got := w.do(exchange{method: "GET", path: "/?anything=else"}); got.body != page.body {
		t.Error("another question mark is another page")
	}
	// page.js is part of what was built.
	source, err := os.ReadFile("playground/page.js")
	if err != nil {
		t.Fatal(err)
	}
	script := w.do(exchange{method: "GET", path: "/" + links[1][1], head: map[string]string{"Accept-Encoding": "identity"}})
	if !strings.Contains(script.body, strings.TrimSpace(string(source))) {
		t.Error("page.js has changed: npm ci && npm run build in graph/playground")
	}
}
