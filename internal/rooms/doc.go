// Package rooms holds no code: its test is the plan of the house (docs/rooms.md). It says which folder may import which, and how large
// a file, a function and the room of the rules may grow.
package rooms
