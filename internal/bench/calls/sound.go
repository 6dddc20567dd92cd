package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// sound is a telephone's RTP: 50 packets a second of G.711, counted on both sides.
type sound struct {
	conn     *net.UDPConn
	to       atomic.Pointer[netip.AddrPort]
	packet   []byte
	sent     atomic.Int64
	received atomic.Int64
}

func newSound() (*sound, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(256 << 10) // as much as the system gives
	s := &sound{conn: conn, packet: make([]byte, 172)}
	s.packet[0] = 0x80
	for i := 12; i < len(s.packet); i++ {
		s.packet[i] = byte(i * 7)
	}
	binary.BigEndian.PutUint32(s.packet[8:], uint32(s.port()))
	go s.listen()
	return s, nil
}

func (s *sound) port() int { return s.conn.LocalAddr().(*net.UDPAddr).Port }

func (s *sound) listen() {
	buffer := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFromUDPAddrPort(buffer)
		if n > 12 && buffer[1]&0x7f == 0 {
			s.received.Add(1)
		}
		if err != nil {
			if strings.Contains(err.Error(), "closed") {
				return
			}
		}
	}
}

// aim learns from SDP where to send.
func (s *sound) aim(body []byte) {
	_, rest, found := strings.Cut(string(body), "m=audio ")
	word, _, _ := strings.Cut(rest, " ")
	port, err := strconv.ParseUint(word, 10, 16)
	if !found || err != nil {
		return
	}
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
	s.to.Store(&to)
}

// tick sends one packet.
func (s *sound) tick() {
	to := s.to.Load()
	if to == nil {
		return
	}
	n := s.sent.Add(1)
	binary.BigEndian.PutUint16(s.packet[2:], uint16(n))
	binary.BigEndian.PutUint32(s.packet[4:], uint32(n)*160)
	_, _ = s.conn.WriteToUDPAddrPort(s.packet, *to) // lost like any packet
}

// play sends on all of them, each 20 ms, spread over them, until stop is closed.
func play(all []*sound, stop <-chan struct{}) {
	const slots = 10
	ticker := time.NewTicker(20 * time.Millisecond / slots)
	defer ticker.Stop()
	begin, done := time.Now(), 0
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		for due := int(time.Since(begin) / (20 * time.Millisecond / slots)); done < due; done++ {
			for i := done % slots; i < len(all); i += slots {
				all[i].tick()
			}
		}
	}
}
