package httpd

import (
	"bytes"
	"errors"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
)

// Docs answers GET /docs/{path...} from a folder of Markdown and YAML files. A folder shows the list of what is in it. Pages are rendered
// when they are asked for: few are, and none need memory before.
func Docs(files fs.FS) http.Handler {
	render := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Clean("/" + r.PathValue("path"))[1:]
		content, err := readPage(files, name)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
				Problem(w, http.StatusInternalServerError, "internal error")
				return
			}
			Problem(w, http.StatusNotFound, "there is no such page")
			return
		}
		if strings.HasSuffix(name, ".yml") {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = w.Write(content) // a client that went away
			return
		}
		page := bytes.NewBufferString(strings.Replace(docHead, "TITLE", html.EscapeString(name), 1))
		if err := render.Convert(content, page); err != nil {
			Problem(w, http.StatusInternalServerError, "internal error")
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write(page.Bytes()) // a client that went away
	})
}

// readPage is the page's Markdown, that of a folder made of its list.
func readPage(files fs.FS, name string) ([]byte, error) {
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(files, name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return fs.ReadFile(files, name)
	}
	entries, err := fs.ReadDir(files, name)
	if err != nil {
		return nil, err
	}
	list := bytes.NewBufferString("# Documentation\n\n")
	for _, e := range entries {
		link := e.Name()
		if e.IsDir() {
			link += "/"
		}
		list.WriteString("- [" + link + "](/docs/" + path.Join(name, e.Name()) + ")\n")
	}
	return list.Bytes(), nil
}

// No html/template: it looks methods up by name, for which the linker then keeps every method of the program.
const docHead = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>switchboard: TITLE</title>
<style>
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #222; background: #fff }
pre, code { font: .9em ui-monospace, monospace; background: #f4f4f4 } pre { padding: .8rem; overflow: auto }
table { border-collapse: collapse } td, th { border: 1px solid #ccc; padding: .3rem .6rem; text-align: left; vertical-align: top }
</style></head>
<body><nav><a href="/docs/">Documentation</a> · <a href="/">Playground</a></nav>
`
