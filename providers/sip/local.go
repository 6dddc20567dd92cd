package sip

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// routes remembers from which of our addresses a peer is reached, where we listen on all of them.
type routes struct {
	mu   sync.Mutex
	from *aging[string, string]
}

// hostFor is the host under which a peer reaches what listens on an address.
func (s *Server) hostFor(listens netip.Addr, peer string) string {
	host, _, err := net.SplitHostPort(peer)
	if err != nil {
		host = peer
	}
	at, err := netip.ParseAddr(strings.Trim(host, "[]"))
	near := err == nil && (at.Unmap().IsLoopback() || at.Unmap().IsPrivate() || at.Unmap().IsLinkLocalUnicast())
	if s.opt.PublicAddress != "" && !near { // behind a router those beside us are reached directly
		return s.opt.PublicAddress
	}
	if !listens.IsUnspecified() {
		return listens.String()
	}
	return s.routes.to(peer, listens.String())
}

// to asks the system which address a datagram to the peer would leave from. None is sent.
func (r *routes) to(peer, otherwise string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.from == nil {
		r.from = newAging[string, string](time.Minute, 4096)
	}
	if host, ok := r.from.peek(peer, now); ok {
		return host
	}
	host := otherwise
	if c, err := net.DialTimeout("udp", peer, time.Second); err == nil {
		host = addrPort(c.LocalAddr()).Addr().String()
		_ = c.Close() // nothing was sent
	}
	r.from.put(peer, host, now)
	return host
}
