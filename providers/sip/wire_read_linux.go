package sip

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagrams reads a UDP socket: many messages with one system call where many have come, each with the time at which the kernel took it.
// That time tells how long it lay in the socket, which nothing else does.
type datagrams struct {
	raw   syscall.RawConn
	room  [burst][mostMessage]byte // what is longer is cut off there, as the judge would
	names [burst]unix.RawSockaddrInet6
	notes [burst][64]byte // the control messages: the time
	parts [burst]unix.Iovec
	msgs  [burst]mmsghdr
}

// burst is how many messages one system call reads at most.
const burst = 32

// mmsghdr is the kernel's struct mmsghdr: what fills it up to the next is up to the machine, there and here.
type mmsghdr struct {
	hdr  unix.Msghdr
	size uint32
}

func newDatagrams(conn *net.UDPConn) (*datagrams, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("read UDP: %w", err)
	}
	d := &datagrams{raw: raw}
	for i := range d.msgs {
		d.parts[i].Base = &d.room[i][0]
		d.parts[i].SetLen(len(d.room[i]))
		h := &d.msgs[i].hdr
		h.Iov, h.Name, h.Control = &d.parts[i], (*byte)(unsafe.Pointer(&d.names[i])), &d.notes[i][0]
		h.SetIovlen(1)
	}
	_ = raw.Control(func(fd uintptr) { // a kernel that does not tell the time is believed to be prompt
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	})
	return d, nil
}

// read gives the messages that there are to take, which must not keep them; wait: it waits until there is one.
func (d *datagrams) read(wait bool, take func(data []byte, from netip.AddrPort, at time.Time)) error {
	var n uintptr
	var errno syscall.Errno
	err := d.raw.Read(func(fd uintptr) bool {
		for i := range d.msgs {
			h := &d.msgs[i].hdr
			h.Namelen, h.Flags = uint32(unsafe.Sizeof(d.names[i])), 0
			h.SetControllen(len(d.notes[i]))
		}
		n, _, errno = unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&d.msgs)), burst, unix.MSG_DONTWAIT, 0, 0)
		return errno != unix.EAGAIN || !wait
	})
	if err != nil {
		return fmt.Errorf("read UDP: %w", err)
	}
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return nil
	}
	if errno != 0 { // an ICMP error about something that was sent, or worse
		return fmt.Errorf("read UDP: %w", errno)
	}
	now := time.Now()
	for i := range int(n) {
		take(d.room[i][:d.msgs[i].size], d.source(i), now.Add(-d.lay(i, now)))
	}
	return nil
}

// source is where a message came from.
func (d *datagrams) source(i int) netip.AddrPort {
	name := &d.names[i]
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], name.Port)
	at := binary.BigEndian.Uint16(port[:])
	if name.Family == unix.AF_INET6 {
		a := netip.AddrFrom16(name.Addr)
		if name.Scope_id != 0 { // of an address that is good on one network alone: without it nobody there can be answered
			a = a.WithZone(strconv.FormatUint(uint64(name.Scope_id), 10))
		}
		return netip.AddrPortFrom(a, at)
	}
	four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
	return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), at)
}

// lay is how long a message lay in the socket. The kernel has only the clock on the wall, which may be set meanwhile: never more than a while.
func (d *datagrams) lay(i int, now time.Time) time.Duration {
	const header = int(unsafe.Sizeof(unix.Cmsghdr{}))
	note := d.notes[i][:d.msgs[i].hdr.Controllen]
	if len(note) < header+16 {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&note[0]))
	if h.Level != unix.SOL_SOCKET || h.Type != unix.SCM_TIMESTAMPNS {
		return 0
	}
	at := (*unix.Timespec)(unsafe.Pointer(&note[header]))
	return min(max(now.Sub(time.Unix(at.Unix())), 0), longestLay)
}

const longestLay = 2 * time.Second
