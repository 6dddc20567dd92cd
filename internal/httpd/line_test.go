package httpd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// clockedLine is a connection that tells which deadlines were set.
type clockedLine struct {
	net.Conn
	mu   sync.Mutex
	read []time.Time
}

func (c *clockedLine) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, t)
	return c.Conn.SetReadDeadline(t)
}

// until is the deadline as it is, and how often one was set.
func (c *clockedLine) until() (time.Time, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read[len(c.read)-1], len(c.read)
}

// oneLine is a listener of one connection.
type oneLine struct {
	net.Listener
	lines chan *clockedLine
}

func (l oneLine) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &clockedLine{Conn: conn}
	l.lines <- c
	return c, nil
}

// What exchange.go leaves to net/http: the deadline of a body is there before it is read, and gone when it was.
func TestDeadlinesOfALine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lines, seen := make(chan *clockedLine, 4), make(chan *clockedLine, 1)
	a := Around{Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(), Sockets: NewSockets()}
	handler := a.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := <-seen
		until, before := c.until()
		if time.Until(until) < stall-stale || time.Until(until) > stall {
			t.Errorf("a body may come until %v", until)
		}
		if _, err := io.ReadFull(r.Body, make([]byte, 3)); err != nil {
			t.Error(err)
		}
		if until, after := c.until(); !until.IsZero() || after != before+1 {
			t.Errorf("what was read may still come until %v, by %d deadlines", until, after-before)
		}
		seen <- c
	}))
	stop, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		s := Server{Handler: handler, Log: slog.New(slog.DiscardHandler), Sockets: a.Sockets, Drain: time.Second}
		ended <- s.Serve(stop, oneLine{l, lines}, func() {})
	}()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	var c *clockedLine
	for range 2 {
		if c != nil {
			seen <- c
		} else {
			go func() { seen <- <-lines }()
		}
		res, err := client.Post("http://"+l.Addr().String(), "text/plain", strings.NewReader("abc"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Error(err)
		}
		res.Body.Close()
		c = <-seen
	}
	client.CloseIdleConnections()
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
