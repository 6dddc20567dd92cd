package privacycall

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
)

func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"18326000000": "+8618326000000", "8618326000000": "+8618326000000", "+8618326000000": "+8618326000000", "008618326000000": "+8618326000000",
		"018326000000": "+8618326000000", "+86 183-2600-0000": "+8618326000000", "02151860000": "+862151860000", "2151860000": "+862151860000",
		"862151860000": "+862151860000", "8602151860000": "+862151860000", "+8602151860000": "+862151860000", "(021) 5186 0000": "+862151860000",
		"01051860000": "+861051860000", "1051860000": "+861051860000", "057151860001": "+8657151860001", "+33123456789": "+33123456789",
		"0033123456789": "+33123456789", "+999000000001": "+999000000001", "999000000001": "+999000000001",
		"": "", "x": "", "+": "", "1832600000": "", "183260000000": "", "12345": "", "5186000": "", "++8618326000000": "", "86": "", "0": "", "+0123456789": "",
		"18326000000,": "", "1832600000０": "", strings.Repeat("1", 65): "", "99900000001": "+8699900000001",
	} {
		got, err := partyNumber("Caller", text)
		if got != want || (err != nil) != (want == "") || err != nil && failureOf(err).flag != flagBadNumber {
			t.Errorf("%q: %q %v, want %q", text, got, err, want)
		}
	}
	if shown("+862151860000") != "862151860000" {
		t.Error(shown("+862151860000"))
	}
}

func TestTimeStamps(t *testing.T) {
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	for stamp, want := range map[string]bool{
		"20260520120000": true, "20260520121000": true, "20260520115000": true, "20260520121001": false, "20260520114959": false,
		"20260520200000": true, "20260520201000": true, "20260520201001": false, "20260520160000": false, "20260519120000": false,
	} {
		if fresh(stamp, now) != want {
			t.Errorf("%s: %v", stamp, !want)
		}
	}
}

// What reads a body takes one object of unique names, or says why not; what reads its values never makes one up.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{"ACCOUNTSID":"a","APPID":"b","Caller":18326000000,"Direct":null,"EndMinute":"25"}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, "{", "[]",
		`{"Caller":1e400}`, `{"EndMinute":"2016-05-20T23:59:59Z"}`, "{\"a\":\"\xff\"}", ` {"a" : { } } `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in, err := parseObject([]byte(text))
		if err != nil {
			if r, ok := errors.AsType[refusal](err); !ok || r.flag != flagMissing {
				t.Fatal(err)
			}
			return
		}
		b, err := bindingOf(&request{app: &comms.Application{}, in: in})
		if err != nil {
			if r, ok := errors.AsType[refusal](err); !ok || r.flag < 100000 || r.text == "" {
				t.Fatal(err)
			}
			return
		}
		if !e164.MatchString(b.Caller) || !e164.MatchString(b.Callee) || b.VirtualNum != "" && !e164.MatchString(b.VirtualNum) || b.TTL < 0 || b.TTL != 0 && b.ExpiresAt != 0 {
			t.Errorf("%q became %+v", text, b)
		}
	})
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"a:b:20260520120000", "a:b", "", ":::", "a:b:2026052012000x", "\xff"} {
		f.Add(seed)
		f.Add(base64.StdEncoding.EncodeToString([]byte(seed)))
		f.Add(base64.RawStdEncoding.EncodeToString([]byte(seed)))
	}
	f.Fuzz(func(t *testing.T, header string) {
		s, err := readAuthorization(header)
		if err != nil {
			if r, ok := errors.AsType[refusal](err); !ok || r.flag < flagNoAuthorization || r.flag > flagNotSigned {
				t.Fatal(err)
			}
			return
		}
		if s.token == "" || s.appID == "" || s.text != s.token+":"+s.appID+":"+s.stamp || len(s.sig()) != 32 || len(s.stamp) != len(stampLayout) {
			t.Errorf("%q became %+v", header, s)
		}
	})
}
