package graph

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/house"
)

// events is an open event stream.
type events struct {
	testing.TB
	resp *http.Response
	text *bufio.Reader
	stop context.CancelFunc
}

func (w *web) stream(query string, head map[string]string) *events {
	w.Helper()
	ctx, stop := context.WithTimeout(w.Context(), time.Minute)
	w.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for k, v := range head {
		r.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = resp.Body.Close() }) // it is cut off
	return &events{w.TB, resp, bufio.NewReader(resp.Body), stop}
}

// next is the next event's text; comments are left out. At the end of the stream it is how it ended.
func (e *events) next() string {
	e.Helper()
	var b strings.Builder
	for {
		line, err := e.text.ReadString('\n')
		switch {
		case errors.Is(err, io.EOF) && b.Len() == 0:
			return "EOF"
		case err != nil:
			return err.Error()
		case strings.HasPrefix(line, ":"):
			if _, err := e.text.ReadString('\n'); err != nil {
				return err.Error()
			}
			continue
		}
		b.WriteString(line)
		if line == "\n" {
			return b.String()
		}
	}
}

const watchTexts = `subscription { messageReceived { message { text } } }`

func TestEventStream(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{KeepAlive: 5 * time.Millisecond})
	us, them := w.person(1), w.person(1)
	sign := map[string]string{"Authorization": "Bearer " + us.token}
	live := w.stream(watchTexts, sign)
	if live.resp.StatusCode != 200 || live.resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" || live.resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatal(live.resp.Status, live.resp.Header)
	}
	w.send(them, us.numbers[0], "one\nline")
	ids := w.allEvents(us, comms.MessageReceived)
	first := cursorOf(ids[0])
	if got, want := live.next(), "event: next\nid: "+first+"\ndata: {\"data\":{\"messageReceived\":{\"message\":{\"text\":\"one\\nline\"}}}}\n\n"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	live.stop()
	w.send(them, us.numbers[0], "two")
	w.send(them, us.numbers[0], "three")
	// An EventSource comes back with the id of the last event that it saw.
	again := w.stream(watchTexts, map[string]string{"Authorization": "Bearer " + us.token, "Last-Event-ID": first})
	for _, text := range []string{"two", "three"} {
		if got := again.next(); !strings.Contains(got, text) {
			t.Errorf("%q, not %q", got, text)
		}
	}
	const done = "event: complete\ndata: \n\n"
	for _, c := range []struct {
		name, query string
		head        map[string]string
		want        string
	}{
		{"a query", "{ __typename }", nil, `{"data":{"__typename":"Query"}}`},
		{"a mistake", "{ nothing }", nil, `{"errors":[{"message":"Cannot query field \"nothing\" on type \"Query\".","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`},
		{"a stranger", "subscription { events { cursor } }", nil, `{"errors":[{"message":"authentication is required","path":["events"],"locations":[{"line":1,"column":16}],"extensions":{"code":"UNAUTHENTICATED"}}]}`},
		{"no cursor", watchTexts, map[string]string{"Authorization": sign["Authorization"], "Last-Event-ID": "nonsense"}, `{"errors":[{"message":"after is not a cursor of this log","extensions":{"code":"BAD_CURSOR"}}]}`},
	} {
		s := w.stream(c.query, c.head)
		if got := s.next() + s.next() + s.next(); got != "event: next\ndata: "+c.want+"\n\n"+done+"EOF" {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	if s := w.stream("mutation { login(input: {email: \"a\", password: \"b\"}) { token } }", nil); s.resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a mutation by GET: %d", s.resp.StatusCode)
	}
	if s := w.stream(watchTexts, map[string]string{"Authorization": "Bearer x"}); s.resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a bad credential: %d", s.resp.StatusCode)
	}
}

// TestEventStreamEnds: what the client should open again ends without complete; what it can't, with an error and complete.
func TestEventStreamEnds(t *testing.T) {
	drain := make(chan struct{})
	w := newWeb(t, house.SQLite(t), Options{Drain: drain, MaxSockets: 2})
	us := w.person(0)
	revoked := must(w.svc.CreateApiToken(us.ctx, comms.CreateApiToken{Scopes: comms.ReadEvents}))(t)
	short := must(w.svc.CreateApiToken(us.ctx, comms.CreateApiToken{Scopes: comms.ReadEvents, TTL: time.Second}))(t)
	const watch = "subscription { events(kinds: [NUMBER_CREATED]) { cursor } }"
	told := func(why string) string {
		return "event: next\ndata: {\"errors\":[{\"message\":\"" + why + "\",\"extensions\":{\"code\":\"UNAUTHENTICATED\"}}]}\n\n" + "event: complete\ndata: \n\nEOF"
	}
	s := w.stream(watch, map[string]string{"Authorization": "Bearer " + short.Value})
	if got := s.next() + s.next() + s.next(); got != told("the credential has expired") {
		t.Errorf("%q", got)
	}
	s = w.stream(watch, map[string]string{"Authorization": "Bearer " + revoked.Value})
	if _, err := w.svc.RevokeApiToken(us.ctx, revoked.Token.ID); err != nil {
		t.Fatal(err)
	}
	if got := s.next() + s.next() + s.next(); got != told("the credential was revoked") {
		t.Errorf("%q", got)
	}
	sign := map[string]string{"Authorization": "Bearer " + us.token}
	one, two := w.stream(watch, sign), w.stream(watch, sign)
	if three := w.stream(watch, sign); three.resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", three.resp.StatusCode)
	}
	close(drain)
	for _, s := range []*events{one, two} {
		if got := s.next(); got != "EOF" {
			t.Errorf("%q", got)
		}
	}
	if late := w.stream(watch, sign); late.resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a stopping server: %d", late.resp.StatusCode)
	}
}

// TestSlowEventStream: a client that doesn't read is cut off, not completed.
func TestSlowEventStream(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{QueueBytes: 64 << 10, WriteTimeout: 5 * time.Second})
	us, them := w.person(1), w.person(1)
	aliases := ""
	for _, a := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN" {
		aliases += string(a) + ": text "
	}
	s := w.stream("subscription { messageReceived { message { "+aliases+" } } }", map[string]string{"Authorization": "Bearer " + us.token})
	for range 150 {
		w.send(them, us.numbers[0], strings.Repeat("x", 4000))
	}
	for {
		got := s.next()
		if got == "EOF" || strings.HasPrefix(got, "event: complete") {
			t.Fatalf("%q: as if it were all", got)
		}
		if !strings.HasPrefix(got, "event: next\n") {
			return // the connection broke
		}
	}
}
