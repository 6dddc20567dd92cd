// Package httpd is what stands around every door that speaks HTTP: a request's id, its line in the log, its origin, the bounds on
// how long it may take to come and go, a stop to panics, figures, and a stop of the whole that drops nothing.
//
// Start reading at Wrap (wrap.go), one pass for all of these because each request pays for it. Server (server.go) listens and
// drains; Metrics (metrics.go) counts; Files, Health, Docs are small pages of the program itself.
//
// What does not live here: any word of an API (graph, legacy/*), any rule (comms).
package httpd
