package opencloud

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/house"
)

// engine carries no call: the test says what the far side does with the newest one.
type engine struct {
	calls   *call.Service
	mu      sync.Mutex
	dialled []*call.Verdict
}

func (e *engine) Dial(_ context.Context, v *call.Verdict) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dialled = append(e.dialled, v)
	return nil
}

func (e *engine) Order(context.Context, uuid.UUID, call.Order) error { return nil }

func (e *engine) placed() []*call.Verdict {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.dialled)
}

// reports is what a real engine says of the newest call: that it rings or is answered, or why it ended.
func (e *engine) reports(t *testing.T, what string) {
	t.Helper()
	all := e.placed()
	id := all[len(all)-1].Call
	var err error
	switch what {
	case "rings":
		err = e.calls.CallRinging(t.Context(), id)
	case "answers":
		err = e.calls.CallAnswered(t.Context(), id)
	default:
		err = e.calls.CallEnded(t.Context(), id, call.End{Why: call.Why(what), By: call.ByCallee})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// speaker speaks every language, or none.
type speaker struct{ silent atomic.Bool }

func (s *speaker) Speaks(string) bool { return !s.silent.Load() }

// callRules are the rules of calls, with a line that takes calls to Taiwan.
func (w *world) callRules() *call.Service {
	w.Helper()
	address := "sip.example.com"
	_, err := w.svc.Provision(w.Context(), comms.Provision{Trunks: []comms.ProvisionTrunk{{Name: "carrier",
		TrunkWish: comms.TrunkWish{Address: &address, Prefixes: []string{"886"}}}}})
	if err != nil {
		w.Fatal(err)
	}
	calls := call.New(w.svc, call.Options{Voice: &w.speaker})
	w.engine = &engine{calls: calls}
	calls.Attach(w.engine)
	return calls
}

func callFrameOf(id string) string {
	return fmt.Sprintf(`{"type":"call","callId":%q,"to":"+886912345678","message":"您好"}`, id)
}

// heard is one frame in a word.
func (w *world) heard(conn *websocket.Conn) string {
	w.Helper()
	var f struct{ Type, CallID, Status, Error string }
	if err := json.Unmarshal([]byte(w.hear(conn)), &f); err != nil {
		w.Fatal(err)
	}
	return strings.TrimSpace(f.Type + " " + f.CallID + " " + f.Status + f.Error)
}

func (w *world) hears(conn *websocket.Conn, want ...string) {
	w.Helper()
	for _, frame := range want {
		if got := w.heard(conn); got != frame {
			w.Fatalf("%q, want %q", got, frame)
		}
	}
}

// The text is spoken to whom it is for, shown as the account's first number.
func TestCallSpeaks(t *testing.T) {
	onBoth(t, func(w *world) {
		u := w.join("user@example.com")
		n := w.number(u)
		conn := w.dial("/ws?token=" + u.token)
		w.say(conn, callFrameOf("c"))
		v := w.engine.placed()[0]
		if !v.Hold || v.Speak.Text != "您好" || v.Second.Number != "+886912345678" || v.Second.ShownAs != n.Number {
			t.Errorf("%+v %+v", v, v.Second)
		}
	})
}

// Every socket of the account is told, in order; nobody else's is.
func TestStatusesReachAllSockets(t *testing.T) {
	onBoth(t, func(w *world) {
		u, stranger := w.join("user@example.com"), w.join("stranger@example.com")
		one, two, theirs := w.dial("/ws?token="+u.token), w.dial("/ws?token="+u.key), w.dial("/ws?token="+stranger.token)
		if err := one.WriteMessage(websocket.TextMessage, []byte(callFrameOf("c"))); err != nil {
			t.Fatal(err)
		}
		w.hears(one, "call_ack c queued", "call_status c dialling")
		w.hears(two, "call_status c dialling")
		w.engine.reports(t, "rings")
		w.hears(one, "call_status c ringing")
		w.hears(two, "call_status c ringing")
		w.engine.reports(t, "no_answer")
		w.hears(one, "call_status c missed")
		w.hears(two, "call_status c missed")
		if err := theirs.WriteMessage(websocket.TextMessage, []byte(callFrameOf("c"))); err != nil { // the same name, another's call
			t.Fatal(err)
		}
		w.hears(theirs, "call_ack c queued", "call_status c dialling")
		if n := len(w.engine.placed()); n != 2 {
			t.Errorf("%d calls went out", n)
		}
		if got := w.say(one, `{"type":"ping"}`); !strings.HasPrefix(got, `{"type":"pong"`) {
			t.Error(got) // the other account's call is not told here
		}
	})
}

// However often and from wherever a callId comes, one call goes out, and each frame is acknowledged before a status of its call.
func TestOneCallForOneCallID(t *testing.T) {
	onBoth(t, func(w *world) {
		u := w.join("user@example.com")
		const sockets, frames = 4, 5
		var all sync.WaitGroup
		for range sockets {
			conn := w.dial("/ws?token=" + u.token)
			all.Go(func() {
				for range frames {
					if err := conn.WriteMessage(websocket.TextMessage, []byte(callFrameOf("c"))); err != nil {
						t.Error(err)
					}
				}
				for acks := 0; acks < frames; {
					_, b, err := conn.ReadMessage()
					if err != nil {
						t.Error(err)
						return
					}
					switch text := string(b); {
					case text == `{"type":"call_ack","callId":"c","status":"queued"}`:
						acks++
					case !strings.HasPrefix(text, `{"type":"call_status","callId":"c","status":"dialling","ts":`):
						t.Error(text)
					}
				}
			})
		}
		all.Wait()
		if n := len(w.engine.placed()); n != 1 {
			t.Errorf("%d calls went out", n)
		}
	})
}

// What comes in is in the history once it has ended: from a blocked caller, and while no telephone is there.
func TestHistoryOfIncomingCalls(t *testing.T) {
	onBoth(t, func(w *world) {
		u := w.join("user@example.com")
		n := w.number(u)
		actor, err := w.svc.Authenticate(t.Context(), comms.Presented{Bearer: u.token})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.svc.BlockNumber(comms.WithActor(t.Context(), actor), comms.BlockNumber{Number: "+886900000001"}); err != nil {
			t.Fatal(err)
		}
		lines, err := w.engine.calls.Trunks(t.Context())
		if err != nil || len(lines) != 1 {
			t.Fatal(lines, err)
		}
		for _, from := range []string{"+886900000001", "+886900000002"} {
			v, err := w.engine.calls.RouteCall(t.Context(), call.RouteCall{Trunk: lines[0].ID, From: from, Dialled: n.Number})
			if err != nil || v.Refuse == nil {
				t.Fatalf("%+v %v", v, err)
			}
			if err := w.engine.calls.CallEnded(t.Context(), v.Call, call.End{Why: v.Refuse.Why, By: call.ByUs}); err != nil {
				t.Fatal(err)
			}
		}
		var h historyBody
		w.want(200, &h, "GET", "/api/history", "", u.bearer...)
		var got []string
		for _, row := range h.History {
			got = append(got, row.Status+" "+row.CallerNum)
			if row.NumberID != n.ID || row.Duration != 0 {
				t.Errorf("%+v", row)
			}
		}
		if !slices.Equal(got, []string{"missed +886900000002", "blocked +886900000001"}) {
			t.Error(got)
		}
	})
}

// Where no voice is configured a call frame gets the documented words for it, and there is no call.
func TestNoVoice(t *testing.T) {
	onBoth(t, func(w *world) {
		w.speaker.silent.Store(true)
		u := w.join("user@example.com")
		conn := w.dial("/ws?token=" + u.token)
		if got := w.say(conn, callFrameOf("c")); got != `{"type":"error","error":"10031 service not available (AI call)"}` {
			t.Error(got)
		}
		w.speaker.silent.Store(false) // the callId is not spent
		if got := w.say(conn, callFrameOf("c")); got != `{"type":"call_ack","callId":"c","status":"queued"}` {
			t.Error(got)
		}
		if n := len(w.engine.placed()); n != 1 {
			t.Errorf("%d calls went out", n)
		}
	})
}

// What a token may not do, its socket can't either; one that may not read records is told no statuses.
func TestCallScopes(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	u := w.join("user@example.com")
	actor, err := w.svc.Authenticate(t.Context(), comms.Presented{Bearer: u.token})
	if err != nil {
		t.Fatal(err)
	}
	token := func(scopes comms.Scope) string {
		made, err := w.svc.CreateApiToken(comms.WithActor(t.Context(), actor), comms.CreateApiToken{Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		return made.Value
	}
	conn := w.dial("/ws?token=" + token(comms.ReadRecords))
	w.say(conn, `{"type":"ping"}`)
	if err := conn.WriteMessage(websocket.TextMessage, []byte(callFrameOf("c"))); err != nil {
		t.Fatal(err)
	}
	w.hears(conn, "error  this token does not have the scope that this needs")
	conn = w.dial("/ws?token=" + token(comms.PlaceCalls))
	if err := conn.WriteMessage(websocket.TextMessage, []byte(callFrameOf("c"))); err != nil {
		t.Fatal(err)
	}
	w.hears(conn, "call_ack c queued")
	w.engine.reports(t, "busy")
	if got := w.say(conn, `{"type":"ping"}`); !strings.HasPrefix(got, `{"type":"pong"`) {
		t.Error(got)
	}
}
