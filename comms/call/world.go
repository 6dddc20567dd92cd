package call

// The numbers of the test world, +999000000001 to +999000000009. They belong to nobody (comms never draws them), can be called by every
// account and behave by rule; the room that speaks SIP knows how.
const (
	worldPrefix = "+99900000000"
	worldFirst  = '1'
	worldLast   = '9'
)

// fictional begins all numbers that this program draws. No network knows such a number, so none is ever asked for one.
const fictional = "+999"

// IsWorld tells whether a number (E.164 with +) is one of the test world.
func IsWorld(number string) bool {
	n := len(worldPrefix)
	return len(number) == n+1 && number[:n] == worldPrefix && number[n] >= worldFirst && number[n] <= worldLast
}
