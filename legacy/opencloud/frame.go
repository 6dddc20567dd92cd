package opencloud

import (
	"time"

	"switchboard/comms"
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
	maxCallID  = 255  // characters (chosen)
	maxMessage = 4096 // bytes of what is to be spoken (chosen)
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
	if c.callID == "" || len([]rune(c.callID)) > maxCallID {
		return nil, badInput("callId must have 1 to 255 characters")
	}
	if c.message == "" || len(c.message) > maxMessage {
		return nil, badInput("message must have 1 to 4096 bytes")
	}
	var err error
	if c.to, err = comms.PhoneNumber("to", c.to); err != nil {
		return nil, err
	}
	return &frameIn{call: c}, nil
}

// reply is what a frame is answered with.
func reply(text []byte) any {
	f, err := parseFrame(text)
	switch {
	case err != nil:
		return errorFrame{"error", failureOf(err).text}
	case f.ping:
		return pongFrame{"pong", time.Now().UnixMilli()}
	default:
		// This server places no calls: a call_ack would promise one.
		return errorFrame{"error", "this server does not place calls"}
	}
}
