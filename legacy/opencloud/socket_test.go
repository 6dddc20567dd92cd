package opencloud

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"switchboard/comms"
	"switchboard/internal/house"
)

func (w *world) dashboard(u *customer, headers ...string) dashboardBody {
	w.Helper()
	var d dashboardBody
	w.want(http.StatusOK, &d, "GET", "/api/dashboard", "", append(headers, u.bearer...)...)
	return d
}

func TestSessionsOfSockets(t *testing.T) {
	onBoth(t, func(w *world) {
		u, other := w.join("user@example.com"), w.join("other@example.com")
		conn := w.dial(strings.TrimPrefix(w.dashboard(u).WSURL, "ws"+strings.TrimPrefix(w.url, "http"))) // as documented
		before := w.dashboard(u).Sessions
		if len(before) != 1 || before[0].Active != 1 || before[0].LastSeen < before[0].CreatedAt {
			t.Fatalf("%+v", before)
		}
		// last_seen moves with every frame, also with one that can't be read, and with a ping of the protocol.
		for _, send := range []func() error{
			func() error { return conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)) },
			func() error { return conn.WriteMessage(websocket.TextMessage, []byte(`?`)) },
			func() error { return conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) },
		} {
			last := w.dashboard(u).Sessions[0].LastSeen
			for w.dashboard(u).Sessions[0].LastSeen == last { // a millisecond may have to pass
				if err := send(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if sessions := w.dashboard(other).Sessions; len(sessions) != 0 {
			t.Errorf("a stranger sees %+v", sessions)
		}
		before = w.dashboard(u).Sessions
		for time.Now().UnixMilli() <= before[0].LastSeen { // the close is a frame too
			runtime.Gosched()
		}
		err := conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		w.wantClose(conn, websocket.CloseNormalClosure)
		after := w.dashboard(u).Sessions
		if len(after) != 1 || after[0].Active != 0 || after[0].ID != before[0].ID || after[0].LastSeen <= before[0].LastSeen {
			t.Errorf("%+v, then %+v", before, after)
		}
		for range 22 {
			conn := w.dial("/ws", u.bearer...)
			if err := conn.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			w.wantClose(conn, websocket.CloseNoStatusReceived)
		}
		w.dial("/ws", "X-API-Key", u.key)
		if got := w.dashboard(u).Sessions; len(got) != 21 || got[0].Active != 1 || got[20].Active != 0 {
			t.Errorf("%d sessions, want the open one and 20 closed", len(got))
		}
		if strings.Contains(w.log.String(), u.token) || strings.Contains(w.log.String(), "eyJ") {
			t.Error("the log holds a token")
		}
	})
}

// What was asked before a close is answered before it.
func TestAnswersComeBeforeTheClose(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	u := w.join("user@example.com")
	conn := w.dial("/ws?token=" + u.token)
	for range 20 {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4000, "bye"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got := w.hear(conn); !strings.HasPrefix(got, `{"type":"pong","ts":`) {
			t.Error(got)
		}
	}
	w.wantClose(conn, 4000)
}

func TestFramesThatAreRefused(t *testing.T) {
	onBoth(t, func(w *world) {
		u := w.join("user@example.com")
		for name, c := range map[string]struct {
			kind int
			data string
			code int // 0: an error frame
		}{
			"binary":      {websocket.BinaryMessage, `{"type":"ping"}`, 0},
			"empty":       {websocket.TextMessage, "", 0},
			"deep":        {websocket.TextMessage, `{"type":` + strings.Repeat("[", 50_000), 0},
			"not UTF-8":   {websocket.TextMessage, "{\"type\":\"\xff\"}", websocket.CloseInvalidFramePayloadData},
			"too large":   {websocket.TextMessage, `{"type":"ping"}` + strings.Repeat(" ", maxBody), websocket.CloseMessageTooBig},
			"large":       {websocket.TextMessage, `{"type":"ping","x":"` + strings.Repeat("x", maxBody-100) + `"`, 0},
			"long callId": {websocket.TextMessage, `{"type":"call","to":"+886912345678","message":"x","callId":"` + strings.Repeat("線", 256) + `"}`, 0},
			"long text":   {websocket.TextMessage, `{"type":"call","to":"+886912345678","callId":"x","message":"` + strings.Repeat("x", 4097) + `"}`, 0},
		} {
			conn := w.dial("/ws?token=" + u.token)
			if err := conn.WriteMessage(c.kind, []byte(c.data)); err != nil && c.code == 0 {
				t.Fatal(err)
			}
			if c.code != 0 {
				w.wantClose(conn, c.code)
				continue
			}
			if got := w.hear(conn); !strings.HasPrefix(got, `{"type":"error","error":"`) {
				t.Errorf("%s: %s", name, got)
			}
			if got := w.say(conn, `{"type":"ping"}`); !strings.HasPrefix(got, `{"type":"pong","ts":`) {
				t.Errorf("%s: the socket is of no more use: %s", name, got)
			}
		}
	})
}

// raw opens a socket and gives its connection away, to break the protocol on it.
func (w *world) raw(u *customer) net.Conn {
	w.Helper()
	conn := w.dial("/ws?token=" + u.token).NetConn()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		w.Fatal(err)
	}
	return conn
}

func TestWhatRFC6455Forbids(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	u := w.join("user@example.com")
	for name, frame := range map[string]string{
		"no mask":              "\x81\x02{}",
		"a reserved bit":       "\xc1\x82\x00\x00\x00\x00{}",
		"an unknown opcode":    "\x83\x80\x00\x00\x00\x00",
		"a fragmented ping":    "\x09\x80\x00\x00\x00\x00",
		"a long ping":          "\x89\xfe\x00\x7e\x00\x00\x00\x00",
		"a lone continuation":  "\x80\x80\x00\x00\x00\x00",
		"a reserved code":      "\x88\x82\x00\x00\x00\x00\x03\xed", // 1005
		"a text in a text":     "\x01\x80\x00\x00\x00\x00\x81\x80\x00\x00\x00\x00",
		"an impossible length": "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
	} {
		conn := w.raw(u)
		if _, err := io.WriteString(conn, frame); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(conn)
		if err != nil || len(b) < 4 || b[0] != 0x88 || b[2] != 0x03 || b[3] != 0xea && b[3] != 0xf1 { // close, 1002 or 1009
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
	conn := w.raw(u)
	if _, err := io.WriteString(conn, "\x88\x81\x00\x00\x00\x00\x03"); err != nil { // a close of one byte: gorilla takes it for an empty one
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err != nil || string(b) != "\x88\x00" {
		t.Errorf("%x, %v", b, err)
	}
	if got := w.say(w.dial("/ws?token="+u.token), `{"type":"ping"}`); !strings.HasPrefix(got, `{"type":"pong"`) {
		t.Errorf("the server is of no more use: %s", got)
	}
}

func TestSocketsEndWithTheirToken(t *testing.T) {
	onBothWith(t, settings{limits: comms.Limits{TokenTTL: time.Second}}, func(w *world) {
		u := w.join("user@example.com")
		w.wantClose(w.dial("/ws?token="+u.token), websocket.ClosePolicyViolation)
		if _, res, err := w.tryDial("/ws?token=" + u.token); err == nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("an expired token: %v", err)
		}
	})
}

func TestDraining(t *testing.T) {
	onBoth(t, func(w *world) {
		u := w.join("user@example.com")
		idle, silent := w.dial("/ws?token="+u.token), w.dial("/ws?token="+u.token)
		close(w.drain)
		w.wantClose(idle, websocket.CloseServiceRestart)
		_, res, err := w.tryDial("/ws?token=" + u.token)
		if err == nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("a new socket: %v", err)
		}
		_ = silent // never reads the close frame: the fixture waits until it is cut off
	})
}

func TestSocketsOfOneAccountAreCounted(t *testing.T) {
	onBothWith(t, settings{Options: Options{MaxSockets: 2}}, func(w *world) {
		u, other := w.join("user@example.com"), w.join("other@example.com")
		first := w.dial("/ws?token=" + u.token)
		w.dial("/ws?token=" + u.token)
		if _, res, err := w.tryDial("/ws?token=" + u.token); err == nil || res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
			t.Errorf("a third: %v", err)
		}
		w.dial("/ws?token=" + other.token)
		if err := first.Close(); err != nil { // without a word
			t.Fatal(err)
		}
		for {
			_, res, err := w.tryDial("/ws?token=" + u.token)
			if err == nil {
				break
			}
			if res.StatusCode != http.StatusTooManyRequests {
				t.Fatal(err)
			}
		}
	})
}

// A client may send as much as it likes before it reads: it waits, and every frame is answered.
func TestManyFramesAtOnce(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	conn := w.dial("/ws?token=" + w.join("user@example.com").token)
	const n = 5000
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(conn.NetConn(), strings.Repeat("\x81\x8f\x00\x00\x00\x00"+`{"type":"ping"}`, n))
		sent <- err
	}()
	for i := range n {
		if got := w.hear(conn); !strings.HasPrefix(got, `{"type":"pong","ts":`) {
			t.Fatalf("%d: %s", i, got)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// A client that sends and doesn't read is left, and holds no more than its queue and the kernel's buffers meanwhile.
func TestSlowClient(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{narrow: true})
	conn := w.raw(w.join("user@example.com"))
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	ping := []byte("\x81\x8f\x00\x00\x00\x00" + `{"type":"ping"}`)
	var batch []byte
	for range 1000 {
		batch = append(batch, ping...)
	}
	for {
		if _, err := conn.Write(batch); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Error("the server neither reads on nor closes")
			}
			break
		}
	}
	if got := w.say(w.dial("/ws?token="+w.join("other@example.com").token), `{"type":"ping"}`); !strings.HasPrefix(got, `{"type":"pong"`) {
		t.Errorf("the server is of no more use: %s", got)
	}
}

func TestBrowsersOfAnyOrigin(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	u := w.join("user@example.com")
	conn := w.dial("/ws?token="+u.token, "Origin", "https://elsewhere.example.com")
	if got := w.say(conn, `{"type":"ping"}`); !strings.HasPrefix(got, `{"type":"pong"`) {
		t.Error(got)
	}
}

// A handshake that fails is no connection, and so no session.
func TestFailedHandshakes(t *testing.T) {
	onBoth(t, func(w *world) {
		u := w.join("user@example.com")
		const key = "dGhlIHNhbXBsZSBub25jZQ=="
		for name, c := range map[string]struct {
			version, key string
			status       int
		}{
			"an old version": {"8", key, http.StatusUpgradeRequired}, "no version": {"", key, http.StatusUpgradeRequired},
			"no key": {"13", "", http.StatusBadRequest}, "a short key": {"13", "c2hvcnQ=", http.StatusBadRequest}, "no Base64": {"13", "?", http.StatusBadRequest},
		} {
			got := w.do("GET", "/ws?token="+u.token, "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", c.version, "Sec-WebSocket-Key", c.key)
			if !got.isError(c.status) {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
			// RFC 6455, section 4.2.2; RFC 9110, section 15.5.22
			if c.status == http.StatusUpgradeRequired && (got.Header.Get("Sec-WebSocket-Version") != "13" || got.Header.Get("Upgrade") != "websocket") {
				t.Errorf("%s: %v", name, got.Header)
			}
		}
		if sessions := w.dashboard(u).Sessions; len(sessions) != 0 {
			t.Errorf("%+v", sessions)
		}
	})
}

func TestSocketAddress(t *testing.T) {
	proxied := netip.MustParsePrefix("127.0.0.1/32")
	for name, c := range map[string]struct {
		proxies []netip.Prefix
		public  string
		headers []string
		want    string
	}{
		"as asked":         {nil, "", []string{"Host", "157.245.205.19:3000"}, "ws://157.245.205.19:3000"},
		"a liar":           {nil, "", []string{"Host", "a.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https"}, "ws://a.example"},
		"behind a proxy":   {[]netip.Prefix{proxied}, "", []string{"Host", "inner", "X-Forwarded-Host", "a.example", "X-Forwarded-Proto", "https"}, "wss://a.example"},
		"with a port":      {[]netip.Prefix{proxied}, "", []string{"Host", "inner", "X-Forwarded-Host", "a.example", "X-Forwarded-Port", "8443", "X-Forwarded-Proto", "https"}, "wss://a.example:8443"},
		"two proxies":      {[]netip.Prefix{proxied}, "", []string{"X-Forwarded-Host", "a.example:81, inner", "X-Forwarded-Proto", "http, https"}, "ws://a.example:81"},
		"only TLS":         {[]netip.Prefix{proxied}, "", []string{"Host", "a.example", "X-Forwarded-Proto", "https"}, "wss://a.example"},
		"rubbish":          {[]netip.Prefix{proxied}, "", []string{"Host", "a.example", "X-Forwarded-Host", "x/y?<b>", "X-Forwarded-Port", "x"}, "ws://a.example"},
		"IPv6":             {[]netip.Prefix{proxied}, "", []string{"X-Forwarded-Host", "[2001:db8::1]", "X-Forwarded-Port", "81"}, "ws://[2001:db8::1]:81"},
		"its public name":  {nil, "https://a.example", []string{"Host", "A.example"}, "wss://a.example"},
		"not that name":    {nil, "https://a.example", []string{"Host", "b.example"}, "ws://b.example"},
		"plain public URL": {nil, "http://a.example", []string{"Host", "a.example"}, "ws://a.example"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, house.SQLite(t), settings{Options: Options{PublicURL: c.public}, proxies: c.proxies})
			got := w.dashboard(w.join("user@example.com"), c.headers...).WSURL
			if !strings.HasPrefix(got, c.want+"/ws?token=ey") {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// A client of HTTP/1.0 need not say what it calls this server. The address that it used is then the connection's.
func TestSocketAddressWithoutHost(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	u := w.join("user@example.com")
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /api/dashboard HTTP/1.0\r\nX-API-Key: "+u.key+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if want := `"wsUrl":"ws` + strings.TrimPrefix(w.url, "http") + "/ws?token=ey"; err != nil || !strings.Contains(string(b), want) {
		t.Errorf("%v, %s lacks %s", err, b, want)
	}
}

func FuzzFrame(f *testing.F) {
	for _, seed := range []string{`{"type":"ping"}`, `{"type":"call","callId":"call-123","to":"+886912345678","message":"您好,幫我預約明天門診"}`,
		`{"type":"call","callId":null,"to":{},"message":[]}`, `{"type":"call"}`, `{"type":7}`, `{"type":"ping"}{}`, `{"type":"ping","type":"call"}`, "", "null"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := parseFrame(b)
		if (in == nil) == (err == nil) || in != nil && in.ping == (in.call != nil) {
			t.Fatalf("%+v, %v", in, err)
		}
		if in != nil && in.call != nil && (in.call.callID == "" || in.call.message == "" || !strings.HasPrefix(in.call.to, "+")) {
			t.Errorf("%+v", in.call)
		}
		if in != nil && in.call != nil {
			return // it is for the rules to answer
		}
		out, err := encode(answerTo(err))
		if err != nil || !utf8.Valid(out) || !strings.HasPrefix(string(out), `{"type":"`) {
			t.Errorf("%s, %v", out, err)
		}
		if got := fmt.Sprint(in != nil && in.ping); got != fmt.Sprint(strings.HasPrefix(string(out), `{"type":"pong"`)) {
			t.Errorf("%q is answered by %s", b, out)
		}
	})
}
