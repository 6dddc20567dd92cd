package media

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The sockets of all legs are read by a few pollers. Go's own poller costs two reads for each packet (the first finds nothing and
// parks the goroutine) and a switch of goroutines; at 50 packets a second for each leg that was a third of the whole cost of a call.
const (
	batch      = 8                    // packets read from one socket at once: a sender that was held up sends its backlog as a burst
	mostEvents = 512                  // sockets looked after before the kernel is asked again
	gather     = 2 * time.Millisecond // between two looks: waking up costs as much as relaying; nobody hears two milliseconds
	packetRoom = 2048                 // more than any RTP packet on an Ethernet; longer ones are cut off and thrown away
)

// sockaddr is an address as the kernel wants it, made once for each destination and not for each packet.
type sockaddr struct {
	raw  unix.RawSockaddrInet6 // or a RawSockaddrInet4 in its first bytes
	size uint32
}

func sockaddrOf(to netip.AddrPort, six bool) (s sockaddr) {
	if six {
		s.raw = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: networkOrder(to.Port()), Addr: to.Addr().As16()}
		s.size = unix.SizeofSockaddrInet6
		return s
	}
	four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
	*four = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkOrder(to.Port()), Addr: to.Addr().Unmap().As4()}
	s.size = unix.SizeofSockaddrInet4
	return s
}

func (s *sockaddr) known() bool { return s.size != 0 }

func (s *sockaddr) addrPort() netip.AddrPort {
	port := networkOrder(s.raw.Port)
	if s.raw.Family == unix.AF_INET6 {
		return netip.AddrPortFrom(netip.AddrFrom16(s.raw.Addr).Unmap(), port)
	}
	four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
	return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port)
}

// networkOrder turns a port's bytes round where the machine needs it; its own inverse.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

// socket is one UDP port of a leg.
type socket struct {
	fd      int
	poller  *poller
	six     bool
	control bool // RTCP
	to      receiver
}

// listen binds a port; what arrives there is told to the receiver until the socket is closed.
func (p *poller) listen(at netip.AddrPort, control bool, to receiver) (*socket, uint16, error) {
	s := &socket{poller: p, six: at.Addr().Is6(), control: control, to: to}
	family := unix.AF_INET
	if s.six {
		family = unix.AF_INET6
	}
	var err error
	if s.fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, 0, fmt.Errorf("media: open a socket: %w", err)
	}
	if err = unix.Bind(s.fd, bindAddr(at)); err == nil {
		err = p.add(s)
	}
	if err != nil {
		_ = unix.Close(s.fd) // nothing was sent or received on it
		return nil, 0, fmt.Errorf("media: bind a port: %w", err)
	}
	port := at.Port()
	if port == 0 { // the kernel has chosen
		port, err = portOf(s.fd)
	}
	if err != nil {
		s.close()
		return nil, 0, err
	}
	return s, port, nil
}

func bindAddr(at netip.AddrPort) unix.Sockaddr {
	if at.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
}

func portOf(fd int) (uint16, error) {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("media: name of a socket: %w", err)
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port), nil
	case *unix.SockaddrInet6:
		return uint16(a.Port), nil
	}
	return 0, fmt.Errorf("media: a socket of family %T", name)
}

// send gives one packet to the kernel. It never waits: a full socket buffer drops the packet, as the network would. The system call is
// a raw one, because it takes a microsecond or two: telling Go's scheduler of each would cost a tenth as much again.
func (s *socket) send(packet []byte, to *sockaddr) error {
	if len(packet) == 0 || !to.known() {
		return net.ErrWriteToConnected
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(packet))), uintptr(len(packet)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&to.raw)), uintptr(to.size))
	runtime.KeepAlive(packet)
	if errno != 0 {
		return errno
	}
	return nil
}

// close ends the socket. Nobody may be sending on it any more: the number of its descriptor is free for somebody else at once.
func (s *socket) close() {
	s.poller.mu.Lock()
	defer s.poller.mu.Unlock()
	if s.fd < len(s.poller.sockets) && s.poller.sockets[s.fd] == s {
		s.poller.sockets[s.fd] = nil
		_ = unix.Close(s.fd) // leaves the epoll set by that; a UDP socket has nothing to lose
	}
}

// poller waits for many sockets with one goroutine.
type poller struct {
	epoll, wake int
	done        chan struct{}

	mu      sync.Mutex // held while packets are handed on, so that no descriptor is closed and used again meanwhile
	sockets []*socket  // by descriptor
	room    [batch][packetRoom]byte
	names   [batch]sockaddr
	parts   [batch]unix.Iovec
	msgs    [batch]message
}

// message is the kernel's struct mmsghdr.
type message struct {
	hdr  unix.Msghdr
	size uint32
	_    [4]byte
}

func newPoller() (*poller, error) {
	p := &poller{done: make(chan struct{})}
	var err error
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("media: epoll: %w", err)
	}
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err == nil {
		err = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, p.wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.wake)})
	}
	if err != nil {
		_ = unix.Close(p.epoll) // the first error is the one to tell
		return nil, fmt.Errorf("media: epoll: %w", err)
	}
	for i := range p.msgs {
		p.parts[i] = unix.Iovec{Base: &p.room[i][0]}
		p.parts[i].SetLen(packetRoom)
		p.msgs[i].hdr.Iov = &p.parts[i]
		p.msgs[i].hdr.SetIovlen(1)
		p.msgs[i].hdr.Name = (*byte)(unsafe.Pointer(&p.names[i].raw))
	}
	go p.run()
	return p, nil
}

func (p *poller) add(s *socket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s.fd >= len(p.sockets) {
		p.sockets = append(p.sockets, nil)
	}
	p.sockets[s.fd] = s
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.fd)}); err != nil {
		p.sockets[s.fd] = nil
		return fmt.Errorf("media: epoll: %w", err)
	}
	return nil
}

// close ends the poller; its sockets must have been closed before.
func (p *poller) close() error {
	one := [8]byte{1, 1, 1, 1, 1, 1, 1, 1} // any number but 0 wakes it, in either byte order
	if _, err := unix.Write(p.wake, one[:]); err != nil {
		return fmt.Errorf("media: wake a poller: %w", err)
	}
	<-p.done
	return nil
}

func (p *poller) run() {
	defer close(p.done)
	events := make([]unix.EpollEvent, mostEvents)
	for {
		n, err := unix.EpollWait(p.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return // the descriptor is gone: nothing is left to wait for
		}
		if !p.read(events[:max(n, 0)]) {
			_ = unix.Close(p.wake)  // both held nothing
			_ = unix.Close(p.epoll) //
			return
		}
		if n < mostEvents {
			time.Sleep(gather) // what comes meanwhile is read in one go
		}
	}
}

// read hands on what has arrived at the sockets; false: the poller is to end.
func (p *poller) read(events []unix.EpollEvent) bool {
	now := time.Now() // once for all: they were all there when the kernel answered
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range events {
		fd := int(events[i].Fd)
		if fd == p.wake {
			return false
		}
		if fd < len(p.sockets) && p.sockets[fd] != nil {
			p.drain(p.sockets[fd], now)
		}
	}
	return true
}

// drain reads one batch. A socket that has more is reported again by the kernel, after the others had their turn.
func (p *poller) drain(s *socket, now time.Time) {
	for i := range p.msgs {
		p.msgs[i].hdr.Namelen = uint32(unsafe.Sizeof(p.names[i].raw))
		p.msgs[i].hdr.Flags = 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&p.msgs)), batch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return // nothing there, or an ICMP error about an earlier packet, which reading has taken off the queue
	}
	for i := range int(n) {
		if p.msgs[i].hdr.Flags&unix.MSG_TRUNC == 0 {
			s.to.arrived(s.control, p.room[i][:p.msgs[i].size], p.names[i].addrPort(), now)
		}
	}
}
