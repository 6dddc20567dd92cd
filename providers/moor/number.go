package moor

import (
	"regexp"
	"strings"
)

// The ways in which China's numbers are written at home, each with what is E.164 behind the +86 in it.
var (
	mobile   = regexp.MustCompile(`^(1[3-9]\d{9})$`)
	landline = regexp.MustCompile(`^0([1-9]\d{8,10})$`)
	service  = regexp.MustCompile(`^([48]00\d{7})$`)
	complete = regexp.MustCompile(`^86(\d{10,11})$`)
)

// e164 reads a number as the platform has it: complete with + or 00, or one of China's. Empty: it is none, but an extension or a short code that
// only means something there.
func e164(text string) string {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -.()", r) {
			return -1
		}
		return r
	}, text)
	if rest, ok := strings.CutPrefix(text, "00"); ok {
		text = "+" + rest
	}
	if strings.HasPrefix(text, "+") {
		return text
	}
	for _, form := range []*regexp.Regexp{mobile, landline, service, complete} {
		if m := form.FindStringSubmatch(text); m != nil {
			return "+86" + m[1]
		}
	}
	return ""
}
