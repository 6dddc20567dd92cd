package sip

import (
	"errors"
	"net"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms"
)

// Whatever a server began is over when Serve returns: sockets, connections, goroutines, the registrations of its trunks.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	d := openDesk(t, Options{TLS: "127.0.0.1:0"})
	d.phone("1001", "pa55-word-1001")
	for _, by := range []string{"UDP", "TCP", "TLS"} {
		w := d.dial(by)
		if r := w.register(inquiry{user: "1001", callID: by, cseq: 1, more: []string{"Contact: <sip:1001@" + w.local().String() + ">"}}, "pa55-word-1001"); r.StatusCode != 200 {
			t.Fatal(r)
		}
	}
	if s := d.Stats(); s.Contacts != 3 || s.Phones != 1 || s.Streams != 2 || s.Registered != 3 {
		t.Errorf("%+v", s)
	}
	at, secure := d.Addr().String(), d.TLSAddr().String()
	d.leave()
	if err := <-d.served; err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{at, secure} {
		if c, err := net.Dial("tcp", a); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s still listens: %v, %v", a, c, err)
		}
	}
	u, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Errorf("the UDP socket is still open: %v", err)
	} else {
		u.Close()
	}
	d.until("no goroutine more than before", func() bool {
		if runtime.NumGoroutine() <= before {
			return true
		}
		b := make([]byte, 1<<20)
		return !strings.Contains(string(b[:runtime.Stack(b, true)]), "providers/sip.(*Server)")
	})
}

// Where a socket can't be had nothing is left open, and the reason is told.
func TestCannotListen(t *testing.T) {
	d := newDesk(t, Options{})
	taken := d.Addr().String()
	for name, o := range map[string]Options{
		"UDP is taken":   {Listen: taken},
		"TLS is taken":   {Listen: "127.0.0.1:0", TLS: taken, Data: t.TempDir()},
		"no such host":   {Listen: "256.0.0.1:0"},
		"no port":        {Listen: "127.0.0.1"},
		"no certificate": {Listen: "127.0.0.1:0", TLS: "127.0.0.1:0", Certificate: "none.pem", Key: "none.pem"},
		"media ports":    {Listen: "127.0.0.1:0", MediaPorts: "9-8"},
	} {
		if s, err := New(d.rules, o); err == nil {
			t.Errorf("%s: it listens at %s", name, s.Addr())
		}
	}
}

// On all addresses, requests leave from the socket that listens, and name the address that reaches their peer.
func TestAllAddresses(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "127.0.0.1:0", "localhost:0"} {
		d := newDesk(t, Options{Listen: listen})
		c := openCarrier(t)
		address := c.at()
		d.line("carrier", comms.TrunkWish{Address: &address, Prefixes: []string{"86"}})
		d.serve()
		req := c.next(sip.OPTIONS)
		port := strconv.Itoa(int(d.Addr().Port()))
		if req.Via().SentBy() != "127.0.0.1:"+port || req.Source() != "127.0.0.1:"+port {
			t.Errorf("%s: from %s: %s", listen, req.Source(), req)
		}
		c.say(req, 200, "OK")
		d.until("the answer", func() bool { s, _ := d.trunkNamed("carrier"); return s.Reachable })
	}
}

// Behind a router, those outside are told another address than those beside us.
func TestHostFor(t *testing.T) {
	d := newDesk(t, Options{PublicAddress: "203.0.113.5"})
	for peer, want := range map[string]string{"198.51.100.1:5060": "203.0.113.5", "carrier.example.com:5060": "203.0.113.5", "127.0.0.1:5060": "127.0.0.1",
		"10.1.2.3:5060": "127.0.0.1", "[fe80::1]:5060": "127.0.0.1"} {
		if got, port := d.localFor(address{transport: "udp", at: peer}); got != want || port != int(d.Addr().Port()) {
			t.Errorf("%s is told %s:%d", peer, got, port)
		}
	}
	all := newDesk(t, Options{Listen: "0.0.0.0:0"})
	for range 2 {
		if got, _ := all.localFor(address{transport: "tcp", at: "127.0.0.1:5060"}); got != "127.0.0.1" {
			t.Errorf("on all addresses: %s", got)
		}
	}
}
