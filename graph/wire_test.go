package graph

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// tcp is both ends of a connection.
func tcp(t testing.TB) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = server.Close(), client.Close() }) // some tests close them themselves
	return server, client
}

// masked hides that a connection is TCP, as TLS does.
type masked struct{ net.Conn }

// TestFrames: RFC 6455 section 5.2, the three lengths of a length.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		payload []string
		want    string
	}{
		{nil, "\x81\x00"},
		{[]string{"Hel", "lo"}, "\x81\x05Hello"}, // section 5.7
		{[]string{strings.Repeat("x", 125)}, "\x81\x7d" + strings.Repeat("x", 125)},
		{[]string{strings.Repeat("x", 126)}, "\x81\x7e\x00\x7e" + strings.Repeat("x", 126)},
		{[]string{strings.Repeat("x", 0xffff)}, "\x81\x7e\xff\xff" + strings.Repeat("x", 0xffff)},
		{[]string{strings.Repeat("x", 0x10000)}, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("x", 0x10000)},
	} {
		var parts [][]byte
		for _, p := range c.payload {
			parts = append(parts, []byte(p))
		}
		if got := appendFrame(nil, opText, parts...); string(got) != c.want {
			t.Errorf("%.20q, not %.20q", got, c.want)
		}
	}
}

// TestWire: what a slow peer reads in the end is whole frames in order, then the close frame, whatever of them had to wait.
func TestWire(t *testing.T) {
	for name, plain := range map[string]bool{"TCP": true, "TLS": false} {
		t.Run(name, func(t *testing.T) {
			server, client := tcp(t)
			if !plain {
				server = masked{server}
			}
			w := newWire(server, Options{QueueBytes: 1 << 20, WriteTimeout: time.Minute})
			sent := 0
			payload := bytes.Repeat([]byte("0123456789"), 1000)
			for w.send(opText, payload, []byte{byte(sent >> 8), byte(sent)}) {
				sent++
			}
			if !w.isClosing() || w.send(opText, payload) {
				t.Error("it still takes frames")
			}
			go w.hangUp() // as the reader does
			read := bufio.NewReader(client)
			got := 0
			for {
				head := make([]byte, 4)
				if _, err := io.ReadFull(read, head[:2]); err != nil {
					t.Fatalf("after %d frames: %v", got, err)
				}
				if head[0] == 0x80|opClose {
					body := make([]byte, head[1])
					if _, err := io.ReadFull(read, body); err != nil || string(body) != "\x03\xf5you read too slowly" {
						t.Errorf("%q %v", body, err)
					}
					break
				}
				frame := make([]byte, len(payload)+4)
				if _, err := io.ReadFull(read, frame); err != nil || head[1] != 126 || frame[len(frame)-2] != byte(got>>8) || frame[len(frame)-1] != byte(got) {
					t.Fatalf("frame %d is broken: %v", got, err)
				}
				got++
			}
			if got > sent || plain && got == 0 {
				t.Errorf("%d frames of %d", got, sent)
			}
			if _, err := read.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("behind the close frame: %v", err)
			}
		})
	}
}

// timed notes the deadline that was set last.
type timed struct {
	*net.TCPConn
	deadline chan time.Time
}

func (c timed) SetWriteDeadline(t time.Time) error {
	c.deadline <- t
	return c.TCPConn.SetWriteDeadline(t)
}

// TestWireAfterwards: a peer that was slow once is not held to that deadline for ever.
func TestWireAfterwards(t *testing.T) {
	server, client := tcp(t)
	c := timed{server.(*net.TCPConn), make(chan time.Time, 100)}
	w := newWire(c, Options{QueueBytes: 64 << 20, WriteTimeout: time.Minute})
	go func() { _, _ = io.Copy(io.Discard, client) }() // until the test closes it
	w.send(opText, make([]byte, 32<<20))
	if set := <-c.deadline; set.IsZero() {
		t.Error("what waits has no deadline")
	}
	if set := <-c.deadline; !set.IsZero() {
		t.Error("the deadline stays")
	}
	if !w.send(opText, []byte("more")) {
		t.Error("it takes no more")
	}
}

// TestLargeAnswer: a client that is sent more than the queue holds at once is not slow for what comes behind it.
func TestLargeAnswer(t *testing.T) {
	server, client := tcp(t)
	w := newWire(masked{server}, Options{QueueBytes: 64 << 10, WriteTimeout: time.Minute})
	if !w.send(opText, make([]byte, 8<<20)) || !w.send(opText, []byte("an event")) {
		t.Error("it is taken for slow")
	}
	for range 100 {
		w.send(opText, make([]byte, 1<<10))
	}
	if !w.isClosing() {
		t.Error("but it is")
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
}

// TestRoom: a reader of the past waits for a peer, but not for ever.
func TestRoom(t *testing.T) {
	server, client := tcp(t)
	w := newWire(server, Options{QueueBytes: 1 << 20, WriteTimeout: 50 * time.Millisecond})
	payload := make([]byte, 600<<10)
	for range 100 {
		if err := w.room(t.Context()); err != nil {
			if !w.isClosing() {
				t.Error(err)
			}
			if _, err := io.Copy(io.Discard, client); err != nil {
				t.Error(err)
			}
			return
		}
		w.send(opText, payload)
	}
	t.Error("it waits for nothing")
}

// TestDeliveryAllocations: a delivery to one more subscriber costs a system call and no memory.
func TestDeliveryAllocations(t *testing.T) {
	server, client := tcp(t)
	go func() { _, _ = io.Copy(io.Discard, client) }() // until the test closes it
	o := &operation{s: &socket{wire: newWire(server, Options{}.withDefaults()), dialect: transportWS}, id: "1", quoted: []byte(`"1"`)}
	d := &delivery{id: 1, payload: bytes.Repeat([]byte("x"), 300)}
	if n := testing.AllocsPerRun(1000, func() { o.deliver(d) }); n > 0.1 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkDelivery is what the hot path of a fan-out costs, the system call included.
func BenchmarkDelivery(b *testing.B) {
	server, client := tcp(b)
	go func() { _, _ = io.Copy(io.Discard, client) }() // until the benchmark closes it
	o := &operation{s: &socket{wire: newWire(server, Options{QueueBytes: 1 << 30}.withDefaults()), dialect: transportWS}, id: "1", quoted: []byte(`"1"`)}
	d := &delivery{id: 1, payload: bytes.Repeat([]byte("x"), 300)}
	for b.Loop() {
		o.deliver(d)
	}
}
