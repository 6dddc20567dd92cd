package sip

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// udpReader is the UDP socket as sipgo reads it: it takes what the gate has let into the intake.
//
// sipgo v1.7.2 keeps each source that it read from for as long as a reader lives. So a reader retires when there are too many, and a new
// one takes over on the same socket (serveUDP). A retired reader lingers until the transactions that it began are over, because the
// responses of those are sent through it.
type udpReader struct {
	*net.UDPConn
	from   *intake
	load   *load
	began  func()          // the library knows the socket now: we can send
	retire chan struct{}   // closed: another reads
	stop   <-chan struct{} // closed: the server ends
}

// ReadFrom implements net.PacketConn.
func (r *udpReader) ReadFrom(b []byte) (int, net.Addr, error) {
	if r.began != nil {
		r.began()
	}
	for {
		select {
		case <-r.retire:
			return 0, nil, r.rest()
		default:
		}
		n, d, fresh, err := r.from.next(b)
		if err != nil {
			return 0, nil, err
		}
		if fresh {
			r.load.late(time.Since(d.at))
		}
		if n > 0 {
			return n, net.UDPAddrFromAddrPort(d.from), nil
		}
	}
}

// rest waits until what this reader began is over.
func (r *udpReader) rest() error {
	timer := time.NewTimer(sip.Timer_B)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.stop:
	}
	return net.ErrClosed
}

// mostPeers is how many sources one reader may see.
const mostPeers = 50_000

// serveUDP reads the socket until ctx ends and the socket is closed, with a new reader whenever the one before has seen too many sources.
func (s *Server) serveUDP(ctx context.Context, conn *net.UDPConn) {
	var readers sync.WaitGroup
	defer readers.Wait()
	from, err := s.openIntake(conn)
	if err != nil {
		s.log.ErrorContext(ctx, "UDP for SIP can't be read", "error", err)
		return
	}
	check, pause := time.NewTicker(time.Second), time.NewTicker(10*time.Millisecond)
	defer check.Stop()
	defer pause.Stop()
	for ctx.Err() == nil {
		r := &udpReader{UDPConn: conn, from: from, load: s.load, began: s.ready, retire: make(chan struct{}), stop: ctx.Done()}
		ended := make(chan struct{})
		readers.Go(func() {
			defer close(ended)
			s.guard("read UDP", func() {
				if err := s.ua.TransportLayer().ServeUDP(r); err != nil {
					s.log.ErrorContext(ctx, "UDP for SIP can't be read", "error", err)
				}
			})
		})
		base := s.ua.TransportLayer().Pool("udp").Size()
		for full := false; !full; {
			select {
			case <-ctx.Done():
				full = true
			case <-ended: // the socket can't be read for a moment, or the library failed at what it read
				select {
				case <-pause.C:
				case <-ctx.Done():
				}
				full = true
			case <-check.C:
				full = s.ua.TransportLayer().Pool("udp").Size()-base > mostPeers
			}
		}
		close(r.retire)
	}
}
