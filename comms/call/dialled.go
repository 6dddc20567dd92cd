package call

import "strings"

// dialled is what somebody dialled, read in each way in which it can be meant.
type dialled struct {
	digits    string   // as it stands, without what people put between digits: it may be a telephone's number
	numbers   []string // the numbers of ours that it can mean, E.164, the likelier first
	outside   string   // what it means where it is nothing of ours, E.164; empty: nothing
	extension string   // what is to be dialled once X has answered: X*12, X;postd=12 (RFC 2806, section 2.2)
}

// mostDigits is what is looked at and kept of a dialled text: E.164 has 15 digits, international prefixes and typing errors come on top.
const mostDigits = 32

// readDialled reads the user part of a Request-URI. A number with + or 00 is complete. Any other is one of the default country's, with or
// without its trunk prefix 0 (ITU-T E.164 section 3); unless it is one of ours, complete but for the +, which is found when ours are known.
func readDialled(text, country string) dialled {
	text, params, _ := strings.Cut(text, ";")
	var d dialled
	for p := range strings.SplitSeq(params, ";") {
		if ext, ok := strings.CutPrefix(p, "postd="); ok && allDigits(ext) {
			d.extension = ext
		}
	}
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -.()", r) {
			return -1
		}
		return r
	}, text)
	if number, ext, ok := strings.Cut(text, "*"); ok && number != "" && allDigits(ext) {
		text, d.extension = number, ext
	}
	digits, plus := strings.CutPrefix(text, "+")
	if !allDigits(digits) || len(digits) > mostDigits {
		return dialled{}
	}
	if !plus {
		d.digits = digits
	}
	national := func() string { return e164(country + strings.TrimLeft(digits, "0")) }
	switch {
	case plus:
		d.outside = e164(digits)
	case strings.HasPrefix(digits, "00"):
		d.outside = e164(digits[2:])
	case strings.HasPrefix(digits, "0"):
		d.outside = national()
	default:
		if complete := e164(digits); complete != "" {
			d.numbers = append(d.numbers, complete)
		}
		d.outside = national()
		// Many write the country's code without the +. No national number is its code and ten digits more.
		if rest, ok := strings.CutPrefix(digits, country); ok && len(rest) >= 10 {
			d.outside = e164(digits)
		}
	}
	if d.outside != "" && (len(d.numbers) == 0 || d.numbers[0] != d.outside) {
		d.numbers = append(d.numbers, d.outside)
	}
	return d
}

// readCaller is a caller's number as a trunk gives it; empty: withheld, or nothing that can be called back.
func readCaller(text, country string) string { return readDialled(text, country).outside }

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// e164 is + and the digits, if they can be a number: 7 to 15, the first no 0.
func e164(digits string) string {
	if len(digits) < 7 || len(digits) > 15 || digits[0] == '0' {
		return ""
	}
	return "+" + digits
}
