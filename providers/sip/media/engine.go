package media

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Why a leg refuses what is asked of it. The first three are about SDP: the SIP room says 488 Not Acceptable Here.
var (
	ErrNoCodec          = errors.New("media: no codec in common")
	ErrBadSDP           = errors.New("media: unusable session description")
	ErrNotSecure        = errors.New("media: SRTP is required and was not agreed")
	ErrNoPort           = errors.New("media: no port is free")
	ErrNoTelephoneEvent = errors.New("media: telephone-event was not agreed")
	ErrInterrupted      = errors.New("media: something else is sent now")
	ErrClosed           = errors.New("media: closed")
)

// mostPollers bounds the goroutines that read sockets: one for each processor, but more than four would only wait for the kernel's locks.
const mostPollers = 4

// discard is a port that nothing is sent to (RFC 863).
const discard = 9

// Options are an engine's settings.
type Options struct {
	Bind             netip.Addr // where the sockets listen
	Public           netip.Addr // what our SDP names; zero: Bind, or where that is no address the one that faces the peer
	PortMin, PortMax uint16     // both 0: any free port
	Log              *slog.Logger
}

// Engine owns what all legs share: ports, pollers, the 20 ms clock, the RTCP reporter and the writer of recordings.
type Engine struct {
	options Options
	log     *slog.Logger
	began   time.Time
	ports   *ports
	pollers []*poller
	next    atomic.Uint32 // which poller reads the next leg
	clock   clock
	writer  writer
	counts  counts

	mu        sync.Mutex
	legs      map[*Leg]struct{}
	reporting bool
	closed    bool
	done      chan struct{}
	running   sync.WaitGroup

	wiring sync.Mutex // who hears whom
}

// counts are added to for each packet.
type counts struct {
	received, sent, strangers, broken, unsent atomic.Uint64
}

// Stats are counts since the start, but for Legs and Recordings, which are those of now.
type Stats struct {
	Legs, Recordings  int
	Received, Sent    uint64 // RTP packets
	Strangers, Broken uint64 // thrown away: from an address that no SDP named; unreadable, or SRTP that isn't authentic
	Unsent            uint64 // the kernel refused them
}

// New starts an engine.
func New(o Options) (*Engine, error) {
	if !o.Bind.IsValid() {
		return nil, fmt.Errorf("media: no address to bind")
	}
	o.Bind = o.Bind.Unmap()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{options: o, log: o.Log, began: time.Now(), legs: map[*Leg]struct{}{}, done: make(chan struct{})}
	e.writer.log = o.Log
	var err error
	if e.ports, err = newPorts(o.Bind, o.PortMin, o.PortMax); err != nil {
		return nil, err
	}
	for range min(mostPollers, runtime.GOMAXPROCS(0)) {
		p, err := newPoller()
		if err != nil {
			return nil, errors.Join(err, e.Close())
		}
		e.pollers = append(e.pollers, p)
	}
	return e, nil
}

// Close ends the engine and every leg that is left. Recordings are stopped by whoever started them.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	close(e.done)
	left := make([]*Leg, 0, len(e.legs))
	for l := range e.legs {
		left = append(left, l)
	}
	e.mu.Unlock()
	for _, l := range left {
		l.Close()
	}
	e.running.Wait()
	var errs []error
	for _, p := range e.pollers {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// Stats tells what happened so far.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	legs := len(e.legs)
	e.mu.Unlock()
	return Stats{Legs: legs, Recordings: e.writer.live(), Received: e.counts.received.Load(), Sent: e.counts.sent.Load(),
		Strangers: e.counts.strangers.Load(), Broken: e.counts.broken.Load(), Unsent: e.counts.unsent.Load()}
}

// adopt gives a leg its ports. They are opened outside of the lock: the kernel takes its time for that, and a leg more or less does not matter to
// the others.
func (e *Engine) adopt(l *Leg) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return ErrClosed
	}
	e.running.Add(1) // Close waits: the pollers are there until then
	e.mu.Unlock()
	defer e.running.Done()
	opened, err := e.ports.open(e.pollers[int(e.next.Add(1))%len(e.pollers)], l)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		opened.rtp.close()
		opened.rtcp.close()
		e.ports.give(opened.port)
		return ErrClosed
	}
	l.pair = opened
	l.out.mu.Lock()
	l.out.socket = l.pair.rtp
	l.out.mu.Unlock()
	e.legs[l] = struct{}{}
	if !e.reporting {
		e.reporting = true
		e.running.Go(e.report)
	}
	return nil
}

func (e *Engine) forget(l *Leg) {
	e.ports.give(l.pair.port)
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.legs, l)
}

// since is a moment of the engine's life, by the monotonic clock.
func (e *Engine) since(t time.Time) int64 { return t.Sub(e.began).Nanoseconds() }

// publicFor is the address that a leg's SDP names. Where we listen on all of this machine's it is the one from which the peer is reached:
// the unspecified address itself would mean hold.
func (e *Engine) publicFor(peer netip.Addr) (netip.Addr, error) {
	o := e.options
	if o.Public.IsValid() {
		return o.Public.Unmap(), nil
	}
	if !o.Bind.IsUnspecified() {
		return o.Bind, nil
	}
	if !peer.IsValid() {
		peer = netip.AddrFrom4([4]byte{192, 0, 2, 1}) // an address for documents (RFC 5737): the way out to anybody
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, discard))) // sends nothing
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find our own address: %w", err)
	}
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	return at, conn.Close()
}

// random32 is where an SSRC, a sequence or a timestamp begins (RFC 3550, section 5.1: unguessable).
func random32() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails: it ends the program instead
	return binary.BigEndian.Uint32(b[:])
}

// randomName is an RTCP CNAME that says nothing of anybody (RFC 7022).
func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // as above
	return hex.EncodeToString(b[:])
}
