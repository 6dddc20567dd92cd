package graph

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The playground is GraphiQL, made by playground/build.mjs and kept compressed.
//
//go:embed playground/page.html playground/assets/*.gz
var playgroundFiles embed.FS

// playgroundPolicy lets the page load and call this server and nothing else. GraphiQL's editor writes style attributes.
const playgroundPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// playground serves one page and what it loads. Its parts stand behind a question mark (`/?playground.js=…`), so that the page takes no
// path but its own from the APIs at this server's root.
type playground struct {
	page   []byte
	assets map[string]asset
}

type asset struct {
	gzipped     []byte
	contentType string
}

// Playground serves GraphiQL for the GraphQL server at endpoint, which is relative to the page: a proxy may serve both below some path.
func Playground(endpoint string) http.Handler {
	p := &playground{assets: map[string]asset{}}
	page, err := playgroundFiles.ReadFile("playground/page.html")
	if err != nil {
		panic(fmt.Errorf("the embedded playground: %w", err))
	}
	// Not html/template: it finds methods by their names, for which the linker then keeps every method of the program
	// (docs/adr/0005-idle-memory.md).
	p.page = []byte(strings.NewReplacer("{{.Endpoint}}", html.EscapeString(endpoint),
		"{{.Script}}", html.EscapeString(p.add("playground.js", "text/javascript; charset=utf-8")),
		"{{.Style}}", html.EscapeString(p.add("playground.css", "text/css; charset=utf-8"))).Replace(string(page)))
	return p
}

// add makes an asset known and returns its address. The address has the content's hash, so that a browser may keep what it got for ever.
func (p *playground) add(name, contentType string) string {
	b, err := playgroundFiles.ReadFile("playground/assets/" + name + ".gz")
	if err != nil {
		panic(fmt.Errorf("the embedded playground: %w", err))
	}
	sum := sha256.Sum256(b)
	key := name + "=" + hex.EncodeToString(sum[:8])
	p.assets[key] = asset{b, contentType}
	return "?" + key
}

func (p *playground) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "the playground is read with GET", http.StatusMethodNotAllowed)
		return
	}
	query, err := url.QueryUnescape(r.URL.RawQuery)
	if a, ok := p.assets[query]; err == nil && ok {
		a.serve(w, r)
		return
	}
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Security-Policy", playgroundPolicy)
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-cache")
	_, _ = w.Write(p.page) // a browser that went away needs no page
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", a.contentType)
	head.Set("Cache-Control", "public, max-age=31536000, immutable")
	head.Set("Vary", "Accept-Encoding")
	if takesGzip(r.Header) {
		head.Set("Content-Encoding", "gzip")
		head.Set("Content-Length", strconv.Itoa(len(a.gzipped)))
		_, _ = w.Write(a.gzipped)
		return
	}
	unzip, err := gzip.NewReader(bytes.NewReader(a.gzipped))
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	_, _ = io.Copy(w, unzip)
}

// takesGzip reads Accept-Encoding (RFC 9110 section 12.5.3) as far as browsers and tools write it.
func takesGzip(head http.Header) bool {
	for item := range strings.SplitSeq(head.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		if name == "gzip" && strings.ReplaceAll(params, " ", "") != "q=0" {
			return true
		}
	}
	return false
}
