// Package load is the client side of the benchmark: an HTTP/1.1 client and a WebSocket client that do as little as the protocols let
// them, so that on a machine that the client shares with the server it is the server that is measured. Start reading at Conn (conn.go)
// and Socket (socket.go); Stamp (stamp.go) is the message that they carry.
//
// They trust the server: no redirects, no compression, no trailers, no masking key worth its name. What is measured and how lives
// in internal/bench.
package load
