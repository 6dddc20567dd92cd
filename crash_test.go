package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"switchboard/internal/house"
)

const (
	crashes   = 3
	writers   = 8 // half of them through GraphQL, half through the messaging API
	receivers = 4
)

// crash is the story of one data folder whose server is killed under load again and again. What clients know is kept here.
type crash struct {
	*testing.T
	args      []string
	from, to  account
	mu        sync.Mutex
	acked     map[string]string // text to the id that the server answered
	doubtful  map[string]bool   // texts whose sending was cut off
	received  []event           // by the subscriber, in the order in which they came
	sent      atomic.Int64
	sequences [writers]int
}

type account struct {
	ApiKey  string
	Numbers []struct{ Number, ID string }
}

type event struct{ Cursor, ID, Text string }

// Law 4, and what the messaging API promises, across a SIGKILL: nothing that was acknowledged is missing, nothing is there twice, the
// subscription goes on where it was, and what is unread is given out once.
func TestKilledUnderLoad(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { killUnderLoad(t) })
	t.Run("postgres", func(t *testing.T) { killUnderLoad(t, "--database", house.Postgres(t)) })
}

func killUnderLoad(t *testing.T, args ...string) {
	c := &crash{T: t, args: append(args, "--no-throttle", "--data", t.TempDir(), "--log-level", "warn"), acked: map[string]string{}, doubtful: map[string]bool{}}
	c.provision()
	for range crashes {
		c.loadAndKill(start(t, c.args...))
	}
	p := start(t, c.args...)
	c.retry(p)
	there := c.takeAll(p)
	c.compare(there)
	c.catchUp(p, len(there))
	if code := p.stop(os.Interrupt); code != 0 || strings.Contains(p.log.String(), "DATA RACE") {
		t.Errorf("exit code %d\n%s", code, p.log)
	}
	c.compareEvents(there)
	t.Logf("%d messages, %d of them not acknowledged, %d events", len(there), len(there)-len(c.acked), len(c.received))
}

// provision makes an account that sends and one that receives.
func (c *crash) provision() {
	var text strings.Builder
	for i, who := range []string{"from", "to"} {
		fmt.Fprintf(&text, "  - email: %s@example.com\n    password: correct horse\n    numbers:\n", who)
		for j := range max(writers, receivers) {
			fmt.Fprintf(&text, "      - {number: '+49301%d0%04d'}\n", i, j)
		}
	}
	file := filepath.Join(c.TempDir(), "accounts.yml")
	if err := os.WriteFile(file, []byte("accounts:\n"+text.String()), 0o600); err != nil {
		c.Fatal(err)
	}
	out, err := command(c.T, append([]string{"provision", file, "--json"}, c.args...)...).Output()
	var there struct{ Accounts [2]account }
	if err = errors.Join(err, json.Unmarshal(out, &there)); err != nil {
		c.Fatal(err)
	}
	c.from, c.to = there.Accounts[0], there.Accounts[1]
}

// loadAndKill has everybody at work, and kills the server after a number of messages that nobody could foresee.
func (c *crash) loadAndKill(p *process) {
	c.retry(p)
	var all sync.WaitGroup
	all.Go(func() { c.subscribe(p, func() bool { return false }) })
	enough := c.sent.Load() + 50 + rand.Int64N(200)
	dead := make(chan struct{})
	for i := range writers {
		all.Go(func() {
			for c.send(p, i) {
				if c.sent.Load() >= enough {
					select {
					case dead <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	<-dead
	p.kill()
	all.Wait()
	if log := p.log.String(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "level=ERROR") {
		c.Errorf("before it was killed it said\n%s", log)
	}
}

// send sends one message and notes what came of it; false: the server is gone.
func (c *crash) send(p *process, writer int) bool {
	text := fmt.Sprintf("w%d-%d", writer, c.sequences[writer])
	c.sequences[writer]++
	id, err := c.deliver(p, writer, text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.doubtful[text] = true
		return false
	}
	c.acked[text] = id
	c.sent.Add(1)
	return true
}

func (c *crash) deliver(p *process, writer int, text string) (id string, err error) {
	from, to := c.from.Numbers[writer], c.to.Numbers[writer%receivers]
	if viaGraphQL(text) {
		id, _, err = c.sendKeyed(p, from.ID, to.Number, text)
		return id, err
	}
	body := fmt.Sprintf("{\"req\":\"send\",\"uuid\":%q,\"callee\":%q,\"length\":%d}\x00%s", from.ID, to.Number, len(text), text)
	_, answer, err := p.try("POST", "/message", body)
	var out struct {
		Answer int
		MsgID  string
	}
	if err = errors.Join(err, json.Unmarshal([]byte(answer), &out)); err == nil && out.Answer != 10000 {
		c.Errorf("messaging: %s", answer)
	}
	return out.MsgID, err
}

// viaGraphQL tells which writers have idempotency keys.
func viaGraphQL(text string) bool { return (text[1]-'0')%2 == 0 }

func (c *crash) sendKeyed(p *process, from, to, text string) (id string, replayed bool, err error) {
	var out struct {
		Data struct {
			SendMessage struct {
				Message    struct{ ID string }
				Replayed   bool
				UserErrors []struct{ Code, Message string }
			}
		}
	}
	err = p.tryAsk(c.from.ApiKey, fmt.Sprintf(`mutation { sendMessage(input: {from: %q, to: [%q], text: %q, idempotencyKey: %q}) {
		message { id } replayed userErrors { code message } } }`, from, to, text, text), &out)
	sent := out.Data.SendMessage
	if err == nil && len(sent.UserErrors) > 0 {
		c.Errorf("GraphQL: %+v", sent.UserErrors)
	}
	return sent.Message.ID, sent.Replayed, err
}

// retry sends again, with their keys, what was cut off, and some of what was acknowledged.
func (c *crash) retry(p *process) {
	again := 0
	for text, id := range c.acked {
		if !viaGraphQL(text) || again == 20 {
			continue
		}
		again++
		if now, replayed := c.resend(p, text); now != id || !replayed {
			c.Errorf("%s was acknowledged as %s, and its key now gives %s, replayed: %t", text, id, now, replayed)
		}
	}
	for text := range c.doubtful {
		if viaGraphQL(text) {
			c.acked[text], _ = c.resend(p, text)
			delete(c.doubtful, text)
		}
	}
}

func (c *crash) resend(p *process, text string) (id string, replayed bool) {
	writer := int(text[1] - '0')
	id, replayed, err := c.sendKeyed(p, c.from.Numbers[writer].ID, c.to.Numbers[writer%receivers].Number, text)
	if err != nil {
		c.Fatal(err)
	}
	return id, replayed
}

// takeAll has many devices get what is unread, all at once and until there is no more. It gives texts by id.
func (c *crash) takeAll(p *process) map[string]string {
	there := map[string]string{}
	var all sync.WaitGroup
	var uuids []string
	for _, n := range c.to.Numbers {
		uuids = append(uuids, strconv.Quote(n.ID))
	}
	body := `{"req":"get","uuid":[` + strings.Join(uuids, ",") + `]}`
	for range 6 {
		all.Go(func() {
			for {
				_, answer, err := p.try("POST", "/message", body)
				var out struct {
					Answer   int
					Messages []struct{ MsgID, Text string }
				}
				if err = errors.Join(err, json.Unmarshal([]byte(answer), &out)); err != nil || out.Answer != 10000 {
					c.Errorf("get: %v %.200s", err, answer)
					return
				}
				c.mu.Lock()
				for _, m := range out.Messages {
					if there[m.MsgID] != "" {
						c.Errorf("%s was given out twice", m.MsgID)
					}
					there[m.MsgID] = m.Text
				}
				c.mu.Unlock()
				if len(out.Messages) == 0 {
					return
				}
			}
		})
	}
	all.Wait()
	return there
}

func (c *crash) compare(there map[string]string) {
	ids := map[string]string{}
	for id, text := range there {
		if ids[text] != "" {
			c.Errorf("%s is there twice, as %s and %s", text, ids[text], id)
		}
		ids[text] = id
		if c.acked[text] == "" && !c.doubtful[text] {
			c.Errorf("%q is there, and nobody sent it", text)
		}
	}
	for text, id := range c.acked {
		if ids[text] != id {
			c.Errorf("%s was acknowledged as %s and is there as %q", text, id, ids[text])
		}
	}
	if len(there) < crashes*50 {
		c.Errorf("only %d messages were sent", len(there))
	}
}

// subscribe notes what comes after the last event that is known, until the server is gone or it is enough.
func (c *crash) subscribe(p *process, enough func() bool) {
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, _, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(p.url, "http")+"/query", nil)
	if err != nil {
		return // killed before it could begin
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	after := ""
	c.mu.Lock()
	if n := len(c.received); n > 0 {
		after = fmt.Sprintf("(after: %q)", c.received[n-1].Cursor)
	}
	c.mu.Unlock()
	if after == "" {
		after = `(after: "e0")`
	}
	query := `subscription { messageReceived` + after + ` { cursor message { id text } } }`
	for _, frame := range []map[string]any{
		{"type": "connection_init", "payload": map[string]string{"apiKey": c.to.ApiKey}},
		{"type": "subscribe", "id": "1", "payload": map[string]string{"query": query}},
	} {
		if err := conn.WriteJSON(frame); err != nil {
			return
		}
		if frame["type"] == "connection_init" && !c.note(conn) {
			return
		}
	}
	for !enough() && c.note(conn) {
	}
}

// note reads one frame; false: the connection has ended.
func (c *crash) note(conn *websocket.Conn) bool {
	var frame struct {
		Type    string
		Payload json.RawMessage
	}
	if err := conn.ReadJSON(&frame); err != nil {
		return false
	}
	switch frame.Type {
	case "connection_ack", "pong":
	case "ping":
		return conn.WriteJSON(map[string]string{"type": "pong"}) == nil
	case "next":
		var out struct {
			Data struct {
				MessageReceived struct {
					Cursor  string
					Message struct{ ID, Text string }
				}
			}
		}
		if err := json.Unmarshal(frame.Payload, &out); err != nil || out.Data.MessageReceived.Cursor == "" {
			c.Errorf("an event: %v %s", err, frame.Payload)
			return false
		}
		m := out.Data.MessageReceived
		c.mu.Lock()
		c.received = append(c.received, event{m.Cursor, m.Message.ID, m.Message.Text})
		c.mu.Unlock()
	default:
		c.Errorf("the subscription got %s %s", frame.Type, frame.Payload)
		return false
	}
	return true
}

// catchUp lets the subscriber see the rest.
func (c *crash) catchUp(p *process, all int) {
	c.subscribe(p, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.received) >= all
	})
}

func (c *crash) compareEvents(there map[string]string) {
	seen := map[string]bool{}
	for _, e := range c.received {
		if seen[e.ID] {
			c.Errorf("the event of %s came twice", e.Text)
		}
		seen[e.ID] = true
		if there[e.ID] != e.Text {
			c.Errorf("an event tells of %s as %q, and it is there as %q", e.ID, e.Text, there[e.ID])
		}
	}
	if len(seen) != len(there) {
		c.Errorf("%d events of %d messages came", len(seen), len(there))
	}
	place := func(e event) int64 {
		n, err := strconv.ParseInt(strings.TrimPrefix(e.Cursor, "e"), 36, 64)
		if err != nil {
			c.Errorf("the cursor %q: %v", e.Cursor, err)
		}
		return n
	}
	if !slices.IsSortedFunc(c.received, func(a, b event) int { return int(place(a) - place(b)) }) {
		c.Error("the events came out of order")
	}
}
