package sip

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// openTestIntake takes what begins with i as belonging to calls, and counts what is lost.
func openTestIntake(t *testing.T) (q *intake, lost *int) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	in, err := newDatagrams(conn)
	if err != nil {
		t.Fatal(err)
	}
	lost = new(int)
	return &intake{in: in, lost: func() { *lost++ }, judge: func(data []byte, _ datagram) sentence {
		return sentence{pass: true, within: data[0] == 'i'}
	}}, lost
}

// Anybody can make up what looks like a part of a call. However much of that comes, it neither takes the room of new calls, nor are these
// left waiting for ever.
func TestNewCallsGetTheirTurn(t *testing.T) {
	q, lost := openTestIntake(t)
	from, now := netip.MustParseAddrPort("192.0.2.1:5060"), time.Now()
	for *lost == 0 {
		q.put([]byte("in"), from, now)
	}
	q.put([]byte("new"), from, now)
	if *lost != 1 {
		t.Error("what belongs to calls takes the room of new ones")
	}
	room := make([]byte, mostMessage)
	for range inARow + 1 {
		if _, _, fresh, err := q.next(room); err != nil {
			t.Fatal(err)
		} else if fresh {
			return
		}
		q.put([]byte("in"), from, now)
	}
	t.Errorf("a new call waits behind %d messages that came before and after it", inARow+1)
}

// The memory of what waits is bounded, however small the messages are.
func TestSmallMessagesTakeBoundedMemory(t *testing.T) {
	q, lost := openTestIntake(t)
	from, now := netip.MustParseAddrPort("192.0.2.1:5060"), time.Now()
	for _, text := range []string{"in", "new"} {
		for *lost = 0; *lost == 0; {
			q.put([]byte(text), from, now)
		}
	}
	held := 0
	for _, lane := range q.lanes {
		for _, d := range lane {
			held += cap(d.data)
		}
	}
	if held > 2*mostWaiting {
		t.Errorf("%d messages hold %d bytes, more than %d", len(q.lanes[0])+len(q.lanes[1]), held, 2*mostWaiting)
	}
}
