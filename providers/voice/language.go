package voice

import (
	"strings"
	"unicode"
)

// fallback is spoken where the letters are Latin and nothing else is known: which of a hundred languages they write, a short notice
// doesn't tell.
const fallback = "en"

// scripts and the language that is most likely meant by each. Where a script is shared, a few letters tell the others (tells).
var scripts = []struct {
	letters *unicode.RangeTable
	lang    string
	weight  int // a Chinese character is a word, a Latin letter a fifth of one
}{
	{unicode.Han, "zh", 4},
	{unicode.Hiragana, "ja", 2},
	{unicode.Katakana, "ja", 2},
	{unicode.Hangul, "ko", 2},
	{unicode.Cyrillic, "ru", 1},
	{unicode.Arabic, "ar", 1},
	{unicode.Greek, "el", 1},
	{unicode.Hebrew, "he", 1},
	{unicode.Thai, "th", 1},
	{unicode.Devanagari, "hi", 1},
	{unicode.Bengali, "bn", 1},
	{unicode.Tamil, "ta", 1},
	{unicode.Telugu, "te", 1},
	{unicode.Gujarati, "gu", 1},
	{unicode.Kannada, "kn", 1},
	{unicode.Malayalam, "ml", 1},
	{unicode.Gurmukhi, "pa", 1},
	{unicode.Sinhala, "si", 1},
	{unicode.Myanmar, "my", 1},
	{unicode.Georgian, "ka", 1},
	{unicode.Armenian, "hy", 1},
	{unicode.Ethiopic, "am", 1},
}

// tells are letters that one language has and its script's most likely one has not.
var tells = []struct{ among, letters, lang string }{
	{"ru", "іїєґІЇЄҐ", "uk"},
	{"ar", "پچژگ", "fa"},
}

// Detect finds the language that a text is written in, from its letters alone. Other letters than Latin ones decide even where they are
// fewer: a notice in Chinese names brands and codes in Latin letters, the reverse is rare.
func Detect(text string) string {
	weights := map[string]int{}
	latin := 0
	for _, r := range text {
		if unicode.Is(unicode.Latin, r) {
			latin++
			continue
		}
		for _, s := range scripts {
			if unicode.Is(s.letters, r) {
				weights[s.lang] += s.weight
				break
			}
		}
	}
	if weights["ja"] > 0 { // Japanese is written with Chinese characters too, Chinese never with kana
		weights["ja"] += weights["zh"]
	}
	best := fallback
	for _, s := range scripts { // in the order of the table, so that a draw always ends alike
		if weights[s.lang] > weights[best] {
			best = s.lang
		}
	}
	if 2*weights[best] < latin {
		return fallback
	}
	for _, t := range tells {
		if best == t.among && strings.ContainsAny(text, t.letters) {
			return t.lang
		}
	}
	return best
}

// likely are tags that espeak-ng knows by another name.
var likely = map[string]string{
	"en": "en-us", "fr": "fr-fr", "no": "nb", "nn": "nb", "iw": "he", "in": "id", "tl": "id", "sh": "hr", "vi-vn": "vi",
}

// chinese: espeak-ng knows Mandarin as cmn and Cantonese as yue, where BCP 47 mostly says zh and a region.
func chinese(lang string) (string, bool) {
	if lang != "zh" && !strings.HasPrefix(lang, "zh-") {
		return "", false
	}
	if strings.Contains(lang, "-yue") || strings.HasSuffix(lang, "-hk") || strings.HasSuffix(lang, "-mo") {
		return "yue", true
	}
	return "cmn", true
}
