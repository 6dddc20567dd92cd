package graph

import "github.com/vektah/gqlparser/v2/gqlerror"

// legacyWS is the protocol before graphql-transport-ws (PROTOCOL.md of the npm package subscriptions-transport-ws). It took the name
// graphql-ws, which is now that of a package that speaks the other one.
//
// It has no close codes of its own; those of transportWS do it no harm. What is different:
//   - start, stop and data are its words for subscribe, complete and next;
//   - a payload of type error is one error, not a list;
//   - a refused connection_init gets connection_error first;
//   - clients with a timeout expect a message `ka` after connection_ack and now and then.
var legacyWS = &dialect{
	name: "graphql-ws",
	verbs: map[string]func(*socket, message) bool{
		"connection_init":      (*socket).initialise,
		"start":                (*socket).subscribe,
		"stop":                 (*socket).complete,
		"connection_terminate": (*socket).terminate,
	},
	accepted: [][]byte{[]byte(`{"type":"connection_ack"}`), legacyKeepAlive},
	refusal:  "connection_error",
	next:     "data",
	errors: func(errs gqlerror.List) any {
		return errs[0] // there is always one: nothing is refused without
	},
	keepAlive: legacyKeepAlive,
}

var legacyKeepAlive = []byte(`{"type":"ka"}`)

func (s *socket) terminate(message) bool {
	s.wire.close(closeNormal, "")
	return false
}
