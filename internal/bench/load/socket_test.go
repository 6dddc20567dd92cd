package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestFrameHead(t *testing.T) {
	tests := []struct {
		name  string
		wire  []byte
		op    byte
		end   bool
		n     int
		fails bool
	}{
		{"short text", []byte{0x81, 5}, opText, true, 5, false},
		{"empty text", []byte{0x81, 0}, opText, true, 0, false},
		{"first fragment", []byte{0x01, 3}, opText, false, 3, false},
		{"last fragment", []byte{0x80, 2}, 0, true, 2, false},
		{"16 bits of length", []byte{0x81, 126, 0x01, 0x00}, opText, true, 256, false},
		{"64 bits of length", []byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}, opText, true, 65536, false},
		{"close", []byte{0x88, 2}, opClose, true, 2, false},
		{"too long", []byte{0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0, false, 0, true},
		{"compressed", []byte{0xc1, 5}, 0, false, 0, true},
		{"masked", []byte{0x81, 0x85, 1, 2, 3, 4}, 0, false, 0, true},
		{"binary", []byte{0x82, 5}, 0, false, 0, true},
		{"reserved opcode", []byte{0x8b, 0}, 0, false, 0, true},
		{"cut off", []byte{0x81}, 0, false, 0, true},
		{"length cut off", []byte{0x81, 126, 1}, 0, false, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op, end, n, err := readFrameHead(bufio.NewReader(bytes.NewReader(tt.wire)))
			if tt.fails != (err != nil) {
				t.Fatalf("error %v", err)
			}
			if !tt.fails && (op != tt.op || end != tt.end || n != tt.n) {
				t.Fatalf("got %d %t %d", op, end, n)
			}
		})
	}
}

func TestAppendFrame(t *testing.T) {
	for _, tt := range []struct {
		n    int
		head []byte
	}{
		{0, []byte{0x81, 0x80, 0, 0, 0, 0}},
		{125, []byte{0x81, 0x80 | 125, 0, 0, 0, 0}},
		{126, []byte{0x81, 0x80 | 126, 0, 126, 0, 0, 0, 0}},
		{65535, []byte{0x81, 0x80 | 126, 0xff, 0xff, 0, 0, 0, 0}},
		{65536, []byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}},
	} {
		p := bytes.Repeat([]byte("x"), tt.n)
		if got := appendFrame(nil, opText, p); !bytes.Equal(got, append(tt.head, p...)) {
			t.Errorf("%d bytes: % x", tt.n, got[:min(len(got), 14)])
		}
	}
}

// echo is a WebSocket server that others wrote. It pings before each answer, answers in fragments, and closes on "bye".
func echo(t *testing.T, pongs chan<- string) http.HandlerFunc {
	up := websocket.Upgrader{Subprotocols: []string{"words"}, WriteBufferSize: 256} // long messages leave in fragments
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.SetPongHandler(func(s string) error { pongs <- s; return nil })
		for {
			_, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			err = c.WriteControl(websocket.PingMessage, []byte("still there"), time.Now().Add(time.Second))
			if string(p) == "bye" {
				p = websocket.FormatCloseMessage(4400, "bye")
				err = errors.Join(err, c.WriteMessage(websocket.CloseMessage, p))
			} else {
				err = errors.Join(err, writePieces(c, c.Subprotocol()+" "+string(p)))
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// writePieces writes a message whose length is not known before: one longer than the buffer leaves in fragments.
func writePieces(c *websocket.Conn, text string) error {
	w, err := c.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return errors.Join(err, w.Close())
}

func TestSocket(t *testing.T) {
	pongs := make(chan string, 16)
	srv := httptest.NewServer(echo(t, pongs))
	defer srv.Close()
	s, err := Open(t.Context(), Handshake{Addr: srv.Listener.Addr().String(), Path: "/ws", Protocol: "words"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, text := range []string{"one", "", strings.Repeat("long ", 5000), "two"} {
		if err := s.WriteText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if p, err := s.ReadMessage(); err != nil || string(p) != "words "+text {
			t.Fatalf("%.20q came back as %.30q, %v", text, p, err)
		}
	}
	if err := s.WriteText([]byte("bye")); err != nil {
		t.Fatal(err)
	}
	if p, err := s.ReadMessage(); err == nil || !strings.Contains(err.Error(), "bye") {
		t.Fatalf("after the close: %q, %v", p, err)
	}
	for range 3 {
		if got := <-pongs; got != "still there" {
			t.Fatalf("a pong said %q", got)
		}
	}
}

func TestOpenIsRefused(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	if _, err := Open(t.Context(), Handshake{Addr: srv.Listener.Addr().String(), Path: "/"}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Fatalf("error %v", err)
	}
}

func FuzzReadFrameHead(f *testing.F) {
	f.Add([]byte{0x81, 5})
	f.Add([]byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		if _, _, n, err := readFrameHead(bufio.NewReader(bytes.NewReader(wire))); err == nil && (n < 0 || n > maxMessage) {
			t.Fatalf("a frame of %d bytes", n)
		}
	})
}
