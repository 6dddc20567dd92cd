package call

import (
	"strings"

	"switchboard/comms"
	"switchboard/ent/number"
	"switchboard/ent/predicate"
)

// china is the country whose area codes can be read from a number: the API that draws numbers by area code is a Chinese one.
const china = "+86"

// AreaCode is the area code of a number with its 0, as people write it: the one that it was given, or else the one that is in it. China's area
// codes have two digits where the first is 1 (only 10, Beijing) or 2, and three otherwise; a mobile number has none.
func AreaCode(n *comms.Number) string {
	if n.AreaCode != "" {
		return n.AreaCode
	}
	national, ok := strings.CutPrefix(n.Number, china)
	if !ok || len(national) < 3 {
		return ""
	}
	for _, code := range []string{national[:2], national[:3]} {
		if inNumbers(code) {
			return "0" + code
		}
	}
	return ""
}

// inNumbers tells whether this, without its 0, is an area code that numbers begin with.
func inNumbers(code string) bool {
	switch {
	case strings.Trim(code, "0123456789") != "":
		return false
	case len(code) == 2:
		return code == "10" || code[0] == '2'
	case len(code) == 3:
		return code[0] >= '3'
	default:
		return false
	}
}

// inArea are the numbers of an area, which AreaCode would say of them. The code's 0 may be left out.
func inArea(code string) predicate.Number {
	bare := strings.TrimLeft(code, "0")
	if bare == "" {
		return number.AreaCode(code) // no number has this one; but many have none
	}
	given := number.AreaCodeIn(bare, "0"+bare)
	if !inNumbers(bare) {
		return given
	}
	return number.Or(given, number.And(number.AreaCode(""), number.NumberHasPrefix(china+bare)))
}
