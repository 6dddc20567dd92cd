package messaging_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/internal/db"
	"switchboard/internal/house"
)

const mebi = 1 << 20

func TestOtherMethods(t *testing.T) {
	w := newWorld(t, house.SQLite(t))
	for _, path := range []string{"/message", "/login"} {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND"} {
			req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(`{"req":"get"}`))
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Header.Get("Allow"); res.StatusCode != http.StatusMethodNotAllowed || got != "POST" {
				t.Errorf("%s %s: %d, Allow %q", method, path, res.StatusCode, got)
			}
			if method == "HEAD" {
				res.Body.Close()
			} else if got := w.read(res); got.Answer != 10002 {
				t.Errorf("%s %s: %+v", method, path, got)
			}
		}
	}
}

func TestBothPathsDispatchOnReq(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		for _, path := range []string{"/message", "/login", "/login?req=get"} {
			w.want(path, w.post(path, fields("req", "login", "appid", "ap", "build", "bu", "name", "na", "locale", "lo", "token", "tokentok",
				"uuid", []any{}), ""), 10000)
			w.want(path, w.post(path, fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", 1), "\x00x"), 10000)
			got := w.post(path, fields("req", "get", "uuid", []any{b.ID}), "\x00") // a zero byte may close any call
			if w.want(path, got, 10000); len(got.Messages) != 1 {
				t.Errorf("%s: %+v", path, got)
			}
			w.want(path, w.post(path, fields("req", "file", "uuid", b.ID, "uri", "1"), "\x00"), 10013)
		}
	})
}

// conversation is a connection on which a test says what it likes.
type conversation struct {
	*world
	*net.TCPConn
	r *bufio.Reader
}

func (w *world) dial() *conversation {
	w.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		w.Fatal(err)
	}
	return &conversation{w, c.(*net.TCPConn), bufio.NewReader(c)}
}

func (c *conversation) say(parts ...string) {
	c.Helper()
	for _, p := range parts {
		if _, err := io.WriteString(c.TCPConn, p); err != nil {
			c.Fatal(err)
		}
	}
}

func (c *conversation) hear() (*http.Response, answer) {
	c.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.Fatal(err)
	}
	if res.StatusCode == http.StatusContinue {
		return res, answer{}
	}
	return res, c.read(res)
}

func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

const post = "POST /message HTTP/1.1\r\nHost: x\r\n"

func TestBodiesOfUnknownLength(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		long := strings.Repeat("long ", 30_000)
		for _, c := range []struct {
			name, data string
			length     int
			want       int
		}{
			{"short", "hello", 5, 10000}, {"empty", "", 0, 10000}, {"long", long, len(long), 10000},
			{"too few", "hell", 5, 10002}, {"too many", "hello!", 5, 10002}, {"too few of many", long, len(long) + 1, 10002},
			{"too many of many", long, len(long) - 1, 10002}, {"more than may be", long, 64*mebi + 1, 10002},
		} {
			head := fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", c.length) + "\x00"
			conn := w.dial()
			conn.say(post+"Transfer-Encoding: chunked\r\n\r\n", chunk(head[:7]), chunk(head[7:]))
			for data := c.data; data != ""; data = data[min(len(data), 9000):] {
				conn.say(chunk(data[:min(len(data), 9000)]))
			}
			conn.say("0\r\n\r\n")
			res, got := conn.hear()
			if got.Answer != c.want || (res.StatusCode == http.StatusRequestEntityTooLarge) != (c.length > 64*mebi) {
				t.Errorf("%s: %d %+v, want %d", c.name, res.StatusCode, got, c.want)
			}
		}
		w.wantStored(3, 1)
	})
}

// A body that ends before its time is answered, if somebody still listens, and nothing of it stays.
func TestBodiesThatEndBeforeTheirTime(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		head := fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", 100_000, "fname", "file") + "\x00"
		for name, start := range map[string]string{
			"in the head":     post + "Content-Length: 100\r\n\r\n" + head[:20],
			"in short data":   post + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(head)+40_000) + head,
			"in the data":     post + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(head)+100_000) + head + "some",
			"between chunks":  post + "Transfer-Encoding: chunked\r\n\r\n" + chunk(head) + chunk("some"),
			"within a chunk":  post + "Transfer-Encoding: chunked\r\n\r\n" + chunk(head) + "ff\r\nsome",
			"in a wrong size": post + "Transfer-Encoding: chunked\r\n\r\n" + chunk(head) + "zz\r\nsome",
		} {
			conn := w.dial()
			conn.say(start)
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			_, got := conn.hear()
			w.want(name, got, 10002)
		}
		w.wantStored(0, 0)
	})
}

func TestABodyThatComesByteByByte(t *testing.T) {
	w := newWorld(t, house.SQLite(t))
	a, b := w.number("Ann"), w.number("")
	body := fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", 5) + "\x00hello"
	conn := w.dial()
	conn.say(post + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)))
	conn.say(strings.Split(body, "")...)
	if _, got := conn.hear(); got.Answer != 10000 {
		t.Errorf("%+v", got)
	}
}

// A client that asks first learns that its data is too much before it sends any of it.
func TestExpectContinue(t *testing.T) {
	w := newWorld(t, house.SQLite(t))
	a, b := w.number("Ann"), w.number("")
	conn := w.dial()
	conn.say(post + "Expect: 100-continue\r\nContent-Length: 68000000\r\n\r\n")
	res, got := conn.hear()
	if res.StatusCode != http.StatusRequestEntityTooLarge || got.Answer != 10002 || !res.Close {
		t.Errorf("%d %+v, close: %v", res.StatusCode, got, res.Close)
	}
	body := fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", 5) + "\x00hello"
	conn = w.dial()
	conn.say(post + fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body)))
	if res, _ := conn.hear(); res.StatusCode != http.StatusContinue {
		t.Fatalf("%d", res.StatusCode)
	}
	conn.say(body)
	if _, got := conn.hear(); got.Answer != 10000 {
		t.Errorf("%+v", got)
	}
}

// A client that was told to go on goes on, though the first bytes were enough to refuse it.
func TestExpectContinueAndThenNot(t *testing.T) {
	w := newWorld(t, house.SQLite(t))
	data := strings.Repeat("x", 16*mebi)
	conn := w.dial()
	conn.say(post + fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", 1+len(data)))
	if res, _ := conn.hear(); res.StatusCode != http.StatusContinue {
		t.Fatalf("%d", res.StatusCode)
	}
	conn.say("?", data)
	if _, got := conn.hear(); got.Answer != 10002 {
		t.Errorf("%+v", got)
	}
}

// stream is so many bytes that take no memory.
type stream struct {
	size int64
	read atomic.Int64 // a client may go on reading after it has its answer
}

func (s *stream) Read(p []byte) (int, error) {
	from := s.read.Load()
	n := min(int64(len(p)), s.size-from)
	if n == 0 {
		return 0, io.EOF
	}
	for done := int64(0); done < n; {
		done += int64(copy(p[done:n], pattern[(from+done)%23:]))
	}
	s.read.Add(n)
	return int(n), nil
}

// pattern has a period that no power of two divides: pieces that change places change the whole.
var pattern = strings.Repeat("abcdefghijklmnopqrstuvw", 2000)

// upload sends a head and so many bytes. size is the Content-Length to tell; -1: none.
func (w *world) upload(head string, data *stream, size int64) (answer, error) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.url+"/message", io.MultiReader(strings.NewReader(head+"\x00"), data))
	if err != nil {
		w.Fatal(err)
	}
	req.ContentLength = size
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	return w.read(res), nil
}

// As much data as may be goes in and out, as a file and as a text, and neither way does the program ever have it in memory.
func TestTheLargestData(t *testing.T) {
	const size = 64 * mebi
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		w := newWorld(t, open(t))
		a, b := w.number("Ann"), w.number("")
		sum := sha256.New()
		if _, err := io.Copy(sum, &stream{size: size}); err != nil {
			t.Fatal(err)
		}
		want := sum.Sum(nil)
		for i, more := range [][]any{{"fname", "large.bin"}, nil} {
			head := fields(append([]any{"req", "send", "uuid", a.ID, "callee", b.Number, "length", size}, more...)...)
			before := allocated()
			told := []int64{int64(len(head)) + 1 + size, -1}[i]
			got, err := w.upload(head, &stream{size: size}, told)
			if err != nil || got.Answer != 10000 {
				t.Fatalf("%v %+v", err, got)
			}
			sum.Reset()
			m := w.get(b)
			if n, err := io.Copy(sum, w.file(b.ID, m[0].URI).Body); err != nil || n != size || string(sum.Sum(nil)) != string(want) {
				t.Errorf("%d bytes came back, %v", n, err)
			}
			if got := allocated() - before; got > 4*mebi {
				t.Errorf("%d bytes were allocated on the way", got)
			}
		}
		w.wantStored(2, 1)
	})
}

// allocated is all that this process has ever allocated: unlike what lies there at some moment it depends on no collector.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestOneByteTooMuch(t *testing.T) {
	const size = 64*mebi + 1
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		head := fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", size, "fname", "large.bin")
		for name, told := range map[string]int64{"told": int64(len(head)) + 1 + size, "not told": -1} {
			data := &stream{size: size}
			got, err := w.upload(head, data, told)
			if err != nil {
				// The server answered and closed while the client was writing: that too is an end, if an early one.
				t.Logf("%s: %v", name, err)
			} else if got.Answer != 10002 || got.status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: %+v", name, got)
			}
			if read := data.read.Load(); read > 32*mebi {
				t.Errorf("%s: %d bytes were taken before the refusal", name, read)
			}
		}
		w.wantStored(0, 0)
	})
}

// Many clients read nothing before they have written everything. They get their refusal too, however early it was known.
func TestRefusalsReachWhoWritesFirst(t *testing.T) {
	w := newWorld(t, house.SQLite(t))
	a, b := w.number("Ann"), w.number("")
	data := strings.Repeat("x", 16*mebi)
	length := func(n int) string {
		return fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", n, "fname", "file") + "\x00" + data
	}
	told := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body }
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"no JSON":              {post + told("?"+data), 200},
		"another length":       {post + told(length(16*mebi-1)), 200},
		"no callee":            {post + told(fields("req", "send", "uuid", a.ID, "length", 16*mebi)+"\x00"+data), 200},
		"another method":       {"PUT" + strings.TrimPrefix(post, "POST") + told(length(16*mebi)), 405},
		"more than may be":     {post + told(length(64*mebi+1)+data+data+data+"x"), 413},
		"more, in one chunk":   {post + "Transfer-Encoding: chunked\r\n\r\n" + chunk(length(64*mebi+1)) + "0\r\n\r\n", 413},
		"no length, and short": {post + "Transfer-Encoding: chunked\r\n\r\n" + chunk(length(9)) + "0\r\n\r\n", 200},
	} {
		conn := w.dial()
		conn.say(c.request)
		res, got := conn.hear()
		if res.StatusCode != c.status || got.Answer != 10002 || res.ContentLength <= 0 {
			t.Errorf("%s: %d %+v, Content-Length %d", name, res.StatusCode, got, res.ContentLength)
		}
	}
	w.wantStored(0, 0)
}

func TestManyReceivers(t *testing.T) {
	w := newWorld(t, house.SQLite(t))
	a, b := w.number("Ann"), w.number("")
	send := func(n int) answer {
		callees := strings.Split(strings.Repeat(b.Number+" ", n-1)+b.Number, " ")
		return w.post("/message", fields("req", "sends", "uuid", a.ID, "callees", callees, "length", 1), "\x00x")
	}
	most := w.svc.Limits().Receivers
	if got := send(most); got.Answer != 10000 || len(got.Msgids) != most {
		t.Errorf("%d ids: %d %s", len(got.Msgids), got.Answer, got.Error)
	}
	w.want("one more", send(most+1), 10002)
	got := w.get(b)
	if len(got) != most {
		t.Errorf("%d messages", len(got))
	}
}

// What is built to hurt is refused like anything else, and the next request finds the server well.
func TestHostileBodies(t *testing.T) {
	w := newWorld(t, house.SQLite(t))
	a := w.number("Ann")
	deep := strings.Repeat("[", mebi)
	for name, body := range map[string]string{
		"nothing":        "",
		"deep":           `{"req":"get","uuid":` + deep,
		"deep and ended": `{"req":"get","x":` + strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000) + `}`,
		"deep and short": `{"req":"get","x":` + strings.Repeat(`{"":`, 17) + "0" + strings.Repeat(`}`, 17) + `}`,
		"endless":        `{"req":"` + strings.Repeat("x", mebi),
		"many fields":    `{` + strings.Repeat(`"a":0,`, 40_000) + `"a":0}`,
		"many elements":  `{"req":"get","uuid":[` + strings.Repeat(`"",`, 80_000) + `""]}`,
		"a long number":  `{"req":"send","length":` + strings.Repeat("9", 200_000) + "}\x00",
		"not UTF-8":      "{\"req\":\"get\",\"uuid\":[\"\xff\"]}",
		"zero bytes":     strings.Repeat("\x00", mebi),
	} {
		w.want(name, w.post("/message", body, ""), 10002)
		w.want("after "+name, w.post("/message", fields("req", "get", "uuid", []any{a.ID}), ""), 10000)
	}
}
