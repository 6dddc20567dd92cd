// Package ovhtest is an OVH for tests: a server that speaks the documented part of its API which providers/ovh uses, strictly. It checks the
// application, the consumer key, the clock and the signature of every request, and that the key's access rules reach it.
//
// Start reading at New (server.go); sign.go is what is checked, telephony.go what is answered. A test gives it customers, consents in their
// names, and breaks it through Server.Break.
//
// It knows the switchboard by its wire alone, and is linked into no program.
package ovhtest
