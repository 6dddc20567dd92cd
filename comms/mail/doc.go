// Package mail is the rules of letters: they are stored in the change that they tell of and sent later, and of an account that waits until
// its owner has followed the link in one.
//
// Start reading at Post (letter.go), by which other rules write one, then Run (desk.go), which sends: a letter in work is leased, so that
// another start takes it over; what fails is tried again, later and later; what is refused for good stays, for the operator to see.
// activation.go is the registration by mail.
//
// What does not live here: SMTP and .eml files (providers/mail), passwords and the login (comms), pages and paths (legacy/callrecords).
package mail
