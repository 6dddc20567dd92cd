//go:build !linux

package sip

import (
	"net"
	"net/netip"
	"time"
)

// datagrams reads a UDP socket, one message at a time.
type datagrams struct {
	conn *net.UDPConn
	room [mostMessage]byte
}

func newDatagrams(conn *net.UDPConn) (*datagrams, error) { return &datagrams{conn: conn}, nil }

// read waits for a message and gives it to take, which must not keep it. Without waiting it finds none.
func (d *datagrams) read(wait bool, take func(data []byte, from netip.AddrPort, at time.Time)) error {
	if !wait {
		return nil
	}
	n, from, err := d.conn.ReadFromUDPAddrPort(d.room[:])
	if err != nil {
		return err
	}
	take(d.room[:n], from, time.Now())
	return nil
}
