// Package carrier holds the rules of links to carriers: an account lets us read what a carrier knows of its calls, and we import that, again
// and again.
//
// Start reading at LinkCarrier (link.go), which asks a carrier for the customer's consent, and CheckCarrier, to which the customer comes back
// with it. Run (run.go) then imports by each link's own schedule: lease.go sees to it that one process does so at a time, import.go is one
// import, trouble.go what becomes of one that fails. The operator can import by hand (import_now.go).
//
// What does not live here: a carrier's API (providers/ovh implements the interfaces of ports.go) and the records themselves, which
// comms/record stores and searches.
package carrier
