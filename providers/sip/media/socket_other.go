//go:build !linux

package media

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Elsewhere than on Linux each socket has a goroutine of its own: right, but dearer. It is there for those who develop on a laptop.
const packetRoom = 2048

type sockaddr struct{ to netip.AddrPort }

func sockaddrOf(to netip.AddrPort, _ bool) sockaddr { return sockaddr{to: to} }

func (s *sockaddr) known() bool { return s.to.IsValid() }

type socket struct {
	conn *net.UDPConn
	six  bool
	done sync.WaitGroup
}

type poller struct{}

func newPoller() (*poller, error) { return &poller{}, nil }

func (p *poller) close() error { return nil }

func (p *poller) listen(at netip.AddrPort, control bool, to receiver) (*socket, uint16, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, 0, fmt.Errorf("media: bind a port: %w", err)
	}
	s := &socket{conn: conn, six: at.Addr().Is6()}
	s.done.Go(func() { s.read(control, to) })
	return s, conn.LocalAddr().(*net.UDPAddr).AddrPort().Port(), nil
}

func (s *socket) read(control bool, to receiver) {
	room := make([]byte, packetRoom)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(room)
		if err != nil {
			return // closed
		}
		to.arrived(control, room[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), time.Now())
	}
}

func (s *socket) send(packet []byte, to *sockaddr) error {
	_, err := s.conn.WriteToUDPAddrPort(packet, to.to)
	return err
}

func (s *socket) close() {
	_ = s.conn.Close() // a UDP socket has nothing to lose
	s.done.Wait()
}
