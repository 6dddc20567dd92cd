package messaging

import "github.com/google/uuid"

// nobody stands for a UUID on the wire that is none. It is no number's id, so the verb refuses it as it refuses any that it does not know,
// and not before it has found fault with the request's form: 10002 comes before 10004.
var nobody = uuid.Max

// credential is the UUID that s spells: 8-4-4-4-12 hexadecimal digits in either case (RFC 9562, section 4). What uuid.Parse takes
// beyond that (urn:uuid:, braces, no dashes) is no UUID on this wire (chosen).
func credential(s []byte) uuid.UUID {
	if len(s) != 36 {
		return nobody
	}
	id, err := uuid.ParseBytes(s)
	if err != nil {
		return nobody
	}
	return id
}

func credentials(texts []string) []uuid.UUID {
	out := make([]uuid.UUID, len(texts))
	for i, s := range texts {
		out[i] = credential([]byte(s))
	}
	return out
}
