package graph

import (
	"context"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"switchboard/comms"
)

// dialect is a subprotocol: which words the client uses, and which we do.
type dialect struct {
	name      string
	verbs     map[string]func(*socket, message) (deep bool)
	accepted  [][]byte // what answers connection_init
	refusal   string   // the type of a message that says why connection_init is refused; empty: the close code does
	next      string   // the type of a message with a result
	errors    func(gqlerror.List) any
	keepAlive []byte // a message now and then; nil: none is needed beside WebSocket's own ping
}

var dialects = map[string]*dialect{transportWS.name: transportWS, legacyWS.name: legacyWS}

// transportWS is the GraphQL over WebSocket Protocol (PROTOCOL.md of the npm package graphql-ws).
var transportWS = &dialect{
	name: "graphql-transport-ws",
	verbs: map[string]func(*socket, message) bool{
		"connection_init": (*socket).initialise,
		"subscribe":       (*socket).subscribe,
		"complete":        (*socket).complete,
		"ping":            (*socket).answerPing,
		"pong":            func(*socket, message) bool { return false },
	},
	accepted: [][]byte{[]byte(`{"type":"connection_ack"}`)},
	next:     "next",
	errors:   func(errs gqlerror.List) any { return errs },
}

// The close codes of that protocol. A client of graphql-ws takes 4400, 4401, 4406, 4409 and 4429 for final, and comes back after the
// others. So a credential that ends or is revoked while the socket lives closes it with 4403, Forbidden: the client asks its
// connectionParams again, which may have a new one by then, and resumes.
const (
	closeBadMessage  = 4400
	closeEarly       = 4401 // an operation before connection_ack
	closeForbidden   = 4403
	closeSubprotocol = 4406 // not in PROTOCOL.md, but in graphql-ws itself
	closeInitTimeout = 4408
	closeSameID      = 4409
	closeSecondInit  = 4429
)

// message is what a client says.
type message struct {
	kind    string
	id      string
	payload any // nil where there is none, or null
}

// decodeMessage reads one. Members that no protocol names are left alone.
func decodeMessage(data []byte) (message, *badRequest) {
	v, bad := parseJSON(data)
	if bad != nil {
		return message{}, bad
	}
	object, ok := v.(map[string]any)
	if !ok {
		return message{}, unreadable("a message must be a JSON object")
	}
	m := message{payload: object["payload"]}
	if m.kind, bad = textOf(object["type"], "type"); bad == nil {
		m.id, bad = textOf(object["id"], "id")
	}
	if bad == nil && m.kind == "" {
		bad = unreadable("type is missing")
	}
	return m, bad
}

// initialise is connection_init: its payload may carry the credential. Without one the upgrade request's headers count, and without those
// the caller is nobody, who may do what needs no credential.
func (s *socket) initialise(m message) bool {
	s.mu.Lock()
	first := s.state == stateNew
	if first {
		s.state = stateAsking
	}
	s.mu.Unlock()
	if !first {
		s.wire.close(closeSecondInit, "Too many initialisation requests")
		return false
	}
	payload, bad := objectOf(m.payload, "payload")
	if bad != nil {
		s.wire.close(closeBadMessage, "Invalid message: "+bad.err.Message)
		return false
	}
	ctx, shown := s.ctx, s.seat.shown
	err := error(nil)
	if given := initCredential(payload); given != (comms.Presented{}) {
		var actor *comms.Actor
		shown = given
		if actor, err = s.h.svc.Authenticate(ctx, given); err == nil {
			ctx = comms.WithActor(ctx, actor)
		}
	}
	if err == nil {
		err = s.enter(ctx, shown)
	}
	if err != nil {
		s.refuse(err)
		return true
	}
	for _, b := range s.dialect.accepted {
		s.wire.send(opText, b)
	}
	return true
}

// enter makes the socket its caller's.
func (s *socket) enter(ctx context.Context, shown comms.Presented) error {
	actor := comms.ActorOf(ctx)
	var session *comms.LiveSession
	if actor != nil {
		if err := s.h.live.introduce(ctx, &s.seat, shown); err != nil {
			return err
		}
		var err error
		if session, err = s.h.svc.OpenSession(ctx, "graphql"); err != nil {
			return err
		}
	}
	s.ctx = ctx // only the reader, which we are, and what it starts from here on look at it
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = session
	if actor != nil {
		s.expires = actor.ExpiresAt
	}
	s.state = stateAccepted
	s.timer.Reset(s.untilTick(time.Now()))
	return nil
}

// refuse ends a socket whose connection_init can't be granted: "it is recommended to close the socket with 4403: Forbidden".
func (s *socket) refuse(err error) {
	errs := s.h.errorList(s.ctx, err)
	if s.dialect.refusal != "" {
		s.wire.send(opText, []byte(`{"type":"`+s.dialect.refusal+`","payload":`), encoded(s.dialect.errors(errs)), []byte(`}`))
	}
	code := closeTryLater
	if comms.IsCode(err, comms.Unauthenticated) || comms.IsCode(err, comms.Forbidden) {
		code = closeForbidden
	}
	s.wire.close(code, errs[0].Message)
}

// initCredential finds a credential under the names that clients use, whatever their letter case: those of headers, of Apollo's, urql's
// and Hasura's examples, alone or in `headers`.
func initCredential(payload map[string]any) comms.Presented {
	var out comms.Presented
	for name, value := range payload {
		text, _ := value.(string)
		switch strings.ToLower(name) {
		case "authorization", "token", "authtoken", "accesstoken":
			if token, ok := bearer(text); ok {
				text = token
			}
			out.Bearer = text
		case "apikey", "x-api-key":
			out.ApiKey = text
		case "headers":
			if inner, ok := value.(map[string]any); ok && out == (comms.Presented{}) {
				out = initCredential(inner)
			}
		}
	}
	return out
}

// bearer is the token of `Bearer <token>` (RFC 6750 section 2.1; the scheme in any letter case, RFC 9110 section 11.1).
func bearer(value string) (string, bool) {
	scheme, token, ok := strings.Cut(strings.TrimSpace(value), " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// answerPing answers the protocol's ping with its payload.
func (s *socket) answerPing(m message) bool {
	if _, bad := objectOf(m.payload, "payload"); bad != nil {
		s.wire.close(closeBadMessage, "Invalid message: "+bad.err.Message)
		return false
	}
	if m.payload == nil {
		s.wire.send(opText, []byte(`{"type":"pong"}`))
	} else {
		s.wire.send(opText, []byte(`{"type":"pong","payload":`), encoded(m.payload), []byte(`}`))
	}
	return false
}
