// Package media carries the sound of calls: it writes and reads session descriptions (SDP, RFC 3264), owns the RTP sockets, relays and
// transcodes between two legs, tells and sends digits (RFC 4733), plays sounds and records. It knows nothing of SIP, of calls or of
// numbers: providers/sip opens a leg for each side of a call and says what is to be done with it.
//
// Start reading at engine.go, then leg.go.
package media
