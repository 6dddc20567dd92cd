package pool

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/internal/clock"
)

// Twenty within any minute: the window slides, who is refused isn't counted, and one account takes nothing from another.
func TestTwentyInAnyMinute(t *testing.T) {
	var a asks
	account, other := uuid.New(), uuid.New()
	at := func(seconds float64) clock.Micros { return clock.Micros(1e15 + seconds*1e6) }
	for i := range asksPerWindow {
		if wait := a.take(account, at(float64(i))); wait != 0 {
			t.Fatalf("%d: %s", i, wait)
		}
	}
	for _, c := range []struct {
		account uuid.UUID
		second  float64
		wait    time.Duration
	}{
		{account, 19.5, 40*time.Second + 500*time.Millisecond}, {account, 30, 30 * time.Second}, {other, 30, 0}, {account, 59.9, 100 * time.Millisecond},
		{account, 60, 0}, {account, 60, time.Second}, {account, 61, 0}, {account, 61.5, 500 * time.Millisecond}, {account, 300, 0},
	} {
		if wait := a.take(c.account, at(c.second)); wait != c.wait {
			t.Errorf("at %.1f s: %s, want %s", c.second, wait, c.wait)
		}
	}
	if a.take(other, at(1000)); len(a.at) != 1 {
		t.Errorf("%d accounts are remembered", len(a.at))
	}
}

// Whether something between a telephone and us changed its address.
func TestNAT(t *testing.T) {
	for _, c := range []struct {
		uri, source, transport string
		nat                    bool
	}{
		{"sip:2000@192.0.2.7:5062;transport=udp", "192.0.2.7:5062", "udp", false},
		{"sip:2000@192.0.2.7:5062", "192.0.2.7:40000", "udp", true},
		{"sip:2000@192.0.2.7:5062", "192.0.2.7:40000", "tcp", false},
		{"sip:2000@192.168.1.5:5060", "192.0.2.7:5060", "udp", true},
		{"sip:2000@192.168.1.5:5060", "192.0.2.7:40000", "tls", true},
		{"sip:192.0.2.7", "192.0.2.7:5060", "udp", false},
		{"sips:a%40b@192.0.2.7?x=@y", "192.0.2.7:5061", "udp", false},
		{"sip:2000@[2001:db8::1]:5060;ob", "[2001:db8::1]:5060", "udp", false},
		{"sip:2000@[2001:db8::1]", "[2001:db8:0::1]:5060", "udp", false},
		{"sip:2000@[fe80::1]", "[fe80::1%eth0]:5060", "udp", false},
		{"sip:x@nobody.invalid;transport=ws", "192.0.2.7:40000", "ws", true},
	} {
		if got := translated(&ent.Contact{URI: c.uri, Source: c.source, Transport: c.transport}); got != c.nat {
			t.Errorf("%s from %s over %s: %t", c.uri, c.source, c.transport, got)
		}
	}
}
