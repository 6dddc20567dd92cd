// Package messaging is the door for the documented messaging API: devices, texts and files between numbers (docs/legacy/messaging.md).
//
// One request is one POST whose JSON head names the call in `req`. Start reading at routes.go: its table has a line for each call,
// and the call's file (login.go, send.go, get.go, file.go) decodes, calls one verb of comms.Service and encodes. wire.go takes the body
// apart and never holds data that is larger than a small message; scan.go and head.go read the JSON; errors.go is the one place where the
// documented numbers stand; auth.go turns the wire's UUIDs into who asks.
//
// What does not live here: any rule about numbers, blocks, texts or delivery (comms). What the document leaves open and was chosen
// for the wire alone is marked "chosen" where it stands.
package messaging
