package media

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"
)

func addrOf(l *Leg) netip.AddrPort { return netip.AddrPortFrom(home, l.pair.port) }

// raw is a UDP port whose packets are looked at as they are.
type raw struct {
	t    testing.TB
	conn *net.UDPConn
}

func newRaw(t testing.TB) *raw {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(home, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return &raw{t: t, conn: conn}
}

func (r *raw) port() string { return strconv.Itoa(r.conn.LocalAddr().(*net.UDPAddr).Port) }

func (r *raw) next() []byte {
	r.t.Helper()
	if err := r.conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	b := make([]byte, 2048)
	n, _, err := r.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		r.t.Fatal(err)
	}
	return b[:n]
}

// send sends RTCP to a leg and waits until it was heard.
func (r *raw) send(t testing.TB, l *Leg, b []byte) {
	t.Helper()
	before := l.heardAt.Load()
	if _, err := r.conn.WriteToUDPAddrPort(b, netip.AddrPortFrom(home, l.pair.port+1)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); l.heardAt.Load() == before; {
		if time.Now().After(end) {
			t.Fatal("RTCP was not heard")
		}
	}
}

// freeRange finds ports that are free now; the kernel chooses where.
func freeRange(t *testing.T, size int) uint16 {
	t.Helper()
	for range 50 {
		port := newRaw(t).conn.LocalAddr().(*net.UDPAddr).Port
		if port&1 == 0 && port+size < 65536 && allFree(port+1, size) {
			return uint16(port + 2)
		}
	}
	t.Fatal("no free ports")
	return 0
}

func allFree(from, size int) bool {
	for port := from; port < from+size; port++ {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(home, uint16(port))))
		if err != nil || conn.Close() != nil {
			return false
		}
	}
	return true
}

// All pairs of the range are given out, each once, even and odd; then there are none; and what is closed can be had again, the one that
// was closed first before the others.
func TestPorts(t *testing.T) {
	low := freeRange(t, 12)
	e, err := New(Options{Bind: home, PortMin: low, PortMax: low + 7})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	var legs []*Leg
	for i := range 4 {
		l := openLeg(t, e, LegOptions{})
		if l.pair.port != low+uint16(2*i) {
			t.Errorf("leg %d has port %d", i, l.pair.port)
		}
		legs = append(legs, l)
	}
	if _, err := e.Open(LegOptions{}); !errors.Is(err, ErrNoPort) {
		t.Errorf("a fifth leg: %v", err)
	}
	legs[2].Close()
	legs[2].Close()
	legs[0].Close()
	if first, second := openLeg(t, e, LegOptions{}), openLeg(t, e, LegOptions{}); first.pair.port != low+4 || second.pair.port != low {
		t.Errorf("given out again: %d, then %d", first.pair.port, second.pair.port)
	}
	if _, err := e.Open(LegOptions{}); !errors.Is(err, ErrNoPort) {
		t.Errorf("closing twice freed two: %v", err)
	}
}

// A port that another program holds is passed over.
func TestPortsThatOthersHold(t *testing.T) {
	low := freeRange(t, 8)
	other, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(home, low+1)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}()
	e, err := New(Options{Bind: home, PortMin: low, PortMax: low + 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	if l := openLeg(t, e, LegOptions{}); l.pair.port != low+2 {
		t.Errorf("port %d", l.pair.port)
	}
}

func TestBadRange(t *testing.T) {
	for _, o := range []Options{{Bind: home, PortMin: 5, PortMax: 4}, {Bind: home, PortMin: 5000, PortMax: 5000}, {}} {
		if e, err := New(o); err == nil {
			t.Errorf("%v was accepted", o)
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// After a thousand legs no descriptor is left open, and an engine that is closed has closed its legs.
func TestNothingLeaks(t *testing.T) {
	e, err := New(Options{Bind: home})
	if err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for range 100 {
		var legs []*Leg
		for range 10 {
			legs = append(legs, openLeg(t, e, LegOptions{}))
		}
		for _, l := range legs {
			l.Close()
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, before there were %d", after, before)
	}
	left := openLeg(t, e, LegOptions{})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if !left.closed.Load() {
		t.Error("a leg outlived its engine")
	}
	if _, err := e.Open(LegOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a leg of a closed engine: %v", err)
	}
	if _, err := left.Offer(); !errors.Is(err, ErrClosed) {
		t.Errorf("an offer of a closed leg: %v", err)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
