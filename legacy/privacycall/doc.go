// Package privacycall is the door for the documented privacy-call API: two parties are bound to a virtual number and called through it,
// and what they said can be fetched where the application records (docs/legacy/privacycall.md).
//
// Start reading at routes.go: two endpoints, bind.go and voice.go. auth.go checks the signature, wire.go reads bodies and the document's
// way to write numbers, errors.go is the one place where its codes stand.
//
// What does not live here: which number is free, how long a binding lives and who may call whom through it (comms/call, mask_*.go and
// application_*.go).
package privacycall
