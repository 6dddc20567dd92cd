// Package callrecords is the door for the documented call-records API: an OVH customer links his account, and his CRM reads the records of his
// calls (docs/legacy/callrecords.md).
//
// Start reading at routes.go: its table has a line for each endpoint, and the endpoint's file (account.go, link.go, blocklist.go, apitoken.go,
// record.go) decodes, calls verbs and encodes. auth.go keeps the two credentials apart, wire.go reads bodies and writes numbers and times,
// query.go reads the search, page.go is what people see in a browser, errors.go is the one place where HTTP statuses stand.
//
// What does not live here: accounts and tokens (comms), letters and activation (comms/mail), OVH (comms/carrier), which records a search
// finds (comms/record).
package callrecords
