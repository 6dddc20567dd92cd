package sip

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What belongs to calls goes first, each kind in the order in which it came; what is refused does not wait; and there is an end to what may.
func TestIntake(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.Dial("udp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	in, err := newDatagrams(conn)
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	q := &intake{in: in, lost: func() { lost++ }, judge: func(data []byte, _ datagram) sentence {
		return sentence{pass: !bytes.HasPrefix(data, []byte("no")), within: bytes.HasPrefix(data, []byte("in"))}
	}}
	for _, text := range []string{"new 1", "in 1", "no", "new 2", "in 2"} {
		if _, err := peer.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	room, before := make([]byte, mostMessage), time.Now()
	for _, want := range []string{"in 1", "in 2", "new 1", "new 2"} {
		n, d, fresh, err := q.next(room)
		if err != nil || string(room[:n]) != want || fresh != (want[0] == 'n') || d.from.String() != peer.LocalAddr().String() {
			t.Errorf("%q %+v, new %t, %v, instead of %q", room[:n], d, fresh, err, want)
		}
		if d.at.After(time.Now()) || d.at.Before(before.Add(-time.Second)) {
			t.Errorf("it came at %s", d.at)
		}
	}
	from := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	for range mostWaiting/mostMessage + 1 {
		q.put(room, from, before)
	}
	if lost != 1 {
		t.Errorf("%d have no room", lost)
	}
	if q.put(append([]byte("in"), room[2:]...), from, before); lost != 1 {
		t.Error("there is no room for what belongs to calls")
	}
	conn.Close()
	for range mostWaiting/mostMessage + 1 {
		if n, _, _, err := q.next(room); n == 0 || err != nil {
			t.Fatalf("what was there is lost: %d, %v", n, err)
		}
	}
	if n, _, _, err := q.next(room); n != 0 || err == nil {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

// An address that is good on one network alone says on which, or who has it could not be answered.
func TestSourceOnOneNetwork(t *testing.T) {
	var d datagrams
	for scope, want := range map[uint32]string{0: "[fe80::1]:0", 7: "[fe80::1%7]:0"} {
		d.names[0] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: netip.MustParseAddr("fe80::1").As16(), Scope_id: scope}
		if got := d.source(0).String(); got != want {
			t.Errorf("%s instead of %s", got, want)
		}
	}
}
