// Package comms holds the rules of the switchboard: who may send, where a call goes, what is recorded.
//
// Start reading at Service (service.go), which every door calls: one verb a decision, each in the file of its noun
// (account.go, number.go, message_send.go ...). A verb normalises its input, authorises the Actor that the context carries, decides, and
// writes through one change (change.go), whose events are stored with it and told after its commit (event.go, feed.go).
//
// What does not live here: SQL plumbing and transactions (internal/db), words of any wire format (graph, legacy/*), the way to
// the outside (providers/*). Errors speak one vocabulary (error.go) that each door translates once.
package comms
