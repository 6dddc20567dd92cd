package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"switchboard/internal/bench/load"
)

// baselinePath is the real baseline, built once.
var baselinePath string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bench-test-")
	if err == nil {
		baselinePath, err = build(context.Background(), dir, "./internal/bench/baseline", "baseline")
	}
	code := 1
	if err == nil {
		code = m.Run()
		err = os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// startBaseline starts it with data of its own.
func startBaseline(t *testing.T, flags ...string) (*contender, side) {
	t.Helper()
	c := &contender{dir: t.TempDir(), program: program{name: "baseline", path: baselinePath, probe: load.Request{Method: "GET", Path: "/health"},
		args: func(addr, dir string) []string {
			return append([]string{"-addr", addr, "-db", dir + "/b.db"}, flags...)
		}}}
	if err := c.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.down(); err != nil {
			t.Error(err)
		}
	})
	return c, baselineSide{addr: c.proc.addr}
}

// TestWorkloads runs each workload for a moment against the real baseline.
func TestWorkloads(t *testing.T) {
	for _, flags := range [][]string{nil, {"-group"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			c, s := startBaseline(t, flags...)
			if err := prefill(t.Context(), s, sendPlain); err != nil {
				t.Fatal(err)
			}
			for _, w := range []workload{
				rate{act: sendPlain, clients: 4, lasts: 50 * time.Millisecond},
				rate{act: sendLegacy, clients: 1, lasts: 50 * time.Millisecond},
				rate{act: listPlain, clients: 2, lasts: 50 * time.Millisecond},
				latency{act: sendPlain, perSecond: 100, lasts: 100 * time.Millisecond},
				fanout{act: sendPlain, subscribers: 100, events: 2, patience: time.Minute},
			} {
				r, err := w.measure(t.Context(), s, c.proc.pid())
				if err != nil {
					t.Fatalf("%#v: %v", w, err)
				}
				if r.Ops == 0 || r.P50 <= 0 || r.P99 < r.P50 || r.CPU <= 0 || r.Missing != 0 || r.Doubled != 0 {
					t.Errorf("%#v: %+v", w, r)
				}
			}
		})
	}
}

func TestStartedTwiceOnTheSameData(t *testing.T) {
	c, s := startBaseline(t)
	if err := prefill(t.Context(), s, sendPlain); err != nil {
		t.Fatal(err)
	}
	if err := c.down(); err != nil {
		t.Fatal(err)
	}
	if err := c.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := baselineSide{addr: c.proc.addr}.open(t.Context(), listPlain, toMany)
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	if err := list.do(0); err != nil {
		t.Fatal(err)
	}
	if kb, err := memory(c.proc.pid()); err != nil || kb < 1000 {
		t.Errorf("%d KB, %v", kb, err)
	}
}

// faulty delivers to a few subscribers only, and to those twice.
type faulty struct {
	mu      sync.Mutex
	sockets []*websocket.Conn
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ws" {
		up := websocket.Upgrader{}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sockets = append(f.sockets, c)
		if c.WriteMessage(websocket.TextMessage, []byte(`{"ready":true}`)) != nil {
			c.Close()
		}
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.sockets[:2] {
		for range 2 {
			if err := c.WriteMessage(websocket.TextMessage, body); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
	}
	fmt.Fprint(w, `{"id":1}`)
}

// TestMissingAndDoubled shows that a delivery that does not come, or comes twice, does not stay unseen.
func TestMissingAndDoubled(t *testing.T) {
	f := &faulty{}
	srv := httptest.NewServer(f)
	defer srv.Close()
	w := fanout{act: sendPlain, subscribers: 5, events: 2, patience: 200 * time.Millisecond}
	r, err := w.measure(t.Context(), baselineSide{addr: srv.Listener.Addr().String()}, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if r.Ops != 4 || r.Missing != 6 || r.Doubled != 4 {
		t.Errorf("%+v", r)
	}
	b := &bench{}
	b.judge(r)
	b.judge(run{Ops: 4})
	if len(b.faults) != 1 {
		t.Errorf("faults: %v", b.faults)
	}
}

func TestWrongAnswersEndTheRun(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	s := baselineSide{addr: srv.Listener.Addr().String()}
	for _, w := range []workload{rate{act: sendPlain, clients: 2, lasts: time.Second}, latency{act: sendPlain, perSecond: 100, lasts: time.Second},
		fanout{act: sendPlain, subscribers: 3, events: 1, patience: time.Second}, rate{act: sendGraphQL, clients: 1, lasts: time.Second}} {
		if r, err := w.measure(t.Context(), s, os.Getpid()); err == nil {
			t.Errorf("%#v: %+v", w, r)
		}
	}
}

func TestProgramThatDoesNotServe(t *testing.T) {
	p := program{name: "true", path: "/bin/true", args: func(string, string) []string { return nil }, probe: load.Request{Method: "GET", Path: "/"}}
	pr, err := p.start(t.Context(), t.TempDir())
	if err == nil {
		t.Fatalf("started %v", pr.addr)
	}
	if !strings.Contains(err.Error(), "it ended") {
		t.Error(err)
	}
}

func TestTransportFrames(t *testing.T) {
	for text, want := range map[string]frame{
		`{"type":"connection_ack"}`:                      ready,
		`{"type":"pong"}`:                                ready,
		`{"type":"ping"}`:                                asks,
		`{"id":"1","type":"error","payload":[]}`:         refuses,
		`{"id":"1","type":"complete"}`:                   refuses,
		`{"id":"1","type":"next","payload":{"data":{}}}`: noise,
	} {
		if got := transportFrame([]byte(text)); got != want {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestFreeAddressIsFree(t *testing.T) {
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
