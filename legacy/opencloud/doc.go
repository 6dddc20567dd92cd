// Package opencloud is the door for the documented OpenCloud API: accounts, virtual numbers, call history, captchas and a live socket
// (docs/legacy/opencloud.md).
//
// Start reading at routes.go: its table has a line for each endpoint, and the endpoint's file (account.go, number.go, history.go, captcha.go)
// decodes, calls verbs of comms.Service and encodes. wire.go reads the bodies and keeps the document's mixed spelling (camelCase on
// user objects, snake_case on rows, milliseconds); errors.go is the one place where HTTP statuses stand; auth.go finds who asks; socket.go
// is the live socket, frame.go what is said on it and status.go what becomes of the calls that it placed.
//
// What does not live here: any rule about accounts, numbers, PINs, captchas, sessions or calls (comms, comms/call).
package opencloud
