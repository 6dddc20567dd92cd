package opencloud

import (
	"time"
	"unicode/utf8"

	"switchboard/comms"
	"switchboard/comms/call"
)

// pongFrame answers a ping.
type pongFrame struct {
	Type string `json:"type"`
	TS   int64  `json:"ts"`
}

// errorFrame answers a frame that can't be done; the socket stays open (chosen).
type errorFrame struct {
	Type  string `json:"type"`
	Error string `json:"error"`
}

// callFrame asks for a call: to is called, message is spoken.
type callFrame struct{ callID, to, message string }

const (
	maxCallID  = 255  // bytes (chosen)
	maxMessage = 2000 // characters of what is to be spoken (chosen)
)

// frameIn is one frame of the client, read and checked. Exactly one of its fields is set.
type frameIn struct {
	ping bool
	call *callFrame
}

// parseFrame reads a frame; text is UTF-8.
func parseFrame(text []byte) (*frameIn, error) {
	o, err := parseObject(text)
	if err != nil {
		return nil, err
	}
	kind := o.text("type")
	if o.err != nil {
		return nil, o.err
	}
	switch kind {
	case "ping":
		return &frameIn{ping: true}, nil
	case "call":
		return parseCall(o)
	default:
		return nil, badInput("type must be ping or call")
	}
}

// parseCall checks what the contract asks of a call frame: callId, to (a phone number) and message.
func parseCall(o *object) (*frameIn, error) {
	c := &callFrame{callID: o.text("callId"), to: o.text("to"), message: o.text("message")}
	if o.err != nil {
		return nil, o.err
	}
	if c.callID == "" || len(c.callID) > maxCallID {
		return nil, badInput("callId must have 1 to 255 bytes")
	}
	if c.message == "" || utf8.RuneCountInString(c.message) > maxMessage {
		return nil, badInput("message must have 1 to 2000 characters")
	}
	var err error
	if c.to, err = comms.PhoneNumber("to", c.to); err != nil {
		return nil, err
	}
	return &frameIn{call: c}, nil
}

// ackFrame says that a call was taken on; the call_status frames tell the rest.
type ackFrame struct {
	Type   string `json:"type"`
	CallID string `json:"callId"`
	Status string `json:"status"`
}

// reply answers a frame; false: the socket has ended.
func (l *live) reply(text []byte) bool {
	f, err := parseFrame(text)
	if err == nil && f.call != nil {
		return l.place(f.call)
	}
	return l.say(answerTo(err))
}

// answerTo answers a ping, or a frame that can't be read.
func answerTo(err error) any {
	if err != nil {
		return errorFrame{"error", failureOf(err).text}
	}
	return pongFrame{"pong", time.Now().UnixMilli()}
}

// refused is the answer to a frame that can't be done.
func (l *live) refused(err error) errorFrame {
	f := failureOf(err)
	if f.internal != nil {
		l.door.Log.ErrorContext(l.ctx, "opencloud: a frame", "error", f.internal)
	}
	return errorFrame{"error", f.text}
}

// place has the call go out. The same callId again is the same call, whatever else the frame says (contract): it is acknowledged again, and
// how far that call has come is told again, for a client that lost its socket meanwhile. Every frame that can be read is acknowledged
// (documented), though nothing leads to its number: then that is what becomes of the call.
func (l *live) place(f *callFrame) bool {
	l.holdStatus()
	defer l.freeStatus()
	placed, err := l.door.Calls.PlaceCall(l.ctx, call.PlaceCall{To: f.to, Message: f.message, ClientKey: f.callID, Anyhow: true})
	if err != nil {
		return l.say(l.refused(err))
	}
	if !l.say(ackFrame{"call_ack", f.callID, "queued"}) {
		return false
	}
	if status, at := statusOf(placed.Call); placed.Replayed && status != "" {
		l.repeat(statusFrame{"call_status", f.callID, status, at.Milli()})
	}
	return true
}
