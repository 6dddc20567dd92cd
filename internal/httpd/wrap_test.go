package httpd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// around serves next behind everything, and gives the log.
func around(t *testing.T, next http.Handler, change func(*Around)) (*httptest.Server, *logLines) {
	lines := &logLines{}
	a := Around{Log: slog.New(WithRequestID(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		Metrics: NewMetrics(), Sockets: NewSockets()}
	if change != nil {
		change(&a)
	}
	mux := http.NewServeMux()
	mux.Handle("/", next)
	server := httptest.NewServer(a.Wrap(mux))
	t.Cleanup(server.Close)
	return server, lines
}

// logLines waits for lines: a request's is written when its client has the answer already.
type logLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestRequestIDs(t *testing.T) {
	server, _ := around(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, RequestID(r.Context()))
	}), nil)
	for _, good := range []string{"a", "0123-AB_c.d", strings.Repeat("x", 64)} {
		res, body := get(t, server.URL, "X-Request-Id", good)
		if body != good || res.Header.Get("X-Request-Id") != good {
			t.Errorf("%q became %q, %q", good, body, res.Header.Get("X-Request-Id"))
		}
	}
	seen := map[string]bool{}
	for _, bad := range []string{"", "a b", "a\tb", "ü", `"`, strings.Repeat("x", 65), "<script>"} {
		res, body := get(t, server.URL, "X-Request-Id", bad)
		if body == bad || seen[body] || !saneID(body) || res.Header.Get("X-Request-Id") != body {
			t.Errorf("%q became %q, %q", bad, body, res.Header.Get("X-Request-Id"))
		}
		seen[body] = true
	}
	if _, body := get(t, server.URL, "X-Request-Id", "a", "X-Request-Id", "b"); !strings.HasPrefix(body, process) {
		t.Errorf("two ids became %q", body)
	}
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	server, _ := around(t, http.NotFoundHandler(), nil)
	res, _ := get(t, server.URL)
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
		if got := res.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestOrigin(t *testing.T) {
	a := Around{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1:5"},
		{"192.0.2.1:5", "198.51.100.7", "192.0.2.1:5"},
		{"10.0.0.1:5", "", "10.0.0.1:5"},
		{"10.0.0.1:5", "198.51.100.7", "198.51.100.7"},
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.7", "198.51.100.7"},
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.7, 10.2.2.2", "198.51.100.7"},
		{"10.0.0.1:5", "10.1.1.1, 10.2.2.2", "10.1.1.1"},
		{"10.0.0.1:5", "198.51.100.7:4711", "198.51.100.7:4711"},
		{"10.0.0.1:5", "198.51.100.7, unknown", "10.0.0.1:5"},
		{"10.0.0.1:5", "198.51.100.7, unknown, 10.2.2.2", "10.2.2.2"},
		{"[fd00::1]:5", "2001:db8::1", "2001:db8::1"},
		{"[::ffff:10.0.0.1]:5", "198.51.100.7", "198.51.100.7"},
		{"@", "198.51.100.7", "@"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-Proto": {"https"}}}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := a.originOf(r); got != c.want {
			t.Errorf("%s for %q is %s, not %s", c.peer, c.forwarded, got, c.want)
		}
		if kept := r.Header.Get("X-Forwarded-Proto") != ""; kept != a.trusted(c.peer) {
			t.Errorf("%s: what a proxy says was kept: %t", c.peer, kept)
		}
	}
}

func TestAPanicIsAnAnswerAndNoMore(t *testing.T) {
	server, log := around(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		panic("the inside")
	}), nil)
	res, body := get(t, server.URL, "X-Request-Id", "mine")
	want := `{"title":"internal error","status":500,"requestId":"mine"}` + "\n"
	if res.StatusCode != 500 || body != want || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res, _ := get(t, server.URL); res.StatusCode != 500 {
		t.Errorf("the next request: %d", res.StatusCode)
	}
	first, _, _ := strings.Cut(log.String(), "\n")
	var entry map[string]any
	if err := json.Unmarshal([]byte(first), &entry); err != nil {
		t.Fatal(err)
	}
	if entry["msg"] != "panic" || entry["panic"] != "the inside" || entry["request"] != "mine" || entry["stack"] == "" {
		t.Errorf("logged %s", first)
	}
}

func TestAHalfAnswerIsNotTakenForAWhole(t *testing.T) {
	for name, p := range map[string]any{"panic": "x", "abort": http.ErrAbortHandler} {
		server, _ := around(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(p)
		}), nil)
		res, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%s: %q came as a whole", name, body)
		}
		res.Body.Close()
	}
}

func TestTheLogKeepsSecrets(t *testing.T) {
	const secret = "5f0c1a52-7c1e-4a0e-9f0e-2d2f6e3a1b11"
	lines := &logLines{}
	a := Around{Log: slog.New(WithRequestID(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug}))), Metrics: NewMetrics(), Sockets: NewSockets()}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /api/numbers/{id}/pin", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(a.Wrap(mux))
	for _, path := range []string{"/api/numbers/" + secret + "/pin", "/api/numbers/" + secret, "/" + secret, "/api?token=" + secret, "/" + secret + "/" + secret} {
		r, err := http.NewRequest(http.MethodPut, server.URL+path, strings.NewReader(secret))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	server.Close() // waits until all is logged
	if log := lines.String(); strings.Count(log, "\n") != 5 || strings.Contains(log, secret) {
		t.Errorf("logged %s", log)
	}
}

func TestASocketIsWaitedForAndThenClosed(t *testing.T) {
	sockets := NewSockets()
	conns := make(chan net.Conn, 2)
	server, _ := around(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		if err := rw.Flush(); err != nil {
			t.Error(err)
		}
		if _, err := w.Write([]byte("x")); err != http.ErrHijacked {
			t.Errorf("writing after that: %v", err)
		}
		conns <- conn
	}), func(a *Around) { a.Sockets = sockets })
	open := func() net.Conn {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "101") {
			t.Fatal(line, err)
		}
		return c
	}
	defer open().Close()
	second := open()
	defer second.Close()
	if n := sockets.Open(); n != 2 {
		t.Fatalf("%d are open", n)
	}
	first := <-conns
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err == nil {
		t.Error("closed twice")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := sockets.Wait(ctx); err == nil || sockets.Open() != 0 {
		t.Errorf("waited for one that stays open: %v, %d left", err, sockets.Open())
	}
	if _, err := (<-conns).Read(make([]byte, 1)); err == nil {
		t.Error("it was not closed")
	}
	if err := sockets.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkAround(b *testing.B) {
	a := Around{Log: slog.New(WithRequestID(slog.NewTextHandler(io.Discard, nil))), Metrics: NewMetrics(), Sockets: NewSockets()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /query", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write([]byte("{}"))
	})
	for name, h := range map[string]http.Handler{"bare": mux, "around": a.Wrap(mux)} {
		b.Run(name, func(b *testing.B) {
			w := &discard{header: http.Header{}}
			payload := []byte(`{"query":"{ me { id } }"}`)
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				r := httptest.NewRequestWithContext(b.Context(), "POST", "/query", bytes.NewReader(payload))
				h.ServeHTTP(w, r)
			}
		})
	}
}

// discard has deadlines as net/http's writer has.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header              { return d.header }
func (d *discard) Write(p []byte) (int, error)      { return len(p), nil }
func (d *discard) WriteHeader(int)                  {}
func (d *discard) SetReadDeadline(time.Time) error  { return nil }
func (d *discard) SetWriteDeadline(time.Time) error { return nil }

func TestTheAddressThatTheClientUsed(t *testing.T) {
	type key struct{}
	tell := func(ctx context.Context, base string) context.Context { return context.WithValue(ctx, key{}, base) }
	h := WithClientURL(tell, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Context().Value(key{}))
	}))
	for want, header := range map[string][]string{
		"<nil>":                   {},
		"https://example.com":     {"X-Forwarded-Proto", "https"},
		"http://example.com":      {"X-Forwarded-Proto", "gopher"},
		"http://a.example:81":     {"X-Forwarded-Host", "a.example:81"},
		"https://a.example":       {"X-Forwarded-Proto", "HTTPS", "X-Forwarded-Host", " a.example "},
		"<nil> <nil>":             {"X-Forwarded-Host", "a/b"},
		"<nil> <nil> <nil>":       {"X-Forwarded-Host", ""},
		"<nil> <nil> <nil> <nil>": {"X-Forwarded-Host", "me@a"},
	} {
		if got := ask(h, "/", header...).Body.String(); got != strings.Fields(want)[0] {
			t.Errorf("%q gives %s", header, got)
		}
	}
}

// Each request pays for what stands around it, so this is held: the exchange, its request and context, the origin, the id and its header.
func TestWhatItAllocates(t *testing.T) {
	a := Around{Log: slog.New(WithRequestID(slog.NewTextHandler(io.Discard, nil))), Metrics: NewMetrics(), Sockets: NewSockets()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {})
	w, r := &discard{header: http.Header{}}, httptest.NewRequest("GET", "/", nil)
	measure := func(h http.Handler) float64 {
		return testing.AllocsPerRun(200, func() { h.ServeHTTP(w, r) })
	}
	if bare, around := measure(mux), measure(a.Wrap(mux)); around-bare > 8 {
		t.Errorf("%.0f allocations more than without", around-bare)
	}
}
