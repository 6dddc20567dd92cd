package messaging

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"switchboard/comms"
)

// client is a connection without a network: what it asks lies there, and the answer is dropped.
type client struct {
	bytes.Reader
	header http.Header
	body   []byte
	length int
}

func (c *client) Header() http.Header { return c.header }
func (c *client) WriteHeader(int)     {}
func (c *client) Close() error        { return nil }
func (c *client) Write(b []byte) (int, error) {
	c.length = len(b)
	return len(b), nil
}

func newClient(body string) (*client, *http.Request) {
	c := &client{header: http.Header{}, body: []byte(body)}
	return c, &http.Request{Method: http.MethodPost, Body: c, ContentLength: int64(len(body))}
}

// transfer is a `send` and its answer, all but the verb between them.
func transfer(x *exchange, c *client, r *http.Request) (m comms.SendMessage, err error) {
	c.Reset(c.body)
	x.reset()
	x.w, x.r = c, r
	if err = x.open(sizeLimit); err != nil {
		return m, err
	}
	if calls[string(x.head.bytes(fieldReq))] == nil {
		return m, io.ErrUnexpectedEOF
	}
	if m, err = x.message([]string{x.head.text(fieldCallee)}, sizeLimit); err != nil {
		return m, err
	}
	x.out = appendSent(x.out, &sentMessage)
	return m, x.send(http.StatusOK)
}

var sentMessage = comms.Message{ID: 1 << 55}

var hotBody = `{"req":"send","uuid":"6ba7b810-9dad-41d1-80b4-00c04fd430c8","callee":"+999000100001","length":100}` + "\x00" + strings.Repeat("x", 100)

// A `send` costs this door what the message keeps: the callee, the list that it stands in, the text. The buffers and the parts that are
// only looked at are used again.
func TestAllocationsOfASend(t *testing.T) {
	x := exchanges.Get().(*exchange) // kept: under the race detector the pool forgets on purpose
	c, r := newClient(hotBody)
	if m, err := transfer(x, c, r); err != nil || m.Text != strings.Repeat("x", 100) || m.To[0] != "+999000100001" || c.length < 40 {
		t.Fatal(m, err, c.length)
	}
	got := testing.AllocsPerRun(200, func() {
		if _, err := transfer(x, c, r); err != nil {
			t.Fatal(err)
		}
	})
	if got > 3 {
		t.Errorf("%v allocations, want 3", got)
	}
}

func BenchmarkTransfer(b *testing.B) {
	x := exchanges.Get().(*exchange)
	c, r := newClient(hotBody)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := transfer(x, c, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	m := &comms.Message{ID: 1 << 55, DataID: 1 << 55, FromNumber: "+999000100001", FromName: "Ann", ToNumber: "+999000100002", Kind: "text",
		Text: strings.Repeat("x", 100), Length: 100}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendMessage(buf[:0], m)
	}
}
