// Package record holds the rules of call records: the list of an account's calls as they are searched for, whoever carried them. Ours
// become records when they end (ended.go); those that a carrier carried are imported (add.go), and so are their recordings (sound.go).
//
// Start with search.go: what can be asked for. page.go says which records a page holds and total.go how many there are, each by statements
// (statement.go) that read one index each; why they are as they are is in docs/adr/0011-call-records.md.
//
// What does not live here: what becomes of a call while it lasts (comms/call), how a carrier is asked (comms/carrier), words of an API.
package record
