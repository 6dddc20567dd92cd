package sip

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms/call"
)

const (
	sweepEvery = 10 * time.Second
	keepEvery  = 20 * time.Second
	hangUpTime = 5 * time.Second // for the BYEs of a stop, and for what calls still have to store
)

// Serve takes calls until ctx ends; then it drains: new calls are told to come again, those that there are may end by themselves for a
// while, what is left is hung up.
func (s *Server) Serve(ctx context.Context) error {
	s.rules.OnPhoneForgotten(func(phone uuid.UUID) { s.registrar.remove(phone, "*") })
	s.rules.OnTrunksChanged(func() { s.trunksChanged() })
	loading := context.WithoutCancel(ctx) // who is stopped at once is stopped below, in order, and not by an error
	err := s.loadContacts(loading)
	if err == nil {
		err = s.loadTrunks(loading)
	}
	reading, stopReading := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	if err == nil {
		s.read(reading, &readers)
		s.tasks.Go(func() { s.load.watch(s.life) })
		s.tasks.Go(s.sweep)
		s.log.InfoContext(ctx, "SIP listens", "udp", s.Addr().String(), "tls", s.TLSAddr().IsValid())
		<-ctx.Done()
		err = s.drain()
	}
	s.stopping.Store(true)
	s.end()
	s.tasks.Wait()
	stopReading()
	s.closeSockets()
	readers.Wait()
	_ = s.ua.Close() // it complains of connections that are closed already
	return err
}

// read begins to take in what comes.
func (s *Server) read(ctx context.Context, readers *sync.WaitGroup) {
	tp := s.ua.TransportLayer()
	readers.Go(func() { s.serveUDP(ctx, s.sockets.udp) })
	readers.Go(func() { s.serveStreams(ctx, s.sockets.tcp, tp.ServeTCP) })
	if s.sockets.tls != nil {
		readers.Go(func() { s.serveStreams(ctx, s.sockets.tls, tp.ServeTLS) })
	}
}

// serveStreams accepts connections until ctx ends. Accept fails for a while where there are no file descriptors left.
func (s *Server) serveStreams(ctx context.Context, l *streamListener, serve func(net.Listener) error) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		var err error
		s.guard("accept", func() { err = serve(l) })
		if ctx.Err() != nil {
			return
		}
		s.log.WarnContext(ctx, "no connection could be taken", "error", err)
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

// sweep forgets what has run out, and keeps open what NAT would close.
func (s *Server) sweep() {
	expire, keep := time.NewTicker(sweepEvery), time.NewTicker(keepEvery)
	defer expire.Stop()
	defer keep.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case now := <-expire.C:
			s.registrar.expire(now)
		case <-keep.C:
			s.keepOpen()
		}
	}
}

func (s *Server) trunksChanged() {
	if s.stopping.Load() || s.draining.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(s.life, ruleTime)
	defer cancel()
	if err := s.loadTrunks(ctx); err != nil {
		s.log.ErrorContext(ctx, "the trunks can't be read", "error", err)
	}
}

// busy tells the gate whether there is no time for a new call. One that was taken, and is asked for again, always passes.
func (s *Server) busy(v *sight) bool {
	full := s.draining.Load() || s.load.full(v.proof)
	if !full {
		return false
	}
	tag, _ := parameter(v.from, "tag")
	return !s.invites.has(inviteKey(string(v.callID), tag, v.number), time.Now())
}

// drain waits for the calls that there are.
func (s *Server) drain() error {
	s.draining.Store(true)
	s.trunks.end() // carriers are told that we go, so that they send their calls elsewhere
	s.waitForCalls(s.opt.DrainTimeout)
	s.hangUpAll(call.WhyStopping)
	s.waitForCalls(hangUpTime)
	ctx, cancel := context.WithTimeout(context.Background(), hangUpTime)
	defer cancel()
	return s.closeCalls(ctx)
}

// end stops tending the lines. Calls that go through them go on.
func (ts *trunks) end() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, stop := range ts.stop {
		stop()
	}
}

func (s *Server) waitForCalls(most time.Duration) {
	over := time.NewTimer(most)
	defer over.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for s.liveCalls() > 0 {
		select {
		case <-over.C:
			return
		case <-look.C:
		}
	}
}
