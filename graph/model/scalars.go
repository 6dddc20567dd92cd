package model

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"switchboard/graph/direct"
	"switchboard/internal/clock"
)

// timeLayout is RFC 3339 in UTC with exactly the microseconds that are stored, so that equal instants are equal text.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// What a client reads when its value isn't one of the scalar's.
var (
	errNoTime    = errors.New("must be RFC 3339 text such as 2026-11-21T20:00:00.000000Z")
	errNoSeconds = errors.New("must be a whole number of seconds, 1 or more")
	errNoNumber  = errors.New("must be text such as +999123456789")
)

// Each scalar has a MarshalX for gqlgen and an AppendX, which writes the same, for direct objects (internal/gqlgen).

// MarshalUUID writes an id.
func MarshalUUID(id uuid.UUID) graphql.Marshaler { return direct.JSON(AppendUUID(nil, id)) }

// AppendUUID writes an id.
func AppendUUID(b []byte, id uuid.UUID) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, hex[c>>4], hex[c&0xf])
	}
	return append(b, '"')
}

// UnmarshalUUID is asked by nobody: ids come in as text (gqlgen.yml), and a malformed one names nothing.
func UnmarshalUUID(v any) (uuid.UUID, error) {
	s, _ := v.(string)
	return uuid.Parse(s)
}

// MarshalMessageID writes a message's id as decimal text: it has more digits than a JavaScript number keeps.
func MarshalMessageID(id int64) graphql.Marshaler { return direct.JSON(AppendMessageID(nil, id)) }

// AppendMessageID writes a message's id.
func AppendMessageID(b []byte, id int64) []byte {
	return append(strconv.AppendInt(append(b, '"'), id, 10), '"')
}

// UnmarshalMessageID is asked by nobody, as UnmarshalUUID.
func UnmarshalMessageID(v any) (int64, error) {
	s, _ := v.(string)
	return strconv.ParseInt(s, 10, 64)
}

// MarshalTime writes an instant.
func MarshalTime(t clock.Micros) graphql.Marshaler { return direct.JSON(AppendTime(nil, t)) }

// AppendTime writes an instant.
func AppendTime(b []byte, t clock.Micros) []byte {
	return append(t.Time().AppendFormat(append(b, '"'), timeLayout), '"')
}

// UnmarshalTime reads RFC 3339 text with any offset.
func UnmarshalTime(v any) (clock.Micros, error) {
	s, ok := v.(string)
	if !ok {
		return 0, errNoTime
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, errNoTime
	}
	return clock.From(t), nil
}

// MarshalPhoneNumber writes a number as it is stored: E.164 with a leading plus.
func MarshalPhoneNumber(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// AppendPhoneNumber writes a number.
func AppendPhoneNumber(b []byte, s string) []byte { return direct.String(b, s) }

// UnmarshalPhoneNumber takes any text: what is a number is comms' to say.
func UnmarshalPhoneNumber(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", errNoNumber
	}
	return s, nil
}

// MarshalSeconds writes a span in whole seconds.
func MarshalSeconds(d time.Duration) graphql.Marshaler {
	return graphql.MarshalInt64(int64(d / time.Second))
}

// UnmarshalSeconds reads a span in whole seconds. None at all is refused: the rules' zero means "without end", which is said by null.
func UnmarshalSeconds(v any) (time.Duration, error) {
	var n int64
	switch v := v.(type) {
	case int:
		n = int64(v)
	case int64:
		n = v
	case json.Number:
		i, err := v.Int64()
		if err != nil {
			return 0, errNoSeconds
		}
		n = i
	default:
		return 0, errNoSeconds
	}
	if n < 1 || n > math.MaxInt64/int64(time.Second) {
		return 0, errNoSeconds
	}
	return time.Duration(n) * time.Second, nil
}
