package httpd

import (
	"context"
	"net"
	"sync"
)

// Sockets are the connections that net/http gave away, of which http.Server.Shutdown knows nothing. The doors close them when the
// program stops; this waits until they did.
type Sockets struct {
	mu      sync.Mutex
	open    map[*socket]struct{}
	waiting chan struct{} // closed when the last one is; nil: nobody waits
}

// NewSockets knows of none yet.
func NewSockets() *Sockets { return &Sockets{open: map[*socket]struct{}{}} }

// Open is how many there are.
func (s *Sockets) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Wait waits until all are closed. When ctx ends before, it closes those that are left.
func (s *Sockets) Wait(ctx context.Context) error {
	s.mu.Lock()
	if len(s.open) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	gone := s.waiting
	s.mu.Unlock()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	var left []*socket
	for c := range s.open {
		left = append(left, c)
	}
	s.mu.Unlock()
	for _, c := range left {
		_ = c.Close() // it is being thrown away
	}
	return ctx.Err()
}

func (s *Sockets) add(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	c := &socket{TCPConn: tcp, among: s}
	s.mu.Lock()
	s.open[c] = struct{}{}
	s.mu.Unlock()
	return c
}

// socket embeds the TCP connection itself rather than net.Conn so that net.Buffers still writes in one system call.
type socket struct {
	*net.TCPConn
	among *Sockets
}

// Close closes the connection, once.
func (c *socket) Close() error {
	s := c.among
	s.mu.Lock()
	_, there := s.open[c]
	delete(s.open, c)
	if there && len(s.open) == 0 && s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
	s.mu.Unlock()
	return c.TCPConn.Close()
}
