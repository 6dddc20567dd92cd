package privacycall

import (
	"net/http"
	"strings"

	"switchboard/comms"
)

// country is that of the document: its numbers are written, and dialled, without it.
const country = "86"

// ownRange begins the numbers that this server makes itself, +999 and nine digits: no number of China is so long.
const ownRange = "999"

// partyNumber is a number of the document's kind as E.164: 18326000000, 02151860000, with or without +86, 86 or the 0. A Chinese number has 11
// digits, or 10 where a landline's are fewer; those that begin with 1 are mobile and have 11, but for Beijing's (10). Of other countries a
// number needs its + or 00.
func partyNumber(field, text string) (string, error) {
	e164, err := expanded(field, text)
	if err != nil {
		return "", err
	}
	if national, ok := strings.CutPrefix(e164, "+"+country); ok && !isChinese(national) {
		return "", refusal{flagBadNumber, field + " is not a number with its area code", http.StatusOK}
	}
	return e164, nil
}

func isChinese(national string) bool {
	switch {
	case len(national) == 11:
		return national[0] != '0'
	case len(national) == 10:
		return national[0] > '1' || strings.HasPrefix(national, "10")
	default:
		return false
	}
}

// expanded puts the country before what is written without it. How long the number is has to be asked apart: a virtual number is one of the
// pool or not.
func expanded(field, text string) (string, error) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -.()", r) {
			return -1
		}
		return r
	}, text)
	bare, foreign := strings.CutPrefix(digits, "+")
	if !foreign {
		bare, foreign = strings.CutPrefix(digits, "00")
	}
	bad := refusal{flagBadNumber, field + " is not a phone number", http.StatusOK}
	if bare == "" || len(text) > 64 || strings.Trim(bare, "0123456789") != "" {
		return "", bad
	}
	switch national, coded := strings.CutPrefix(bare, country); {
	case coded && (foreign || isChinese(strings.TrimPrefix(national, "0"))):
		bare = country + strings.TrimPrefix(national, "0")
	case foreign:
	case len(bare) == 12 && strings.HasPrefix(bare, ownRange):
	default:
		bare = country + strings.TrimPrefix(bare, "0")
	}
	e164, err := comms.PhoneNumber(field, "+"+bare)
	if err != nil {
		return "", bad
	}
	return e164, nil
}

// virtualNumber is VirtualNum as E.164. One that no numbering plan has is no number of the pool, and that is what is answered.
func virtualNumber(text string) (string, error) {
	e164, err := expanded("VirtualNum", text)
	if err != nil && strings.Trim(text, "0123456789") == "" {
		return "", refusal{flagNotInPool, "VirtualNum is not in the application's pool", http.StatusOK}
	}
	return e164, err
}

// shown is a number as the document shows it: the country, and then the number without any 0.
func shown(e164 string) string { return strings.TrimPrefix(e164, "+") }
