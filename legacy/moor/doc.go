// Package moor is the door for the documented 7moor v7 API: an account's number pool and the groups of its numbers, asked for with a signature
// (docs/legacy/moor.md).
//
// Start reading at routes.go: two endpoints, number.go and group.go. auth.go checks the signature, wire.go is the envelope in which each answer
// stands with what was asked, errors.go is the one place where its codes stand.
//
// What does not live here: what is in a pool and how often one may ask for it (comms/pool), which signature was used before (comms/call), and
// asking somebody else's server in this way (providers/moor).
package moor
