package messaging

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// taken is what becomes of one body.
type taken struct {
	data string
	err  error
}

// take reads a body as a `send` does. size is its Content-Length; -1: unknown.
func take(body io.Reader, size, limit int64) taken {
	x := exchanges.Get().(*exchange)
	defer x.release()
	x.r = &http.Request{Method: http.MethodPost, Body: io.NopCloser(body), ContentLength: size}
	if err := x.open(limit); err != nil {
		return taken{err: err}
	}
	length := x.head.integer(fieldLength)
	if x.head.err != nil {
		return taken{err: x.head.err}
	}
	b, err := x.data(length, limit)
	if err != nil {
		return taken{err: err}
	}
	if b.stream == nil {
		return taken{data: string(b.small)}
	}
	all, err := io.ReadAll(b.stream)
	return taken{string(all), err}
}

const sizeLimit = 1 << 20

func TestBodies(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 8<<10) // 128 KiB
	text := strings.Repeat("x", inMemory)
	for _, c := range []struct {
		name, body, data string
		want             *answer // nil: data
	}{
		{"a text", "{\"length\":5}\x00hello", "hello", nil},
		{"an empty text", "{\"length\":0}\x00", "", nil},
		{"zero bytes", "{\"length\":3}\x00\x00\x00\x00", "\x00\x00\x00", nil},
		{"as much as is read into memory", head64k + text, text, nil},
		{"one more", "{\"length\":65537}\x00" + text + "y", text + "y", nil},
		{"a long one", "{\"length\":131072}\x00" + big, big, nil},
		{"a long head", `{"length":2,"x":"` + big + "\"}\x00ok", "ok", nil},
		{"no zero byte", `{"length":5}hello`, "", &formatError},
		{"no zero byte and no data", `{"length":0}`, "", &formatError},
		{"too few", "{\"length\":5}\x00hell", "", &formatError},
		{"none", "{\"length\":5}\x00", "", &formatError},
		{"too many", "{\"length\":5}\x00hello!", "", &formatError},
		{"too many for nothing", "{\"length\":0}\x00\x00", "", &formatError},
		{"too few of many", "{\"length\":131072}\x00" + big[1:], "", &formatError},
		{"too many of many", "{\"length\":131072}\x00" + big + "!", "", &formatError},
		{"negative", "{\"length\":-1}\x00", "", &formatError},
		{"a fraction", "{\"length\":1.5}\x00x", "", &formatError},
		{"a head without end", `{"length":2,"x":"` + strings.Repeat("x", maxHead), "", &formatError},
		{"a head that is too long", `{"length":2,"x":"` + strings.Repeat("x", maxHead) + "\"}\x00ok", "", &formatError},
		{"more than may be, it says", "{\"length\":1048577}\x00" + big, "", &tooLarge},
		{"more than a number holds", "{\"length\":99999999999999999999}\x00" + big, "", &tooLarge},
	} {
		for _, chunks := range []string{"whole", "bytes", "with the end"} {
			for _, size := range []int64{int64(len(c.body)), -1} {
				r := map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r },
					"bytes": iotest.OneByteReader, "with the end": iotest.DataErrReader}[chunks](strings.NewReader(c.body))
				name := c.name + ", " + chunks + ", " + strconv.FormatInt(size, 10)
				checkTaken(t, name, take(r, size, sizeLimit), c.data, c.want)
			}
		}
	}
}

var head64k = "{\"length\":65536}\x00"

func checkTaken(t *testing.T, name string, got taken, data string, want *answer) {
	t.Helper()
	if want == nil {
		if got.err != nil || got.data != data {
			t.Errorf("%s: %v and %d bytes, want %d", name, got.err, len(got.data), len(data))
		}
		return
	}
	var r *refusal
	if !errors.As(got.err, &r) || r.answer != *want {
		t.Errorf("%s: %v, want %v", name, got.err, *want)
	}
}

func TestMoreThanMayBeIsRefusedUnread(t *testing.T) {
	for name, size := range map[string]int64{"by its size": sizeLimit + maxHead + 2, "once the head is known": sizeLimit + 20} {
		read := &counter{r: io.MultiReader(strings.NewReader("{\"length\":5}\x00"), zeros{})}
		got := take(read, size, sizeLimit)
		checkTaken(t, name, got, "", &tooLarge)
		if name == "by its size" && read.n > 0 || read.n > firstRead {
			t.Errorf("%s: %d bytes were read", name, read.n)
		}
	}
	read := &counter{r: io.MultiReader(strings.NewReader("{\"length\":70000}\x00"), zeros{})}
	checkTaken(t, "more than the head said", take(read, -1, sizeLimit), "", &formatError)
	if read.n > 80_000 {
		t.Errorf("%d bytes were read of a body that was too long after 70,017", read.n)
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A body that fails on its way is the client's fault, in the head as in the data, and keeps being one however often it is read.
func TestBodiesThatBreakOff(t *testing.T) {
	broken := iotest.ErrReader(io.ErrUnexpectedEOF)
	for name, start := range map[string]string{"head": `{"leng`, "data": "{\"length\":500}\x00hello", "long data": "{\"length\":131072}\x00hello",
		"the end": "{\"length\":131072}\x00" + strings.Repeat("x", 131072)} {
		checkTaken(t, name, take(io.MultiReader(strings.NewReader(start), broken), -1, sizeLimit), "", &formatError)
	}
	x := tail{more: broken, left: 3}
	for range 2 {
		if _, err := x.Read(make([]byte, 8)); err == nil || err == io.EOF {
			t.Errorf("a broken body: %v", err)
		}
	}
	checkTaken(t, "longer than the server takes", take(&failing{err: &http.MaxBytesError{Limit: 3}}, -1, sizeLimit), "", &tooLarge)
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestAnswersAreJSON(t *testing.T) {
	for in, want := range map[string]string{
		"":                        `""`,
		"plain":                   `"plain"`,
		"a\"b\\c":                 `"a\"b\\c"`,
		"\n\r\t\x00\x1f":          `"\n\r\t\u0000\u001f"`,
		"<b>&amp;</b> и 😀 \u2028": "\"<b>&amp;</b> и 😀 \u2028\"",
	} {
		if got := string(appendText(nil, in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// FuzzBody checks that what a body means does not depend on how it comes, and that its data is just what follows its head.
func FuzzBody(f *testing.F) {
	f.Add([]byte("{\"length\":5}\x00hello"), 0)
	f.Add([]byte("{\"length\":5}\x00hello!"), 3)
	f.Add([]byte("{\"length\":0}"), 1)
	f.Fuzz(func(t *testing.T, b []byte, split int) {
		whole := take(bytes.NewReader(b), int64(len(b)), sizeLimit)
		at := max(0, min(split, len(b)))
		parts := take(io.MultiReader(bytes.NewReader(b[:at]), iotest.OneByteReader(bytes.NewReader(b[at:]))), -1, sizeLimit)
		if (whole.err == nil) != (parts.err == nil) || whole.data != parts.data && whole.err == nil {
			t.Fatalf("whole: %.80q %v; in parts: %.80q %v", whole.data, whole.err, parts.data, parts.err)
		}
		if whole.err == nil && !bytes.HasSuffix(b, append([]byte{0}, whole.data...)) {
			t.Fatalf("the data is not the end of the body: %.80q", whole.data)
		}
	})
}
