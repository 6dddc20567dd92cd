package opencloud

import (
	"slices"
	"sync"

	"github.com/gorilla/websocket"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// statusFrame tells that a call moved. Every socket of the account gets it, not only the one that placed the call.
type statusFrame struct {
	Type   string `json:"type"`
	CallID string `json:"callId"`
	Status string `json:"status"`
	TS     int64  `json:"ts"`
}

// callNews are the frames that wait to be told on one socket.
type callNews struct {
	mu      sync.Mutex
	held    int // call frames that are being answered: a call's status must not overtake its call_ack
	waiting []statusFrame
	over    bool // more waited than a client may leave unread
	// told is how far calls had come whose status was repeated here: the log may still be about to tell of earlier steps.
	told map[string]int
}

// steps are the words in the order of a call's life; all others are its end.
var steps = map[string]int{"dialling": 1, "ringing": 2, "answered": 3}

func stepOf(status string) int {
	if n, ok := steps[status]; ok {
		return n
	}
	return len(steps) + 1
}

// mostStatuses bounds what waits for a client that does not read.
const mostStatuses = 1000

// watchCalls has the account's log tell this socket of its calls. A token that may not read records gets no statuses (chosen): its socket
// works otherwise.
func (l *live) watchCalls() error {
	w, err := l.door.svc.OpenWatch(l.ctx, comms.Watch{Kinds: comms.CallKinds()})
	if comms.IsCode(err, comms.Forbidden) {
		return nil
	}
	if err != nil {
		return err
	}
	l.calls = w
	w.Start(l.moved)
	return nil
}

func (l *live) unwatchCalls() {
	if l.calls != nil {
		l.calls.Close()
	}
}

// moved takes events from the log, which waits for nobody. Only calls that the client has a name for can be told of.
func (l *live) moved(events []*comms.Event) {
	var frames []statusFrame
	for _, e := range events {
		if e.Call.ClientKey == nil || e.Kind == comms.CallTransferred {
			continue
		}
		if status, _ := statusOf(e.Call); status != "" {
			frames = append(frames, statusFrame{"call_status", *e.Call.ClientKey, status, e.At.Milli()})
		}
	}
	if len(frames) == 0 {
		return
	}
	l.status.mu.Lock()
	for _, f := range frames {
		l.status.add(f)
	}
	l.status.mu.Unlock()
	l.wake()
}

// add has a frame wait, unless what was repeated has overtaken it. s.mu is held.
func (s *callNews) add(f statusFrame) {
	told, repeated := s.told[f.CallID]
	if repeated && stepOf(f.Status) > len(steps) {
		delete(s.told, f.CallID) // nothing follows
	}
	switch {
	case repeated && stepOf(f.Status) <= told:
	case len(s.waiting) >= mostStatuses:
		s.over, s.waiting = true, nil
	default:
		s.waiting = append(s.waiting, f)
	}
}

// repeat tells this socket alone how far a call has come, in place of what waits to be told of it.
func (l *live) repeat(f statusFrame) {
	l.status.mu.Lock()
	defer l.status.mu.Unlock()
	l.status.waiting = slices.DeleteFunc(l.status.waiting, func(o statusFrame) bool { return o.CallID == f.CallID })
	delete(l.status.told, f.CallID)
	l.status.add(f)
	if stepOf(f.Status) <= len(steps) {
		if l.status.told == nil {
			l.status.told = map[string]int{}
		}
		l.status.told[f.CallID] = stepOf(f.Status)
	}
}

// statusOf is the word for how far a call has come, and since when; empty while call_ack has said all there is. A call that was answered
// ends as `ended`; any other as what became of it (chosen).
func statusOf(c *comms.Call) (string, clock.Micros) {
	at := func(t *clock.Micros) clock.Micros {
		if t == nil {
			return c.CreatedAt
		}
		return *t
	}
	switch c.Status {
	case "dialling":
		return "dialling", at(c.DialledAt)
	case "ringing":
		return "ringing", at(c.RingingAt)
	case "answered":
		return "answered", at(c.AnsweredAt)
	case "ended":
		if c.Outcome == nil || *c.Outcome == "answered" {
			return "ended", at(c.EndedAt)
		}
		return string(*c.Outcome), at(c.EndedAt)
	}
	return "", 0
}

func (l *live) holdStatus() {
	l.status.mu.Lock()
	defer l.status.mu.Unlock()
	l.status.held++
}

func (l *live) freeStatus() {
	l.status.mu.Lock()
	l.status.held--
	l.status.mu.Unlock()
	l.wake()
}

func (l *live) wake() {
	select {
	case l.news <- struct{}{}:
	default: // the writer looks anyway
	}
}

// tell sends the statuses that wait, behind the answers that were given before them; false: no other frame can follow.
func (l *live) tell() bool {
	l.status.mu.Lock()
	if l.status.held > 0 { // freeStatus wakes again
		l.status.mu.Unlock()
		return true
	}
	frames, over := l.status.waiting, l.status.over
	l.status.waiting = nil
	l.status.mu.Unlock()
	if over {
		l.cut(websocket.CloseTryAgainLater, "you read too slowly")
		return false
	}
	if !l.flush() {
		return false
	}
	for _, f := range frames {
		if b, err := encode(f); err != nil {
			l.door.Log.ErrorContext(l.ctx, "opencloud: encode a status", "error", err)
		} else if !l.put(outgoing{text: b}) {
			return false
		}
	}
	return true
}
