package graph

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/internal/db"
	"switchboard/internal/house"
)

// web is a kit behind the transports, on a port of its own.
type web struct {
	*kit
	url  string
	temp string // where uploads are
}

func newWeb(t testing.TB, store *db.Store, o Options) *web {
	t.Helper()
	k := newKit(t, store)
	o.TempDir = filepath.Join(t.TempDir(), "uploads")
	mux := http.NewServeMux()
	mux.Handle("/query", NewHandler(k.svc, k.rules(o)))
	mux.Handle("GET /{$}", Playground("query"))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &web{kit: k, url: server.URL, temp: o.TempDir}
}

// onWeb runs a test over SQLite, with introspection on as `switchboard` has it.
func onWeb(t testing.TB) *web {
	t.Helper()
	return newWeb(t, house.SQLite(t), Options{Introspection: true})
}

// exchange is one HTTP request and what came back.
type exchange struct {
	method, path, body string
	head               map[string]string // over the defaults
}

type answered struct {
	status int
	head   http.Header
	body   string
}

func (w *web) do(x exchange) answered {
	w.Helper()
	if x.method == "" {
		x.method = http.MethodPost
	}
	if x.path == "" {
		x.path = "/query"
	}
	r, err := http.NewRequestWithContext(w.Context(), x.method, w.url+x.path, strings.NewReader(x.body))
	if err != nil {
		w.Fatal(err)
	}
	if x.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range x.head {
		if v == "" {
			r.Header.Del(k)
		} else {
			r.Header.Set(k, v)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header, string(bytes.TrimSpace(b))}
}
