// Package pool holds the rules of an account's number pool: the groups of its numbers and which number of a group a call shows, the pool as
// a whole with the state of its telephones, and taking over a pool that exists elsewhere. It is a room below comms and shares its
// transactions and its log (comms.Inside).
//
// Start with group.go, what may be done with a group, and choose.go, how a call that is placed with one gets its displayed number. pool.go is
// the pool as a documented API lists it; import.go is taking one over.
//
// What does not live here: who may call whom (comms/call, which asks for the number through call.Groups), the wire of any number-pool API
// (legacy/moor serves it, providers/moor asks for it), and the pool of a single application, from which masks are drawn (comms/call).
package pool
