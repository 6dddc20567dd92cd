// Package voice turns text into sound, with espeak-ng as a subprocess: a provider like any other, found when the program starts. Where it
// isn't installed nothing can be spoken, and calls that would have to are refused by the rules (comms/call).
//
// Start reading at voice.go. Which language a text is in is language.go; making 8 kHz of what comes out is resample.go.
package voice
