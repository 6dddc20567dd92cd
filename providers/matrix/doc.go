// Package matrix speaks to owners of accounts in Matrix rooms, as a bot on one homeserver (Client-Server API, by maunium.net/go/mautrix).
//
// Start with room.go: a room for each follower, found again by an alias that follows from its id, and what is said in it under transaction
// ids that follow from the event. login.go is how the bot logs in: once, and then with the token that it was given, because transaction ids
// belong to a device. errors.go is the one place where Matrix' errors become ours.
//
// Who is told what does not live here (comms/notice). The rooms are not encrypted end to end: the homeserver's operator can read them.
package matrix
