// Package mail takes letters out: to a mail server by SMTP (RFC 5321), or into a folder as .eml files where there is none.
//
// Start reading at Open (open.go), which reads the address of the server; smtp.go speaks to it, by the SMTP of wneessen/go-mail, and says what a refusal
// means; folder.go writes files. letter.go is what both send: one text, with the same Message-ID each time.
//
// What does not live here: which letters there are, when one is tried again and when it is given up (comms/mail).
package mail
