package opencloud

import (
	"bytes"
	"context"
	"encoding/json"
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

	"github.com/gorilla/websocket"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/internal/httpd"
)

// world is a server of this API alone, behind what stands around every door, over a real Service and a real database.
type world struct {
	*testing.T
	url   string
	svc   *comms.Service
	store *db.Store
	drain chan struct{}
	log   *safeLog

	sockets *httpd.Sockets
	engine  *engine
	speaker speaker
}

// safeLog is a log that several goroutines write.
type safeLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// settings are what a test wants otherwise.
type settings struct {
	Options
	limits   comms.Limits
	throttle comms.Throttle
	proxies  []netip.Prefix
	seen     comms.Store // how the Service sees the store; nil: as it is
	narrow   bool        // the kernel keeps little of what a client doesn't read
}

func newWorld(t *testing.T, store *db.Store, with settings) *world {
	t.Helper()
	w := &world{T: t, store: store, drain: make(chan struct{}), log: &safeLog{}, sockets: httpd.NewSockets()}
	if with.seen == nil {
		with.seen = store
	}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	w.svc, err = comms.New(comms.Options{Store: with.seen, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4,
		Log: log, Limits: with.limits, Throttle: with.throttle})
	if err != nil {
		t.Fatal(err)
	}
	with.Drain, with.Log, with.Calls = w.drain, log, w.callRules()
	mux := http.NewServeMux()
	Mount(mux, w.svc, with.Options)
	around := httpd.Around{Log: log, TrustedProxies: with.proxies, Metrics: httpd.NewMetrics(), Sockets: w.sockets}
	server := httptest.NewUnstartedServer(around.Wrap(mux))
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if with.narrow {
			if err := c.(*net.TCPConn).SetWriteBuffer(4096); err != nil {
				t.Error(err)
			}
		}
		return ctx
	}
	server.Start()
	t.Cleanup(func() {
		server.Close()
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		if err := w.sockets.Wait(ctx); err != nil {
			t.Error("sockets are left open: ", err)
		}
	})
	w.url = server.URL
	return w
}

func onBoth(t *testing.T, fn func(w *world)) { onBothWith(t, settings{}, fn) }

func onBothWith(t *testing.T, with settings, fn func(w *world)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newWorld(t, open(t), with)) })
}

// change writes past the rules: what this API has no call for.
func (w *world) change(fn func(ctx context.Context, tx *ent.Client) error) {
	w.Helper()
	if err := w.store.Change(w.Context(), fn, nil); err != nil {
		w.Fatal(err)
	}
}

// answer is an answer, with its body as it came.
type answer struct {
	*http.Response
	body string
}

// do sends a request. Headers are names and values in turn; a body is JSON unless they say otherwise.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirects
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{res, string(b)}
}

// want is do for an answer that must have a status, decoded into out.
func (w *world) want(status int, out any, method, path, body string, headers ...string) {
	w.Helper()
	got := w.do(method, path, body, headers...)
	if got.StatusCode != status {
		w.Fatalf("%s %s: %d %s, want %d", method, path, got.StatusCode, got.body, status)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(got.body), out); err != nil {
		w.Fatalf("%s %s: %v in %q", method, path, err, got.body)
	}
}

// customer is a registered account.
type customer struct {
	token, key string
	bearer     []string
}

func (w *world) join(email string) *customer {
	w.Helper()
	var c credentials
	w.want(http.StatusCreated, &c, "POST", "/api/auth/register", `{"email":"`+email+`","password":"password123"}`)
	return &customer{c.Token, c.User.APIKey, []string{"Authorization", "Bearer " + c.Token}}
}

func (w *world) captcha() string {
	w.Helper()
	var q questionBody
	w.want(http.StatusOK, &q, "GET", "/api/captcha", "")
	b, err := json.Marshal(map[string]int{"a": q.A, "b": q.B, "answer": q.A + q.B})
	if err != nil {
		w.Fatal(err)
	}
	var token tokenBody
	w.want(http.StatusOK, &token, "POST", "/api/captcha/verify", string(b))
	return token.Token.String()
}

func (w *world) number(u *customer) numberRow {
	w.Helper()
	var n numberRow
	w.want(http.StatusCreated, &n, "POST", "/api/numbers", `{"pin":"1234","captchaToken":"`+w.captcha()+`"}`, u.bearer...)
	return n
}

// dial opens a socket, which must work; headers as of do.
func (w *world) dial(path string, headers ...string) *websocket.Conn {
	w.Helper()
	conn, res, err := w.tryDial(path, headers...)
	if err != nil {
		w.Fatalf("%v: %+v", err, res)
	}
	return conn
}

func (w *world) tryDial(path string, headers ...string) (*websocket.Conn, *http.Response, error) {
	w.Helper()
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	conn, res, err := websocket.DefaultDialer.DialContext(w.Context(), "ws"+strings.TrimPrefix(w.url, "http")+path, h)
	if err == nil {
		w.Cleanup(func() { conn.Close() })
		err = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	}
	return conn, res, err
}

// say sends a frame and is what comes back.
func (w *world) say(conn *websocket.Conn, text string) string {
	w.Helper()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		w.Fatal(err)
	}
	return w.hear(conn)
}

func (w *world) hear(conn *websocket.Conn) string {
	w.Helper()
	_, b, err := conn.ReadMessage()
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}

// wantClose reads until the socket is closed, which must be with the code.
func (w *world) wantClose(conn *websocket.Conn, code int) {
	w.Helper()
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			if !websocket.IsCloseError(err, code) {
				w.Errorf("closed with %v, want %d", err, code)
			}
			return
		}
	}
}
