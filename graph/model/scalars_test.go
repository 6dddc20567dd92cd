package model

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"switchboard/internal/clock"
)

func written(m graphql.Marshaler) string {
	var b bytes.Buffer
	m.MarshalGQL(&b)
	return b.String()
}

func TestScalarsAsWritten(t *testing.T) {
	id := uuid.MustParse("0123ABCD-4567-89ef-0011-223344556677")
	at := clock.From(time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC))
	for _, c := range []struct{ name, marshalled, appended, want string }{
		{"an id", written(MarshalUUID(id)), string(AppendUUID(nil, id)), `"0123abcd-4567-89ef-0011-223344556677"`},
		{"no id", written(MarshalUUID(uuid.Nil)), string(AppendUUID(nil, uuid.Nil)), `"00000000-0000-0000-0000-000000000000"`},
		{"a message's id", written(MarshalMessageID(math.MaxInt64)), string(AppendMessageID(nil, math.MaxInt64)), `"9223372036854775807"`},
		{"an instant", written(MarshalTime(at)), string(AppendTime(nil, at)), `"2026-11-21T20:00:00.000000Z"`},
		{"its microseconds", written(MarshalTime(at + 1234)), string(AppendTime(nil, at+1234)), `"2026-11-21T20:00:00.001234Z"`},
		{"before 1970", written(MarshalTime(-1)), string(AppendTime(nil, -1)), `"1969-12-31T23:59:59.999999Z"`},
		{"a number", written(MarshalPhoneNumber("+999")), string(AppendPhoneNumber(nil, "+999")), `"+999"`},
		{"a span", written(MarshalSeconds(90 * time.Second)), "90", "90"},
	} {
		if c.marshalled != c.want || c.appended != c.want {
			t.Errorf("%s: %s and %s, want %s", c.name, c.marshalled, c.appended, c.want)
		}
	}
}

func TestScalarsAsRead(t *testing.T) {
	at := clock.From(time.Date(2026, 11, 21, 20, 0, 0, 1000, time.UTC))
	for in, want := range map[any]clock.Micros{
		"2026-11-21T20:00:00.000001Z":         at,
		"2026-11-21T22:00:00.000001999+02:00": at,
		"2026-11-21T20:00:00Z":                at - 1,
		"2026-11-21":                          -1,
		"":                                    -1,
		int64(5):                              -1,
		nil:                                   -1,
	} {
		got, err := UnmarshalTime(in)
		if (err != nil) != (want == -1) || err == nil && got != want {
			t.Errorf("Time %v: %v, %v", in, got, err)
		}
	}
	for in, want := range map[any]time.Duration{
		int64(60):            time.Minute,
		int(1):               time.Second,
		int(0):               -1,
		json.Number("3600"):  time.Hour,
		json.Number("1.5"):   -1,
		json.Number("1e400"): -1,
		int64(-1):            -1,
		int64(math.MaxInt64): -1,
		"60":                 -1,
		nil:                  -1,
	} {
		got, err := UnmarshalSeconds(in)
		if (err != nil) != (want == -1) || err == nil && got != want {
			t.Errorf("Seconds %v: %v, %v", in, got, err)
		}
	}
	if _, err := UnmarshalPhoneNumber(5); err == nil {
		t.Error("a number that is no text was taken")
	}
	if s, err := UnmarshalPhoneNumber("any text"); err != nil || s != "any text" {
		t.Error(s, err)
	}
	if id, err := UnmarshalUUID("0123abcd-4567-89ef-0011-223344556677"); err != nil || id == uuid.Nil {
		t.Error(id, err)
	}
	if _, err := UnmarshalMessageID("x"); err == nil {
		t.Error("x was taken for a message's id")
	}
}

func FuzzTime(f *testing.F) {
	f.Add("2026-11-21T20:00:00.000001Z")
	f.Add("9999-12-31T23:59:59.999999999-23:59")
	f.Add("0000-01-01T00:00:00+14:00")
	f.Fuzz(func(t *testing.T, s string) {
		at, err := UnmarshalTime(s)
		if err != nil || at.Time().Year() < 0 || at.Time().Year() > 9999 {
			return
		}
		var text string
		if err := json.Unmarshal(AppendTime(nil, at), &text); err != nil {
			t.Fatal(err)
		}
		if again, err := UnmarshalTime(text); err != nil || again != at {
			t.Fatalf("%q is %d, written %q, read %d %v", s, at, text, again, err)
		}
	})
}
