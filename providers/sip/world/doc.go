// Package world is the test world: nine numbers that behave by rule, so that a newcomer and a client's tests can place calls with no
// telephone. It is a telephone exchange of its own: calls to it leave the switchboard as SIP and RTP over the loopback like any other, and
// what they prove holds for real ones.
//
//	+999000000001  answers and echoes
//	+999000000002  answers, plays a tone and hangs up after 5 seconds
//	+999000000003  is busy (486)
//	+999000000004  rings and never answers
//	+999000000005  rejects (603)
//	+999000000006  does not exist (404)
//	+999000000007  answers late: after 8 seconds of ringing
//	+999000000008  answers, sends the digits 0123456789*# a second later, and listens
//	+999000000009  answers, speaks, and hangs up
//
// They are in the part of the range that is never drawn for an account (comms: reservedNumbers).
package world
