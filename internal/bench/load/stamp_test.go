package load

import (
	"bytes"
	"testing"
	"time"
)

func TestStamp(t *testing.T) {
	want := Stamp{At: 1763757600123456789, Seq: 4711}
	text := want.AppendTo(nil)
	if got := "@T1763757600123456789#000004711@"; len(text) != Size || !bytes.HasPrefix(text, []byte(got)) {
		t.Fatalf("%d bytes: %s", len(text), text)
	}
	for _, around := range []string{"%s", `{"id":"1","text":"%s"}`, "\x81\x7e%s"} {
		p := bytes.Replace([]byte(around), []byte("%s"), text, 1)
		if got, ok := FindStamp(p); !ok || got != want {
			t.Errorf("in %q: %v %t", around, got, ok)
		}
	}
}

func TestNoStamp(t *testing.T) {
	for _, p := range []string{"", "@T", "@T12", "@T1763757600123456789", "@T1763757600123456789#00000471", "@T1763757600123456789-000004711@",
		"@T17637576001234567x9#000004711@", "@T1763757600123456789#0000z4711@", `{"text":"nothing"}`} {
		if s, ok := FindStamp([]byte(p)); ok {
			t.Errorf("%q: %v", p, s)
		}
	}
}

func TestCountStamps(t *testing.T) {
	var p []byte
	for i := range 50 {
		p = append(Now(i).AppendTo(append(p, `{"text":"`...)), `"},`...)
	}
	if n := CountStamps(p); n != 50 {
		t.Fatalf("%d", n)
	}
}

func TestNow(t *testing.T) {
	before := time.Now().UnixNano()
	s := Now(7)
	if after := time.Now().UnixNano(); s.Seq != 7 || s.At < before || s.At > after {
		t.Fatalf("%v is not between %d and %d", s, before, after)
	}
}

func FuzzFindStamp(f *testing.F) {
	f.Add([]byte("@T1763757600123456789#000004711@xxx"))
	f.Add([]byte("@T"))
	f.Fuzz(func(t *testing.T, p []byte) {
		s, ok := FindStamp(p)
		if !ok {
			return
		}
		if again, ok := FindStamp(s.AppendTo(nil)); !ok || again != s {
			t.Fatalf("%v became %v", s, again)
		}
	})
}
