// Package providers is the list of the ways out: SIP and its test world, the voice. Each has a folder of its own; what they ask of the
// rules and what the rules ask of them are small interfaces in comms/call. Here they are opened and closed together.
package providers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"

	"switchboard/comms/call"
	"switchboard/providers/sip"
	"switchboard/providers/sip/world"
	"switchboard/providers/voice"
)

// Options say what is opened.
type Options struct {
	SIP   sip.Options // without World and Voice, which are made here
	Any   bool        // where SIP's address is taken, another will do
	Off   bool        // no SIP at all
	Calls *call.Service
	Voice *voice.Speaker
	Log   *slog.Logger
}

// Providers are the ways out.
type Providers struct {
	SIP    *sip.Server // nil: switched off
	world  *world.World
	voice  *voice.Speaker
	public string // the host that telephones elsewhere are told
	taken  string // the address that was taken, where another was found instead
}

// Open opens the sockets; Serve must be called, it closes them.
func Open(o Options) (*Providers, error) {
	p := &Providers{voice: o.Voice, public: o.SIP.PublicAddress}
	if o.Off {
		return p, nil
	}
	var err error
	if p.world, err = world.New(world.Options{Voice: o.Voice, Log: o.Log}); err != nil {
		return nil, err
	}
	o.SIP.World, o.SIP.Voice, o.SIP.Log = p.world.Addr(), o.Voice, o.Log
	p.SIP, err = sip.New(o.Calls, o.SIP)
	if errors.Is(err, syscall.EADDRINUSE) && o.Any {
		p.taken = o.SIP.Listen
		o.SIP.Listen, o.SIP.TLS = anyPort, anyPort
		p.SIP, err = sip.New(o.Calls, o.SIP)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for telephones: %w", err), p.endWorld())
	}
	o.Calls.Attach(p.SIP)
	return p, nil
}

const anyPort = "127.0.0.1:0"

// endWorld closes a world that is not going to be served.
func (p *Providers) endWorld() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return p.world.Serve(ctx)
}

// Serve carries calls until ctx ends, and then lets those that live end, as long as the SIP room's time to drain.
func (p *Providers) Serve(ctx context.Context) error {
	if p.SIP == nil {
		<-ctx.Done()
		return nil
	}
	worldly, end := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- p.world.Serve(worldly) }()
	err := p.SIP.Serve(ctx)
	end() // after the calls to it have ended
	return errors.Join(err, <-ended)
}

// Welcome is a line for who started the program.
func (p *Providers) Welcome() string {
	if p.SIP == nil {
		return "  Calls       off\n"
	}
	line := fmt.Sprintf("  SIP         %s (UDP, TCP)", p.SIP.Addr())
	if at := p.SIP.TLSAddr(); at.IsValid() {
		line += fmt.Sprintf(", %s (TLS)", at)
	}
	if p.taken != "" {
		line += "; " + p.taken + " is taken"
	}
	return line + "\n"
}

// TelephonesReach is where telephones register, host:port, or where those do that must encrypt. The host is the one that was set for it
// (sip-public), or the one that we listen on, or else, where that is any, the name by which somebody knows this machine. Empty: nowhere.
func (p *Providers) TelephonesReach(host string, secure bool) string {
	if p.SIP == nil {
		return ""
	}
	at := p.SIP.Addr()
	if secure {
		at = p.SIP.TLSAddr()
	}
	switch {
	case !at.IsValid():
		return ""
	case p.public != "":
		host = p.public
	case !at.Addr().IsUnspecified():
		host = at.Addr().String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(at.Port())))
}

// Health is how calls stand, for whoever watches the program. It names nobody.
type Health struct {
	SIP    bool `json:"sip"`    // telephones and carriers can reach us
	Voice  bool `json:"voice"`  // text can be spoken: espeak-ng is installed
	Calls  int  `json:"calls"`  // live
	Phones int  `json:"phones"` // registered
}

// Health tells how calls stand now.
func (p *Providers) Health() Health {
	h := Health{SIP: p.SIP != nil, Voice: p.voice.Speaks("")}
	if p.SIP != nil {
		stats := p.SIP.Stats()
		h.Calls, h.Phones = stats.Calls, stats.Phones
	}
	return h
}

// Stats are SIP's figures; all zero where it is off.
func (p *Providers) Stats() sip.Stats {
	if p.SIP == nil {
		return sip.Stats{}
	}
	return p.SIP.Stats()
}
