package graph

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"switchboard/internal/house"
)

// peer is a client's end of a socket. Its tests compare what comes as text.
type peer struct {
	testing.TB
	conn *websocket.Conn
}

func (w *web) dial(protocol string, head http.Header) (*peer, *http.Response) {
	w.Helper()
	d := websocket.Dialer{HandshakeTimeout: time.Minute}
	if protocol != "" {
		d.Subprotocols = strings.Split(protocol, " ")
	}
	conn, resp, err := d.DialContext(w.Context(), "ws"+strings.TrimPrefix(w.url, "http")+"/query", head)
	if err != nil {
		if errors.Is(err, websocket.ErrBadHandshake) {
			return nil, resp
		}
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = conn.Close() }) // most are closed by then
	return &peer{w.TB, conn}, resp
}

// accepted is a peer whose connection_init was granted.
func (w *web) accepted(payload string) *peer {
	w.Helper()
	p, _ := w.dial("graphql-transport-ws", nil)
	p.say(`{"type":"connection_init","payload":` + payload + `}`)
	p.hears(`{"type":"connection_ack"}`)
	return p
}

func (p *peer) say(texts ...string) {
	p.Helper()
	for _, text := range texts {
		if err := p.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			p.Fatal(err)
		}
	}
}

func (p *peer) next() string {
	p.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		p.Fatal(err)
	}
	_, b, err := p.conn.ReadMessage()
	if err != nil {
		p.Fatal(err)
	}
	return string(b)
}

func (p *peer) hears(texts ...string) {
	p.Helper()
	for _, text := range texts {
		if got := p.next(); got != text {
			p.Fatalf("it says\n%s, not\n%s", got, text)
		}
	}
}

// closed reads on until the socket is closed, and tells how.
func (p *peer) closed() (int, string) {
	p.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		p.Fatal(err)
	}
	for {
		if _, _, err := p.conn.ReadMessage(); err != nil {
			var c *websocket.CloseError
			if !errors.As(err, &c) {
				p.Fatal(err)
			}
			return c.Code, c.Text
		}
	}
}

func (p *person) init() string { return `{"token":"` + p.token + `"}` }

// started says that a subscription is there: a socket does one thing after the other, up to the answer of a ping.
func (p *peer) started() {
	p.Helper()
	p.say(`{"type":"ping"}`)
	p.hears(`{"type":"pong"}`)
}

func TestSocketTranscript(t *testing.T) {
	w := onWeb(t)
	us, them := w.person(1), w.person(1)
	p, resp := w.dial("graphql-ws graphql-transport-ws", nil)
	if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != "graphql-transport-ws" {
		t.Errorf("of both protocols it takes %q", got)
	}
	p.say(`{"type":"ping","payload":{"n":1}}`)
	p.hears(`{"type":"pong","payload":{"n":1}}`)
	p.say(`{"type":"pong"}`, `{"type":"complete","id":"none"}`, `{"type":"connection_init","payload":`+us.init()+`}`)
	p.hears(`{"type":"connection_ack"}`)
	p.say(`{"id":"q","type":"subscribe","payload":{"query":"{ me { email } }"}}`)
	p.hears(`{"id":"q","type":"next","payload":{"data":{"me":{"email":"p1@example.com"}}}}`, `{"id":"q","type":"complete"}`)
	// The id is free again.
	p.say(`{"id":"q","type":"subscribe","payload":{"query":"query Q($s: Boolean!) { me { email @skip(if: $s) plan } }","operationName":"Q","variables":{"s":true},"extensions":null}}`)
	p.hears(`{"id":"q","type":"next","payload":{"data":{"me":{"plan":"FREE"}}}}`, `{"id":"q","type":"complete"}`)
	p.say(`{"id":"\"ü","type":"subscribe","payload":{"query":"{ nothing }"}}`)
	p.hears(`{"id":"\"ü","type":"error","payload":[{"message":"Cannot query field \"nothing\" on type \"Query\".","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`)
	p.say(`{"id":"q","type":"subscribe","payload":{"extensions":{"persistedQuery":7}}}`)
	p.hears(`{"id":"q","type":"error","payload":[{"message":"extensions.persistedQuery must be an object","extensions":{"code":"BAD_REQUEST"}}]}`)

	p.say(`{"id":"s","type":"subscribe","payload":{"query":"subscription { messageReceived { message { text } } }"}}`)
	p.started()
	w.send(them, us.numbers[0], "ready \"now\"\n✓")
	p.hears(`{"id":"s","type":"next","payload":{"data":{"messageReceived":{"message":{"text":"ready \"now\"\n✓"}}}}}`)
	p.say(`{"id":"s","type":"complete"}`)
	p.started()
	w.send(them, us.numbers[0], "nobody listens")
	p.started()
	p.say(`{"id":"s","type":"subscribe","payload":{"query":"subscription { messageReceived(after: \"nonsense\") { cursor } }"}}`)
	p.hears(`{"id":"s","type":"error","payload":[{"message":"after is not a cursor of this log","path":["messageReceived"],"locations":[{"line":1,"column":16}],"extensions":{"code":"BAD_CURSOR"}}]}`)
	if err := p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if code, _ := p.closed(); code != 1000 {
		t.Errorf("it was closed with %d", code)
	}
}

func TestLegacySocketTranscript(t *testing.T) {
	w := onWeb(t)
	us, them := w.person(1), w.person(1)
	p, _ := w.dial("graphql-ws", nil)
	p.say(`{"type":"connection_init","payload":{"Authorization":"bearer ` + us.token + `"}}`)
	p.hears(`{"type":"connection_ack"}`, `{"type":"ka"}`)
	p.say(`{"id":"1","type":"start","payload":{"query":"subscription { messageReceived { message { text } } }","variables":{}}}`,
		`{"id":"2","type":"start","payload":{"query":"{ me { email } }"}}`)
	p.hears(`{"id":"2","type":"data","payload":{"data":{"me":{"email":"p1@example.com"}}}}`, `{"id":"2","type":"complete"}`)
	w.send(them, us.numbers[0], "old")
	p.hears(`{"id":"1","type":"data","payload":{"data":{"messageReceived":{"message":{"text":"old"}}}}}`)
	p.say(`{"id":"1","type":"stop"}`, `{"id":"3","type":"start","payload":{"query":"{ nothing }"}}`)
	p.hears(`{"id":"3","type":"error","payload":{"message":"Cannot query field \"nothing\" on type \"Query\".","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}}`)
	p.say(`{"type":"connection_terminate"}`)
	if code, _ := p.closed(); code != 1000 {
		t.Errorf("it was closed with %d", code)
	}

	bad, _ := w.dial("graphql-ws", nil)
	bad.say(`{"type":"connection_init","payload":{"authToken":"nonsense"}}`)
	bad.hears(`{"type":"connection_error","payload":{"message":"the credential is not valid","extensions":{"code":"UNAUTHENTICATED"}}}`)
	if code, _ := bad.closed(); code != closeForbidden {
		t.Errorf("it was closed with %d", code)
	}
}

// TestSocketClosed: each way to be told to go. What the clients make of the codes stands in graph/clients.
func TestSocketClosed(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{Limits: Limits{Body: 4 << 10}})
	us := w.person(0)
	init := `{"type":"connection_init","payload":` + us.init() + `}`
	watch := `{"id":"a","type":"subscribe","payload":{"query":"subscription { events { cursor } }"}}`
	for _, c := range []struct {
		name   string
		say    []string
		code   int
		reason string
	}{
		{"no JSON", []string{`nonsense`}, 4400, "Invalid message: it is not JSON"},
		{"a list", []string{`[]`}, 4400, "Invalid message: a message must be a JSON object"},
		{"half a message", []string{`{"type":"ping"`}, 4400, "Invalid message: it is not JSON"},
		{"two messages", []string{`{"type":"ping"}{}`}, 4400, "Invalid message: something stands behind the JSON"},
		{"no type", []string{`{"id":"1"}`}, 4400, "Invalid message: type is missing"},
		{"a number as type", []string{`{"type":1}`}, 4400, "Invalid message: type must be text"},
		{"an unknown type", []string{`{"type":"start"}`}, 4400, "Invalid message: no such type"},
		{"a message of ours", []string{`{"type":"connection_ack"}`}, 4400, "Invalid message: no such type"},
		{"a ping with a text", []string{`{"type":"ping","payload":"x"}`}, 4400, "Invalid message: payload must be an object"},
		{"too deep", []string{`{"type":"ping","payload":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`}, 4400, "Invalid message: it is nested more than 64 deep"},
		{"an init with a list", []string{`{"type":"connection_init","payload":[]}`}, 4400, "Invalid message: payload must be an object"},
		{"no id", []string{init, `{"type":"subscribe","payload":{"query":"{me{id}}"}}`}, 4400, "Invalid message: id is missing"},
		{"no payload", []string{init, `{"id":"1","type":"subscribe"}`}, 4400, "Invalid message: a request must be a JSON object"},
		{"a query that is no text", []string{init, `{"id":"1","type":"subscribe","payload":{"query":1}}`}, 4400, "Invalid message: query must be text"},
		{"no query", []string{init, `{"id":"1","type":"subscribe","payload":{}}`}, 4400, "Invalid message: query is missing"},
		{"variables that are a list", []string{init, `{"id":"1","type":"subscribe","payload":{"query":"{a}","variables":[]}}`}, 4400, "Invalid message: variables must be an object"},
		{"too early", []string{watch}, 4401, "Unauthorized"},
		{"a bad credential", []string{`{"type":"connection_init","payload":{"token":"x"}}`}, 4403, "the credential is not valid"},
		{"twice the same id", []string{init, watch, watch}, 4409, "Subscriber for a already exists"},
		{"init twice", []string{init, init}, 4429, "Too many initialisation requests"},
		{"too large", []string{`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 5<<10) + `"}}`}, 1009, ""},
		{"no UTF-8", []string{"{\"type\":\"\xff\"}"}, 1007, "The message is no UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := w.dial("graphql-transport-ws", nil)
			p.say(c.say...)
			if code, reason := p.closed(); code != c.code || reason != c.reason {
				t.Errorf("%d %q, not %d %q", code, reason, c.code, c.reason)
			}
		})
	}
}

// TestSocketClosedOtherwise: what isn't a matter of messages.
func TestSocketClosedOtherwise(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{})
	t.Run("binary", func(t *testing.T) {
		p, _ := w.dial("graphql-transport-ws", nil)
		if err := p.conn.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"ping"}`)); err != nil {
			t.Fatal(err)
		}
		if code, _ := p.closed(); code != 4400 {
			t.Error(code)
		}
	})
	t.Run("an unknown protocol", func(t *testing.T) {
		p, _ := w.dial("soap", nil)
		if code, _ := p.closed(); code != 4406 {
			t.Error(code)
		}
	})
	t.Run("silence", func(t *testing.T) {
		quick := newWeb(t, house.SQLite(t), Options{InitTimeout: 20 * time.Millisecond})
		p, _ := quick.dial("graphql-transport-ws", nil)
		if code, reason := p.closed(); code != 4408 || reason != "Connection initialisation timeout" {
			t.Error(code, reason)
		}
	})
	t.Run("silence later", func(t *testing.T) {
		quick := newWeb(t, house.SQLite(t), Options{KeepAlive: 20 * time.Millisecond})
		p := quick.accepted("null")
		p.conn.SetPingHandler(func(string) error { return nil }) // a peer that is gone answers nothing
		if _, _, err := p.conn.ReadMessage(); err == nil {
			t.Error("it stays open")
		}
	})
}

func TestSocketCredentials(t *testing.T) {
	w := onWeb(t)
	us := w.person(0)
	key := must(w.svc.ApiKey(us.ctx))(t)
	whoami := `{"id":"1","type":"subscribe","payload":{"query":"{ me { email } }"}}`
	us1 := `{"id":"1","type":"next","payload":{"data":{"me":{"email":"p1@example.com"}}}}`
	for _, payload := range []string{`{"token":"%s"}`, `{"apiKey":"%[2]s"}`, `{"authToken":"%s"}`, `{"accessToken":"%s"}`, `{"authorization":"Bearer %s"}`,
		`{"Authorization":"bearer %s"}`, `{"X-API-Key":"%[2]s"}`, `{"headers":{"Authorization":"Bearer %s"}}`, `{"token":"%[2]s"}`} {
		p := w.accepted(strings.Split(fmt.Sprintf(payload, us.token, key), "%!")[0])
		p.say(whoami)
		p.hears(us1)
	}
	byHead, _ := w.dial("graphql-transport-ws", http.Header{"Authorization": {"Bearer " + us.token}})
	byHead.say(`{"type":"connection_init"}`, whoami)
	byHead.hears(`{"type":"connection_ack"}`, us1)
	nobody := w.accepted("{}")
	nobody.say(whoami)
	nobody.hears(`{"id":"1","type":"next","payload":{"errors":[{"message":"authentication is required","path":["me"],"locations":[{"line":1,"column":3}],"extensions":{"code":"UNAUTHENTICATED"}}],"data":null}}`)
	if _, resp := w.dial("graphql-transport-ws", http.Header{"X-Api-Key": {"nonsense"}}); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a bad credential in a header: %d", resp.StatusCode)
	}
}

func TestSocketOrigin(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{AllowedOrigins: []string{"https://app.example.com"}, PublicURL: "https://www.example.com/switchboard"})
	for origin, status := range map[string]int{
		"https://www.example.com":  101, // a proxy may call us by another name than the page does
		"http://www.example.com":   403,
		"":                         101,
		w.url:                      101,
		"https://app.example.com":  101,
		"https://APP.example.com":  101,
		"https://evil.example.com": 403,
		"http://app.example.com":   403,
		"null":                     403,
		w.url + ".evil.example":    403,
	} {
		head := http.Header{}
		if origin != "" {
			head.Set("Origin", origin)
		}
		if _, resp := w.dial("graphql-transport-ws", head); resp.StatusCode != status {
			t.Errorf("%q: %d, not %d", origin, resp.StatusCode, status)
		}
	}
}
