// Package notice tells owners of accounts what reached them while they were elsewhere: messages and missed calls, in a Matrix room with the
// bot, and as a push notification on the device that a number is bound to.
//
// Start with turn.go: a follower (ent/schema/follower.go) is one way out of one account, with a cursor in the account's log (law 4), and a turn
// reads the log from there, tells, and moves the cursor. follow.go makes and removes followers, in the changes that set a Matrix ID or bind a
// device; wake.go finds those that have something to tell; line.go has them wait in line, so that no dead service keeps others waiting;
// notice.go is what is said, and what is not.
//
// A call that was missed is in the log as a message too (comms/message_missed.go), and that alone is followed: it is said once.
//
// What does not live here: the words of Matrix and of the push services (providers/matrix, providers/push).
package notice
