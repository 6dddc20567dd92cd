package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// started serves a handler and tells how to stop it and what came of it.
func started(t *testing.T, drain time.Duration, h http.HandlerFunc, draining func()) (url string, stop func(), ended <-chan error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan error, 1)
	s := Server{Handler: h, Log: slog.New(slog.DiscardHandler), Sockets: NewSockets(), Drain: drain}
	go func() { out <- s.Serve(ctx, l, draining) }()
	return "http://" + l.Addr().String(), cancel, out
}

func TestAStopWaitsForWhatRuns(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	url, stop, ended := started(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-goOn
		if err := r.Context().Err(); err != nil {
			t.Errorf("it was told to give up: %v", err)
		}
		fmt.Fprint(w, "done")
	}, func() { close(goOn) })
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get(url)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		answer <- fmt.Sprint(string(body), err)
	}()
	<-began
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := <-answer; got != "done<nil>" {
		t.Error(got)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("it still takes requests")
	}
}

func TestAStopDoesNotWaitForEver(t *testing.T) {
	began, gaveUp := make(chan struct{}), make(chan struct{})
	url, stop, ended := started(t, 20*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(gaveUp)
		panic(http.ErrAbortHandler) // who returns may answer before the connection is closed
	}, func() {})
	go func() {
		if res, err := http.Get(url); err == nil {
			res.Body.Close()
			t.Error("it was answered")
		}
	}()
	<-began
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-gaveUp
}

func TestAPortThatFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := Server{Handler: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler), Sockets: NewSockets()}
	if err := s.Serve(t.Context(), l, func() {}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// clocked is a response writer that tells which deadlines were set.
type clocked struct {
	http.ResponseWriter
	read, write []time.Time
}

func (c *clocked) SetReadDeadline(t time.Time) error  { c.read = append(c.read, t); return nil }
func (c *clocked) SetWriteDeadline(t time.Time) error { c.write = append(c.write, t); return nil }
func (c *clocked) Unwrap() http.ResponseWriter        { return c.ResponseWriter }

func TestDeadlines(t *testing.T) {
	a := Around{Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(), Sockets: NewSockets()}
	run := func(body io.Reader, h http.HandlerFunc) *clocked {
		w := &clocked{ResponseWriter: httptest.NewRecorder()}
		a.Wrap(h).ServeHTTP(w, httptest.NewRequest("POST", "/", body))
		return w
	}
	w := run(strings.NewReader("abc"), func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, "x")
	})
	if len(w.read) != 1 || w.read[0].IsZero() || len(w.write) != 1 || time.Until(w.write[0]) > stall {
		t.Errorf("a body that was read: %v, %v", w.read, w.write)
	}
	w = run(http.NoBody, func(http.ResponseWriter, *http.Request) {})
	if len(w.read) != 0 || len(w.write) != 1 {
		t.Errorf("no body: %v, %v", w.read, w.write)
	}
	w = run(http.NoBody, func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		x.wrote = time.Now().Add(-stale - time.Second)
		fmt.Fprint(w, "x")
		x.wrote = time.Now().Add(-stale - time.Second)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		x.wrote = time.Now().Add(-stale - time.Second)
		if _, err := io.Copy(w, strings.NewReader(strings.Repeat("x", 2*piece))); err != nil {
			t.Error(err)
		}
		own := time.Now().Add(time.Second)
		if err := http.NewResponseController(w).SetWriteDeadline(own); err != nil {
			t.Error(err)
		}
		x.wrote = time.Now().Add(-stale - time.Second)
		fmt.Fprint(w, "x")
		if last := w.(*exchange).ResponseWriter.(*clocked).write; !last[len(last)-1].Equal(own) {
			t.Error("a handler's own deadline was moved")
		}
	})
	if len(w.write) != 5 {
		t.Errorf("an answer in pieces: %v", w.write)
	}
}
