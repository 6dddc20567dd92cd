package call

import (
	"fmt"
	"strings"
	"testing"
)

func TestReadDialled(t *testing.T) {
	for text, want := range map[string]string{
		"17118230000":     "17118230000 [+17118230000 +8617118230000] +8617118230000 ",
		"+8617118230000":  " [+8617118230000] +8617118230000 ",
		"8617118230000":   "8617118230000 [+8617118230000] +8617118230000 ",
		"008617118230000": "008617118230000 [+8617118230000] +8617118230000 ",
		"021 5186 0000":   "02151860000 [+862151860000] +862151860000 ",
		"(021) 5186-0000": "02151860000 [+862151860000] +862151860000 ",
		"2001":            "2001 []  ",
		"8610":            "8610 []  ",
		"86101234567":     "86101234567 [+86101234567 +8686101234567] +8686101234567 ",
		"+999000000001":   " [+999000000001] +999000000001 ",
		"999000000001":    "999000000001 [+999000000001 +86999000000001] +86999000000001 ",
		"17118230000*12":  "17118230000 [+17118230000 +8617118230000] +8617118230000 12",
		"+8617118230000;postd=12;phone-context=x": " [+8617118230000] +8617118230000 12",
		"+8617118230000;postd=p12":                " [+8617118230000] +8617118230000 ",
		"+8617118230000;user=phone":               " [+8617118230000] +8617118230000 ",
		"110":                                     "110 []  ",
		"+0123456789":                             " []  ",
		"+1234567890123456":                       " []  ",
		"alice":                                   " []  ",
		"":                                        " []  ",
		"+":                                       " []  ",
		"*43":                                     " []  ",
		"+86*":                                    " []  ",
		"１７１１８２３００００":                             " []  ",
		strings.Repeat("1", 33):                   " []  ",
	} {
		d := readDialled(text, "86")
		if got := fmt.Sprint(d.digits, " ", d.numbers, " ", d.outside, " ", d.extension); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What a trunk says of who calls, in the ways in which trunks do.
func TestReadCaller(t *testing.T) {
	for text, want := range map[string]string{"": "", "anonymous": "", "+4930123456": "+4930123456", "004930123456": "+4930123456",
		"13800000001": "+8613800000001", "8613800000001": "+8613800000001", "013800000001": "+8613800000001", "02151860000": "+862151860000"} {
		if got := readCaller(text, "86"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := readCaller("12025550123", "1"); got != "+12025550123" {
		t.Error(got)
	}
}

func FuzzReadDialled(f *testing.F) {
	for _, seed := range []string{"17118230000", "+86 171*1;postd=2", "0086", "**", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := readDialled(text, "86")
		for _, n := range append(d.numbers, d.outside) {
			if n != "" && e164(strings.TrimPrefix(n, "+")) != n {
				t.Errorf("%q is read as %q", text, n)
			}
		}
		if d.extension != "" && !allDigits(d.extension) || d.digits != "" && !allDigits(d.digits) {
			t.Errorf("%q: %+v", text, d)
		}
	})
}

func TestIsWorld(t *testing.T) {
	for n, want := range map[string]bool{"+999000000001": true, "+999000000009": true, "+999000000000": false, "+9990000000010": false,
		"999000000001": false, "+99900000000a": false, "": false} {
		if IsWorld(n) != want {
			t.Errorf("%q: %v", n, !want)
		}
	}
}
