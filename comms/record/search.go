package record

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// Search says which of the caller's records to find. All that is set must hold. What the account blocks is never found: not on either side of a
// call, and not by asking for the others.
type Search struct {
	Numbers   []string  // calls from or to any of them, in any writing of a telephone number, or as the carrier wrote what is none
	Not       bool      // from or to none of them; without Numbers it changes nothing
	Direction Direction // "": both

	MinDuration, MaxDuration *int          // seconds, both ends included
	From, To                 *clock.Micros // when the call began, both ends included
}

const (
	// MostNumbers is how many numbers one search can name.
	MostNumbers = 100
	// mostNumber is the longest that is taken for what stands in the place of a number.
	mostNumber = 64
)

// check refuses what can't be searched for, and gives the numbers as they are stored.
func (q *Search) check() (numbers []string, err error) {
	if len(q.Numbers) > MostNumbers {
		return nil, refused("number", fmt.Sprintf("at most %d numbers", MostNumbers))
	}
	for _, n := range q.Numbers {
		stored := numberOf(n)
		if stored == "" || len(stored) > mostNumber || !utf8.ValidString(n) {
			return nil, refused("number", "the number is empty, or too long")
		}
		if !slices.Contains(numbers, stored) {
			numbers = append(numbers, stored)
		}
	}
	switch {
	case q.Direction != "" && q.Direction != Incoming && q.Direction != Outgoing:
		return nil, refused("direction", "the direction is incoming or outgoing")
	case q.MinDuration != nil && *q.MinDuration < 0:
		return nil, refused("minDuration", "a duration is not negative")
	case q.MaxDuration != nil && *q.MaxDuration < 0:
		return nil, refused("maxDuration", "a duration is not negative")
	}
	return numbers, nil
}

func refused(field, text string) error {
	return comms.Refused(comms.Invalid, field, comms.ReasonNone, text)
}

// numberOf is a number as it is stored: E.164 with +, or what was written where that is no telephone number ("anonymous", a short number).
func numberOf(text string) string {
	if e164, err := comms.CanonicalNumber("number", text); err == nil {
		return e164
	}
	return plain(strings.TrimSpace(text))
}

// plain is text without what a database or a terminal stumbles over.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}
