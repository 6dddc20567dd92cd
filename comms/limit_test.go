package comms

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	th := newThrottle(Throttle{PIN: Rate{3, time.Hour}})
	for i := range 3 {
		if err := th.take("pin", th.PIN, "a"); err != nil {
			t.Fatalf("try %d: %v", i+1, err)
		}
	}
	e := AsError(th.take("pin", th.PIN, "a"))
	if e == nil || e.Code != Limited || e.RetryAfter <= 19*time.Minute || e.RetryAfter > 20*time.Minute {
		t.Fatalf("the fourth of three an hour: %+v", e)
	}
	again := AsError(th.take("pin", th.PIN, "a"))
	if again == nil || again.RetryAfter > e.RetryAfter {
		t.Errorf("a refused try cost another: %v", again)
	}
	if err := th.take("pin", th.PIN, "b"); err != nil {
		t.Errorf("another key: %v", err)
	}
	if err := th.take("login", th.PIN, "a"); err != nil {
		t.Errorf("another kind: %v", err)
	}
	th.forgive("pin", "a")
	if err := th.take("pin", th.PIN, "a"); err != nil {
		t.Errorf("after a right try: %v", err)
	}
	for range 100 {
		if err := th.take("login", th.Login, "a"); err != nil {
			t.Fatalf("a rate of zero limits: %v", err)
		}
	}
}

func TestThrottleIsBounded(t *testing.T) {
	th := newThrottle(Throttle{})
	r := Rate{1, time.Hour}
	for i := range 3 * throttleKeys {
		if err := th.take("k", r, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(th.young) + len(th.old); n > 2*throttleKeys {
		t.Errorf("%d keys", n)
	}
	if err := th.take("k", r, fmt.Sprint(3*throttleKeys-1)); !IsCode(err, Limited) {
		t.Errorf("the newest key was forgotten: %v", err)
	}
}

func TestOriginKey(t *testing.T) {
	for origin, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "192.0.2.7:443": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:80": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
		"": "", "a name": "a name",
	} {
		if got := originKeyOf(origin); got != want {
			t.Errorf("%q: %q, want %q", origin, got, want)
		}
	}
}

var phones = map[string]string{ // "": not a phone number
	"+886912345678": "+886912345678", "886912345678": "+886912345678", "00886912345678": "+886912345678",
	"+886 912-345.678": "+886912345678", "+1 (202) 555-0123": "+12025550123", "+999123456789": "+999123456789",
	" +999123456789 ": "+999123456789", "1234567": "+1234567", "+123456789012345": "+123456789012345",
	"": "", "+": "", "123456": "", "+1234567890123456": "", "+0886912345678": "", "0912345678": "", "++886912345678": "",
	"886+912345678": "", "+886912345678x12": "", "+８８６912345678": "", "+886\x00912345678": "", "+00886912345678": "",
	"+886912345678" + strings.Repeat(" ", 64): "",
}

func TestCanonical(t *testing.T) {
	for text, want := range phones {
		got, err := canonical("to", text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
		if e := AsError(err); e != nil && (e.Code != Invalid || e.Field != "to" || text != "" && len(text) > 1 && strings.Contains(e.Text, text)) {
			t.Errorf("%q: %+v", text, e)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for text := range phones {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := canonical("to", text)
		if err != nil {
			return
		}
		if again, err := canonical("to", got); err != nil || again != got || len(got) < 8 || len(got) > 16 || got[0] != '+' || got[1] == '0' {
			t.Errorf("%q became %q, and that %q, %v", text, got, again, err)
		}
	})
}

func TestCanonicalEmail(t *testing.T) {
	for email, want := range map[string]string{
		"User@Example.COM": "user@example.com", "a+b@example.com": "a+b@example.com", "ü@example.com": "ü@example.com",
		"": "", "a": "", "a@": "", "@b": "", "Name <a@example.com>": "", " a@example.com": "", "a@example.com\n": "",
		"a@example.com, b@example.com": "", "a@example.com (x)": "", "a\x00@example.com": "", "\xff@example.com": "",
		strings.Repeat("a", 251) + "@b.c": "", strings.Repeat("a", 242) + "@example.com": strings.Repeat("a", 242) + "@example.com",
	} {
		got, err := canonicalEmail(email)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", email, got, err, want)
		}
	}
}
