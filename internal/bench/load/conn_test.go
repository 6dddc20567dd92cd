package load

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReadAnswer(t *testing.T) {
	tests := []struct {
		name, wire string
		status     int
		body       string
		fails      bool
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
		{"names in any case", "HTTP/1.1 200 OK\r\ncontent-LENGTH:5\r\n\r\nhello", 200, "hello", false},
		{"nothing", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
		{"no reason phrase", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, "", false},
		{"an error with a body", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nwait", 429, "wait", false},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", 200, "hello world", false},
		{"hexadecimal chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", 200, "0123456789", false},
		{"body cut off", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 200, "", true},
		{"chunk cut off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 200, "", true},
		{"chunk too long for its size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n", 200, "", true},
		{"chunk size no number", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 200, "", true},
		{"length no number", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", 0, "", true},
		{"no length", "HTTP/1.1 200 OK\r\n\r\nhello", 200, "", true},
		{"not kept", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 0, "", true},
		{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 0, "", true},
		{"status no number", "HTTP/1.1 abc OK\r\n\r\n", 0, "", true},
		{"a field without a colon", "HTTP/1.1 200 OK\r\nContent-Length 5\r\n\r\n", 0, "", true},
		{"head cut off", "HTTP/1.1 200 OK\r\nContent-Le", 0, "", true},
		{"nothing at all", "", 0, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := bufio.NewReaderSize(strings.NewReader(tt.wire+"next"), 64)
			if tt.fails {
				in = bufio.NewReaderSize(strings.NewReader(tt.wire), 64)
			}
			h, err := readHead(in)
			var body []byte
			if err == nil {
				body, err = readBody(in, nil, h)
			}
			if tt.fails {
				if err == nil {
					t.Fatalf("read %d %q without an error", h.status, body)
				}
				return
			}
			if err != nil || h.status != tt.status || string(body) != tt.body {
				t.Fatalf("got %d %q, %v", h.status, body, err)
			}
			rest, err := io.ReadAll(in)
			if err != nil || string(rest) != "next" {
				t.Fatalf("the next answer begins with %q, %v", rest, err)
			}
		})
	}
}

func TestConnKeepsItsConnection(t *testing.T) {
	var peers []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers = append(peers, r.RemoteAddr)
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/flush" { // makes net/http answer in chunks
			w.(http.Flusher).Flush()
		}
		if _, err := io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("X-Word")+" "+string(b)); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	c, err := Dial(t.Context(), srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, tt := range []struct {
		req  Request
		want string
	}{
		{Request{Method: "GET", Path: "/a?b=c", Header: "X-Word: one\r\n"}, "GET /a?b=c one "},
		{Request{Method: "POST", Path: "/", Body: []byte("{}\x00data")}, "POST /  {}\x00data"},
		{Request{Method: "POST", Path: "/"}, "POST /  "},
		{Request{Method: "POST", Path: "/flush", Body: []byte(strings.Repeat("x", 1<<16))}, "POST /flush  " + strings.Repeat("x", 1<<16)},
		{Request{Method: "GET", Path: "/last"}, "GET /last  "},
	} {
		status, body, err := c.Do(tt.req)
		if err != nil || status != 200 || string(body) != tt.want {
			t.Fatalf("%s %s: %d %.100q, %v", tt.req.Method, tt.req.Path, status, body, err)
		}
	}
	srv.Close() // waits for its handlers
	for _, p := range peers {
		if p != peers[0] {
			t.Fatalf("more than one connection: %v", peers)
		}
	}
}

func TestDialSaysWhyNot(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	addr := srv.Listener.Addr().String()
	srv.Close()
	if c, err := Dial(t.Context(), addr); err == nil {
		t.Fatalf("dialled a server that is gone: %v", errors.Join(c.Close()))
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 204\r\n\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		if len(wire) > 1<<12 {
			return
		}
		in := bufio.NewReader(strings.NewReader(string(wire)))
		h, err := readHead(in)
		if err != nil || h.length > 1<<20 {
			return
		}
		body, err := readBody(in, nil, h)
		if err == nil && len(body) > len(wire) {
			t.Fatalf("%d bytes of body from %d bytes", len(body), len(wire))
		}
	})
}
