// Package moor asks a 7moor v7 platform for an account's number pool, its groups and its SIP numbers, signed as the document says (seeds/moor.txt,
// docs/legacy/moor.md), so that they can be taken over: `switchboard import moor`.
//
// Start reading at pool.go: two requests and what is made of their answers. client.go signs, waits where it is told to and gives up where that
// helps nobody; wire.go is the document's shapes; number.go reads numbers as China writes them.
//
// What does not live here: what may be taken over and what it becomes (comms/pool, import.go), and serving the same API (legacy/moor), which this
// package knows by its wire alone.
package moor
