package media

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
)

// triesForAny bounds the search for an even port whose neighbour is free too, where the kernel chooses.
const triesForAny = 200

// ports gives out pairs of ports: an even one for RTP and the next for RTCP (RFC 3550, section 11). A pair that is given back waits at
// the end of the queue, so that what its former peer still sends arrives at a closed port and not in somebody else's call.
type ports struct {
	at    netip.Addr
	any   bool
	mu    sync.Mutex
	queue []uint16 // the even ports that are free, a ring
	first int
	free  int
}

func newPorts(at netip.Addr, low, high uint16) (*ports, error) {
	p := &ports{at: at, any: low == 0 && high == 0}
	if p.any {
		return p, nil
	}
	for even := (int(low) + 1) &^ 1; even < int(high); even += 2 {
		p.queue = append(p.queue, uint16(even))
	}
	p.free = len(p.queue)
	if p.free == 0 || low == 0 {
		return nil, fmt.Errorf("media: no pair of ports between %d and %d", low, high)
	}
	return p, nil
}

func (p *ports) take() (uint16, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == 0 {
		return 0, false
	}
	port := p.queue[p.first]
	p.first = (p.first + 1) % len(p.queue)
	p.free--
	return port, true
}

func (p *ports) give(port uint16) {
	if p.any {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue[(p.first+p.free)%len(p.queue)] = port
	p.free++
}

// pair is two open sockets.
type pair struct {
	port      uint16
	rtp, rtcp *socket
}

// open binds a pair. Ports that another program holds are passed over, and stay in the queue: it may let go of them.
func (p *ports) open(by *poller, to receiver) (pair, error) {
	if p.any {
		return p.openAny(by, to)
	}
	for range len(p.queue) {
		port, ok := p.take()
		if !ok {
			return pair{}, ErrNoPort
		}
		got, err := p.bind(by, to, port)
		if err == nil {
			return got, nil
		}
		p.give(port)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return pair{}, err
		}
	}
	return pair{}, ErrNoPort
}

func (p *ports) openAny(by *poller, to receiver) (pair, error) {
	for range triesForAny {
		probe, port, err := by.listen(netip.AddrPortFrom(p.at, 0), false, to)
		if err != nil {
			return pair{}, err
		}
		if port%2 == 0 { // the kernel gives such first
			if rtcp, _, err := by.listen(netip.AddrPortFrom(p.at, port+1), true, to); err == nil {
				return pair{port: port, rtp: probe, rtcp: rtcp}, nil
			}
		}
		probe.close()
		got, err := p.bind(by, to, port&^1)
		if err == nil {
			return got, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EACCES) {
			return pair{}, err
		}
	}
	return pair{}, ErrNoPort
}

func (p *ports) bind(by *poller, to receiver, even uint16) (pair, error) {
	rtp, _, err := by.listen(netip.AddrPortFrom(p.at, even), false, to)
	if err != nil {
		return pair{}, err
	}
	rtcp, _, err := by.listen(netip.AddrPortFrom(p.at, even+1), true, to)
	if err != nil {
		rtp.close()
		return pair{}, err
	}
	return pair{port: even, rtp: rtp, rtcp: rtcp}, nil
}
