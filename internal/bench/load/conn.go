package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// patience bounds how long one connection is used: far longer than a run, so that a server that hangs ends the benchmark.
const patience = 3 * time.Minute

// Request is what is sent. Header holds whole lines, each with its CRLF.
type Request struct {
	Method, Path, Header string
	Body                 []byte
}

// Conn is one keep-alive connection (RFC 9112, section 9.3). It is for one goroutine.
type Conn struct {
	net  net.Conn
	in   *bufio.Reader
	host string
	out  []byte
	body []byte
}

// Dial opens a connection to host:port.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return &Conn{net: c, in: bufio.NewReaderSize(c, 16<<10), host: addr}, nil
}

func dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.net.Close() }

// Do sends a request and reads its whole answer. The body is good until the next Do.
func (c *Conn) Do(r Request) (status int, body []byte, err error) {
	w := c.out[:0]
	w = append(w, r.Method...)
	w = append(w, ' ')
	w = append(w, r.Path...)
	w = append(w, " HTTP/1.1\r\nHost: "...)
	w = append(w, c.host...)
	w = append(w, "\r\n"...)
	w = append(w, r.Header...)
	if r.Method != "GET" {
		w = append(w, "Content-Length: "...)
		w = strconv.AppendInt(w, int64(len(r.Body)), 10)
		w = append(w, "\r\n"...)
	}
	w = append(w, "\r\n"...)
	w = append(w, r.Body...)
	c.out = w
	if _, err := c.net.Write(w); err != nil {
		return 0, nil, fmt.Errorf("write the request: %w", err)
	}
	h, err := readHead(c.in)
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer: %w", err)
	}
	c.body, err = readBody(c.in, c.body[:0], h)
	if err != nil {
		return h.status, nil, fmt.Errorf("read the body of a %d answer: %w", h.status, err)
	}
	return h.status, c.body, nil
}

// head is what the client has to know of an answer's head.
type head struct {
	status  int
	length  int // -1: not said
	chunked bool
}

var errHead = errors.New("not a head of HTTP/1.1")

// readHead reads a status line and the fields after it (RFC 9112, sections 4 and 5).
func readHead(in *bufio.Reader) (head, error) {
	h := head{length: -1}
	line, err := readLine(in)
	if err != nil {
		return h, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return h, fmt.Errorf("%w: %.80q", errHead, line)
	}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return h, fmt.Errorf("%w: %.80q", errHead, line)
	}
	for {
		if line, err = readLine(in); err != nil || len(line) == 0 {
			return h, err
		}
		if err := h.field(line); err != nil {
			return h, err
		}
	}
}

// field takes what matters from one line; most begin with another letter and cost nothing.
func (h *head) field(line []byte) error {
	if first := line[0] | 0x20; first != 'c' && first != 't' {
		return nil
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return fmt.Errorf("%w: %.80q", errHead, line)
	}
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.Atoi(string(value))
		if err != nil || n < 0 {
			return fmt.Errorf("%w: %.80q", errHead, line)
		}
		h.length = n
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		h.chunked = bytes.EqualFold(value, []byte("chunked"))
	case bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(value, []byte("close")):
		return errors.New("the server does not keep the connection")
	}
	return nil
}

func readBody(in *bufio.Reader, dst []byte, h head) ([]byte, error) {
	switch {
	case h.status == 204 || h.status == 304 || h.status < 200:
		return dst, nil
	case h.chunked:
		return readChunks(in, dst)
	case h.length >= 0:
		return readFull(in, dst, h.length)
	default:
		return nil, errors.New("the answer does not say how long it is")
	}
}

// readChunks reads a chunked body (RFC 9112, section 7.1); chunk extensions are passed over, trailers refused.
func readChunks(in *bufio.Reader, dst []byte) ([]byte, error) {
	for {
		line, err := readLine(in)
		if err != nil {
			return nil, err
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("the size of a chunk: %w", err)
		}
		if n > 0 {
			if dst, err = readFull(in, dst, int(n)); err != nil {
				return nil, err
			}
		}
		if line, err = readLine(in); err != nil {
			return nil, err
		}
		if len(line) != 0 {
			return nil, fmt.Errorf("%.80q where a chunk ends", line)
		}
		if n == 0 {
			return dst, nil
		}
	}
}

// readFull appends the next n bytes to dst.
func readFull(in *bufio.Reader, dst []byte, n int) ([]byte, error) {
	at := len(dst)
	if cap(dst) < at+n {
		dst = append(make([]byte, 0, max(at+n, 2*cap(dst))), dst...)
	}
	dst = dst[:at+n]
	_, err := io.ReadFull(in, dst[at:])
	return dst, err
}

// readLine is the next line without its end, good until the next read.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}
