package sip

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
)

// sockets are what a Server listens on.
type sockets struct {
	udp *net.UDPConn
	tcp *streamListener
	tls *streamListener // nil: none
}

// librarySettings are sipgo's, for the whole process.
var librarySettings = sync.OnceFunc(func() {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) // it logs what must not be logged (wire_log.go)
	// sipgo refuses to send more than 1,300 bytes by UDP. RFC 3261 section 18.1.1 wants TCP for such requests; a telephone that registered
	// by UDP has none, and a response can't change its transport. IP fragments it, as with every other server.
	sip.UDPMTUSize = 64 << 10
	// After 200 ms it would answer 100 by itself, and read the INVITE's To for that while we write our tag into it (dialog_uas.go). We
	// answer 100 ourselves as soon as it is known who calls.
	sip.Timer_1xx = time.Hour
})

// New opens the sockets. Serve must be called; it closes them.
func New(rules Rules, opt Options) (*Server, error) {
	librarySettings()
	opt = opt.withDefaults()
	s := &Server{rules: rules, opt: opt, log: opt.Log, clients: map[string]*sipgo.Client{}, ports: map[string]net.Addr{},
		sources: newSources(opt.Throttle), invites: newInvites(), load: newLoad(opt.Load), doorman: newDoorman(opt.Realm, opt.Secret),
		registrar: newRegistrar(), trunks: &trunks{byID: map[uuid.UUID]*trunkLine{}, stop: map[uuid.UUID]context.CancelFunc{}}}
	s.gate = &gate{sources: s.sources, friend: s.trunks.friend, busy: s.busy, ask: s.challenge}
	s.begun = make(chan struct{})
	s.ready = sync.OnceFunc(func() { close(s.begun) })
	s.life, s.end = context.WithCancel(context.Background())
	if err := s.listen(); err != nil {
		s.end()
		return nil, err
	}
	if err := s.openLibrary(); err != nil {
		s.closeSockets()
		s.end()
		return nil, err
	}
	c, err := newCalls(s)
	if err != nil {
		s.closeSockets()
		s.end()
		return nil, err
	}
	s.calls = c
	return s, nil
}

func (o Options) withDefaults() Options {
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:5060")
	o.Realm = cmp.Or(o.Realm, "switchboard")
	o.SessionExpires = cmp.Or(o.SessionExpires, 30*time.Minute)
	o.RTPTimeout = cmp.Or(o.RTPTimeout, time.Minute)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, 30*time.Second)
	o.MaxCalls = cmp.Or(o.MaxCalls, 2000)
	o.Load = cmp.Or(o.Load, 400)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// listen opens UDP and TCP at the same port, and TLS.
func (s *Server) listen() error {
	host, port, err := net.SplitHostPort(s.opt.Listen)
	if err != nil {
		return fmt.Errorf("listen for SIP: %w", err)
	}
	udp, tcp, err := listenBoth(host, port)
	if err != nil {
		return err
	}
	_ = udp.SetReadBuffer(2 << 20) // the system may allow less: then more is lost in a burst, and asked again
	s.sockets.udp = udp
	s.sockets.tcp = listenStream(tcp, s.gate, func(from netip.AddrPort) { s.hungUp("tcp", from) })
	s.ports["udp"], s.ports["tcp"] = udp.LocalAddr(), tcp.Addr()
	if s.opt.TLS == "" {
		return nil
	}
	cert, err := s.certificate()
	if err != nil {
		s.closeSockets()
		return err
	}
	l, err := net.Listen("tcp", s.opt.TLS)
	if err != nil {
		s.closeSockets()
		return fmt.Errorf("listen for SIP over TLS: %w", err)
	}
	secure := tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert})
	s.sockets.tls = listenStream(secure, s.gate, func(from netip.AddrPort) { s.hungUp("tls", from) })
	s.ports["tls"] = l.Addr()
	return nil
}

// listenBoth finds one port for UDP and TCP. Where any port will do, the one that the system gives for UDP may be taken for TCP.
func listenBoth(host, port string) (*net.UDPConn, net.Listener, error) {
	for try := 0; ; try++ {
		at, err := net.ResolveUDPAddr("udp", net.JoinHostPort(host, port))
		if err != nil {
			return nil, nil, fmt.Errorf("listen for SIP: %w", err)
		}
		udp, err := net.ListenUDP("udp", at)
		if err != nil {
			return nil, nil, fmt.Errorf("listen for SIP over UDP: %w", err)
		}
		got := strconv.Itoa(int(addrPort(udp.LocalAddr()).Port()))
		tcp, err := net.Listen("tcp", net.JoinHostPort(host, got))
		if err == nil {
			return udp, tcp, nil
		}
		_ = udp.Close() // nothing was sent
		if port != "0" || try == 20 || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, fmt.Errorf("listen for SIP over TCP: %w", err)
		}
	}
}

// openLibrary sets up sipgo over the sockets.
func (s *Server) openLibrary() error {
	quiet := newQuiet(s.log, &s.gate.told.unparsed)
	ua, err := sipgo.NewUA(sipgo.WithUserAgent(agent),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(quiet), sip.WithTransactionLayerTerminateOnConnClose(),
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {})), // late, doubled or made up
		sipgo.WithUserAgenTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
	if err != nil {
		return fmt.Errorf("set up SIP: %w", err)
	}
	s.ua = ua
	ua.TransactionLayer().OnRequest(s.dispatch)
	for transport, at := range s.ports {
		var o []sipgo.ClientOption
		if transport == "udp" { // over a stream this would keep an open connection from being found
			o = append(o, sipgo.WithClientConnectionAddr(at.String()))
		}
		if s.clients[transport], err = sipgo.NewClient(ua, append(o, sipgo.WithClientNAT())...); err != nil {
			return fmt.Errorf("set up SIP over %s: %w", transport, err)
		}
	}
	return nil
}

func (s *Server) closeSockets() {
	if s.sockets.udp != nil {
		_ = s.sockets.udp.Close() // it ends
	}
	for _, l := range []*streamListener{s.sockets.tcp, s.sockets.tls} {
		if l != nil {
			_ = l.Close() // it ends
			l.closeAll()
		}
	}
}

// Addr is where UDP and TCP listen.
func (s *Server) Addr() netip.AddrPort { return addrPort(s.ports["udp"]) }

// TLSAddr is where TLS listens; the zero value where it doesn't.
func (s *Server) TLSAddr() netip.AddrPort { return addrPort(s.ports["tls"]) }

func addrPort(a net.Addr) netip.AddrPort {
	var at netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		at = a.AddrPort()
	case *net.TCPAddr:
		at = a.AddrPort()
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
