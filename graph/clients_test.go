package graph

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"switchboard/internal/house"
)

// TestClients runs the clients that people use (graph/clients, with Node) against this server.
func TestClients(t *testing.T) {
	installed(t)
	for _, script := range []string{"audit.mjs", "close-codes.mjs", "graphql-ws.mjs", "graphql-sse.mjs", "apollo.mjs", "urql.mjs", "legacy.mjs", "playground.mjs"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, house.SQLite(t))
			us, them := k.person(1), k.person(1)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			run := exec.CommandContext(ctx, "node", script)
			run.Dir = "clients"
			run.Env = append(os.Environ(), "GRAPHQL_URL="+serveAndCut(t, k)+"/query", "TOKEN="+us.token, "OTHER_TOKEN="+them.token,
				"NUMBER="+us.numbers[0].Number, "NUMBER_ID="+us.numbers[0].ID.String(), "OTHER_NUMBER_ID="+them.numbers[0].ID.String(),
				"CHROMIUM="+chromium(t))
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// installed makes node_modules what package-lock.json says.
func installed(t *testing.T) {
	t.Helper()
	want, err := os.ReadFile("clients/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	const mark = "clients/node_modules/.lock" // what was installed
	if got, err := os.ReadFile(mark); err == nil && bytes.Equal(got, want) {
		return
	}
	run := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	run.Dir = "clients"
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("npm ci, for which Node.js 20 or later is needed: %v\n%s", err, out)
	}
	if err := os.WriteFile(mark, want, 0o600); err != nil {
		t.Fatal(err)
	}
}

// chromium is the browser of the machine.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("the playground is tested in a browser: apt-get install chromium")
	return ""
}

// serveAndCut serves a kit on a port of its own. POST /cut breaks all other connections, without a word to anybody.
func serveAndCut(t *testing.T, k *kit) string {
	t.Helper()
	var open struct {
		sync.Mutex
		conns map[string]net.Conn
	}
	open.conns = map[string]net.Conn{}
	mux := http.NewServeMux()
	mux.Handle("/query", NewHandler(k.svc, Options{Introspection: true, InitTimeout: 2 * time.Second, TempDir: filepath.Join(t.TempDir(), "new")}))
	mux.Handle("GET /{$}", Playground("query"))
	mux.HandleFunc("POST /cut", func(_ http.ResponseWriter, r *http.Request) {
		open.Lock()
		defer open.Unlock()
		for from, c := range open.conns {
			if from != r.RemoteAddr {
				if err := c.(*net.TCPConn).SetLinger(0); err == nil {
					_ = c.Close() // one that is closed already is cut already
				}
				delete(open.conns, from)
			}
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, ConnState: func(c net.Conn, s http.ConnState) {
		open.Lock()
		defer open.Unlock()
		if s == http.StateNew {
			open.conns[c.RemoteAddr().String()] = c
		}
	}}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return "http://" + l.Addr().String()
}
