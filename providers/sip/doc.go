// Package sip is the door to telephones and carriers: it speaks SIP (RFC 3261) and asks the rules (comms/call) what to do with every call.
//
// Start with stack.go: what a Server is built from, and the few verbs with which its parts send requests. Beneath it, from the wire up:
// wire_*.go take in packets and streams and refuse what is no SIP before anything is spent on it; dispatch.go gives each request to the
// part that it is for; digest.go proves who sends; registrar.go knows where telephones are; trunk.go speaks to carriers; overload.go
// refuses new calls while there is enough to do. dialog_*.go and call_*.go are the calls themselves.
//
// No rule lives here: who may call whom, what is shown and what is recorded is comms/call's; statuses.go alone translates its words.
package sip
