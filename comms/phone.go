package comms

import "strings"

// PhoneNumber is a number in E.164, for a door that must refuse a bad one where it has no verb to call.
func PhoneNumber(field, text string) (string, error) { return canonical(field, text) }

// canonical is a phone number in E.164: +, then 7 to 15 digits of which the first is no 0. It reads what people write: with or without +
// (or 00), with spaces, dashes, dots and parentheses. Whether a numbering plan has such a number is not asked: see
// docs/adr/0008-phone-numbers.md.
func canonical(field, text string) (string, error) {
	if len(text) > 64 {
		return "", invalid(field, "%s is not a phone number", field)
	}
	var b strings.Builder
	b.WriteByte('+')
	plus := false
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			b.WriteByte(c)
		case c == '+' && !plus && b.Len() == 1:
			plus = true
		case strings.IndexByte(" -.()", c) >= 0:
		default:
			return "", invalid(field, "%s is not a phone number", field)
		}
	}
	e164 := b.String()
	if !plus {
		e164 = "+" + strings.TrimPrefix(e164[1:], "00")
	}
	if n := len(e164) - 1; n < 7 || n > 15 || e164[1] == '0' {
		return "", invalid(field, "%s is not a phone number: +, the country's code and the number, 7 to 15 digits", field)
	}
	return e164, nil
}
