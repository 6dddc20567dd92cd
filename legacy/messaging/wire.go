package messaging

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// maxHead bounds the JSON of a request (chosen): a thousand receivers need a tenth of it.
	maxHead = 256 << 10
	// inMemory is the size up to which data is read into the request's own buffer; what is larger streams.
	inMemory = 64 << 10
	// kept is how large a buffer may be and still go back to the pool.
	kept = inMemory + 16<<10
	// firstRead takes in most requests whole, data included.
	firstRead = 4 << 10
	// lingering bounds how long the body of a refused request is read on.
	lingering = 5 * time.Second
)

// exchange is one request and its answer while they pass. It is used again, buffers and all: nothing of it may be kept.
type exchange struct {
	w    http.ResponseWriter
	r    *http.Request
	head head
	in   []byte // what was read of the body
	zero int    // where in it the zero byte is; -1: nowhere
	out  []byte // the answer
	rest tail
	// streamed says that the answer has gone out already, past out.
	streamed bool
}

var exchanges = sync.Pool{New: func() any {
	return &exchange{in: make([]byte, 0, firstRead), out: make([]byte, 0, firstRead)}
}}

func (x *exchange) release() {
	if cap(x.in) > kept || cap(x.out) > kept {
		return
	}
	x.reset()
	exchanges.Put(x)
}

// reset forgets everything but the buffers.
func (x *exchange) reset() { *x = exchange{in: x.in[:0], out: x.out[:0]} }

// open reads the head of the body, and no more data than comes with it.
func (x *exchange) open(limit int64) error {
	if x.r.ContentLength > maxHead+1+limit {
		return tooMuch(limit) // before the first read: a client that waits for "100 Continue" never sends it
	}
	if err := x.seek(); err != nil {
		return err
	}
	end := x.zero
	if end < 0 {
		end = len(x.in)
	}
	return x.head.read(x.in[:end])
}

// seek reads up to the zero byte, or to the end where there is none.
func (x *exchange) seek() error {
	x.zero = -1
	for {
		if len(x.in) == cap(x.in) {
			x.in = append(x.in, 0)[:len(x.in)]
		}
		seen := len(x.in)
		n, err := x.r.Body.Read(x.in[seen:cap(x.in)])
		x.in = x.in[:seen+n]
		if i := bytes.IndexByte(x.in[seen:], 0); i >= 0 {
			x.zero = seen + i
		}
		switch {
		case err != nil && err != io.EOF:
			return cutOff(err)
		case x.zero > maxHead, x.zero < 0 && len(x.in) > maxHead:
			return formatFault("the JSON is longer than " + strconv.Itoa(maxHead) + " bytes")
		case x.zero >= 0, err == io.EOF:
			return nil
		}
	}
}

// noData checks that the body ends with the JSON. A zero byte may close it (chosen): some clients frame every request alike.
func (x *exchange) noData() error {
	if x.zero >= 0 && x.fill(x.zero+1) != nil {
		return formatFault("nothing but a zero byte may follow the JSON of this call")
	}
	return nil
}

// data is what follows the zero byte, once it is sure to have the length that the head says, or while it still may:
// small data is read and checked here, larger is checked by the reader that is returned, which ends in an error when it was too short or
// too long, and so before anything is stored.
func (x *exchange) data(length, limit int64) (body, error) {
	switch {
	case length < 0:
		return body{}, formatFault("length is negative")
	case length > limit:
		return body{}, tooMuch(limit)
	case x.zero < 0:
		// Also when length is 0 (chosen): "JSON, one zero byte, then exactly length bytes".
		return body{}, formatFault("the zero byte between the JSON and the data is missing")
	}
	start := x.zero + 1
	if c := x.r.ContentLength; c >= 0 {
		if c-int64(start) > limit {
			return body{}, tooMuch(limit)
		}
		if c-int64(start) != length {
			return body{}, wrongLength()
		}
	}
	if length > inMemory {
		x.rest = tail{ready: x.in[start:], more: x.r.Body, left: length}
		return body{stream: &x.rest, length: length}, nil
	}
	if err := x.fill(start + int(length)); err != nil {
		return body{}, err
	}
	return body{small: x.in[start:], length: length}, nil
}

// fill reads the rest of the body, which must end at size bytes.
func (x *exchange) fill(size int) error {
	if cap(x.in) <= size {
		x.in = append(make([]byte, 0, size+1), x.in...) // one more than is wanted shows what is too long
	}
	for len(x.in) <= size {
		n, err := x.r.Body.Read(x.in[len(x.in) : size+1])
		x.in = x.in[:len(x.in)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return cutOff(err)
		}
	}
	if len(x.in) != size {
		return wrongLength()
	}
	return nil
}

// body is the data of one request.
type body struct {
	small  []byte // where it is small
	stream *tail  // where it is not
	length int64
}

// tail reads data that is larger than memory is worth. It ends with io.EOF only after exactly the promised bytes.
type tail struct {
	ready []byte // read with the head
	more  io.Reader
	left  int64
	err   error // what the client did wrong
}

func (t *tail) Read(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	if t.left == 0 {
		return 0, t.end()
	}
	if int64(len(p)) > t.left {
		p = p[:t.left]
	}
	n, err := copy(p, t.ready), error(nil)
	if n > 0 {
		t.ready = t.ready[n:]
	} else {
		n, err = t.more.Read(p)
	}
	t.left -= int64(n)
	switch {
	case err == io.EOF && t.left > 0:
		t.err = wrongLength()
	case err != nil && err != io.EOF:
		t.err = cutOff(err)
	}
	return n, t.err
}

// end looks whether the body ends where it said it would.
func (t *tail) end() error {
	n := len(t.ready)
	if n == 0 {
		var one [1]byte
		var err error
		for n == 0 && err == nil {
			n, err = t.more.Read(one[:])
		}
		if n == 0 && err != io.EOF {
			t.err = cutOff(err)
			return t.err
		}
	}
	if n > 0 {
		t.err = wrongLength()
		return t.err
	}
	return io.EOF
}

func wrongLength() error {
	return formatFault("length is not the number of bytes that follow the zero byte")
}

func tooMuch(limit int64) error {
	return &refusal{tooLarge, "at most " + strconv.FormatInt(limit, 10) + " bytes of data"}
}

// cutOff is for a body that ended or failed before its time. Nobody may be left to read the answer; nothing was stored.
func cutOff(err error) error {
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return &refusal{tooLarge, "the body is too long"}
	}
	return &refusal{formatError, "the body could not be read to its end"}
}

// Answers are built by hand, in the order of fields that the document has them in.

var success = []byte(`{"answer":10000`)

// appendText writes s as a JSON string. Nothing is escaped that JSON does not demand.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// appendID writes the id of a message: a string, for an int64 is more than a JavaScript number holds.
func appendID(b []byte, id int64) []byte {
	return append(strconv.AppendInt(append(b, '"'), id, 10), '"')
}

var contentJSON = []string{"application/json"}

// chunked is the size up to which net/http finds the Content-Length by itself, and cheaper.
const chunked = 2 << 10

// send writes the answer that x.out is.
func (x *exchange) send(status int) error {
	h := x.w.Header()
	h["Content-Type"] = contentJSON
	if len(x.out) > chunked {
		h["Content-Length"] = []string{strconv.Itoa(len(x.out))}
	}
	x.w.WriteHeader(status)
	_, err := x.w.Write(x.out)
	return err
}

// refuse makes the answer an error.
func (x *exchange) refuse(r *refusal) {
	x.out = strconv.AppendInt(append(x.out[:0], `{"answer":`...), int64(r.number), 10)
	x.out = append(appendText(append(x.out, `,"error":`...), r.Error()), '}')
	x.w.Header()["Content-Length"] = []string{strconv.Itoa(len(x.out))} // hearOut flushes, and net/http counts no more then
	switch r.answer {
	case wrongMethod:
		x.w.Header().Set("Allow", http.MethodPost) // RFC 9110, section 15.5.6
	case tooLarge:
		x.w.Header().Set("Connection", "close") // what is left of the body is not worth waiting for
	}
}

// hearOut takes in what a refused client still sends, once the refusal is on its way. Many clients read nothing before they have written
// everything, and to bytes that nobody reads the kernel answers with a reset, which can take the refusal with it (RFC 9112,
// section 9.6). A client that waits for "100 Continue" got none, unless something of its body was read, and sends nothing.
func (x *exchange) hearOut() {
	if x.r.ContentLength == 0 || len(x.in) == 0 && x.r.Header.Get("Expect") != "" {
		return
	}
	c, until := http.NewResponseController(x.w), time.Now().Add(lingering)
	if c.Flush() != nil || c.SetReadDeadline(until) != nil {
		return
	}
	for b := x.in[:cap(x.in)]; time.Now().Before(until); {
		if _, err := x.r.Body.Read(b); err != nil {
			return
		}
	}
}
