package sip

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// intake is what has been taken from the UDP socket and waits for the library to read it. The socket itself is no place to wait in: what
// does not fit there is lost, whatever it is, and nobody sees how long it was there. So it is emptied whenever anything is read; each message
// is judged at once, and what is refused waits for nothing. Of the others those that belong to calls that were taken go first, what comes to
// begin something comes after that, and how long that had to wait is one measure of how much there is to do (load). But whoever makes up
// calls can say of anything that it belongs to one, so each kind has room of its own, and after some of the first comes one of the other.
type intake struct {
	mu    sync.Mutex // one reads at a time
	in    *datagrams
	judge func(data []byte, d datagram) sentence
	lost  func()        // there was no room
	lanes [2][]datagram // those of calls that there are, and the others
	bytes [2]int        // that each holds
	row   int           // how many of the first were taken while there was one of the others
	spare [][]byte      // to be used again
}

// datagram is a message on its way.
type datagram struct {
	data []byte
	from netip.AddrPort
	at   time.Time // when it arrived at this machine
}

const (
	mostWaiting = 8 << 20 // bytes that hold what waits to begin something; what belongs to calls may take as much again
	inARow      = 15      // messages of calls before one that begins something
	mostSpare   = 256
	usualSize   = 2048
)

// openIntake is the way in from a socket.
func (s *Server) openIntake(conn *net.UDPConn) (*intake, error) {
	in, err := newDatagrams(conn)
	if err != nil {
		return nil, err
	}
	return &intake{in: in, judge: s.receive, lost: func() { s.gate.told.dropped.Add(1) }}, nil
}

// receive judges one datagram, and sends the answer where that is all there is to do.
func (s *Server) receive(data []byte, d datagram) sentence {
	if len(data) == 0 || keepAlive(data) {
		return sentence{}
	}
	v := s.gate.judge(data, d.from, time.Now())
	if v.answer != nil {
		_, _ = s.sockets.udp.WriteToUDPAddrPort(v.answer, v.back) // who asked asks again: UDP promises nothing
	}
	return v
}

// next waits for a message and copies it into b. fresh tells that it comes to begin something. There may be none: n is 0.
func (q *intake) next(b []byte) (n int, d datagram, fresh bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	err = q.in.read(false, q.put)
	if len(q.lanes[0])+len(q.lanes[1]) == 0 && err == nil {
		err = q.in.read(true, q.put)
	}
	lane := q.turn()
	if len(q.lanes[lane]) == 0 {
		return 0, datagram{}, false, err
	}
	d = q.first(lane)
	n = copy(b, d.data)
	if len(q.spare) < mostSpare && cap(d.data) == usualSize {
		q.spare = append(q.spare, d.data[:0])
	}
	return n, d, lane == 1, nil
}

// turn is the lane whose turn it is.
func (q *intake) turn() int {
	switch {
	case len(q.lanes[1]) == 0:
		q.row = 0
		return 0
	case len(q.lanes[0]) == 0 || q.row >= inARow:
		q.row = 0
		return 1
	}
	q.row++
	return 0
}

// first takes the message that waited longest.
func (q *intake) first(lane int) datagram {
	waiting := q.lanes[lane]
	d := waiting[0]
	waiting[0] = datagram{}
	if q.lanes[lane] = waiting[1:]; len(waiting) == 1 {
		q.lanes[lane] = waiting[:0]
	}
	q.bytes[lane] -= cap(d.data)
	return d
}

// put has a message wait, if it passes and there is room: otherwise it is lost, as it might have been on the way.
func (q *intake) put(data []byte, from netip.AddrPort, at time.Time) {
	d := datagram{from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), at: at}
	v := q.judge(data, d)
	if !v.pass {
		return
	}
	if v.tidied != nil {
		data = v.tidied
	}
	lane := 1
	if v.within {
		lane = 0
	}
	size := max(usualSize, len(data)) // what it holds, not what it says: small ones are as much in the way
	if q.bytes[lane]+size > mostWaiting {
		q.lost()
		return
	}
	if n := len(q.spare); n > 0 && len(data) <= usualSize {
		d.data, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		d.data = make([]byte, 0, size)
	}
	d.data = append(d.data, data...)
	q.bytes[lane] += cap(d.data)
	q.lanes[lane] = append(q.lanes[lane], d)
}
