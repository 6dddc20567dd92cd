// Command switchboard serves accounts, virtual numbers, messages and calls through GraphQL and five documented APIs.
//
// This file wires: settings, store, rules (rules.go), doors (doors.go). Each is made in its own room; no rule and no word of an API stands here. The other
// commands are in command.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"switchboard/internal/config"
	"switchboard/internal/httpd"
	"switchboard/internal/memory"
	"switchboard/providers"
	"switchboard/providers/sip"
)

func main() {
	if err := run(untilSignal(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "switchboard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	line, err := config.Parse(args, out)
	if errors.Is(err, config.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	log := logger(line.Settings, errs)
	slog.SetDefault(log)
	return commands[line.Command](ctx, line, program{out: out, log: log})
}

func logger(s config.Settings, to io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "json" {
		return slog.New(httpd.WithRequestID(slog.NewJSONHandler(to, o)))
	}
	return slog.New(httpd.WithRequestID(slog.NewTextHandler(to, o)))
}

// program is what every command has.
type program struct {
	out io.Writer
	log *slog.Logger
}

func serve(ctx context.Context, line *config.Line, p program) (err error) {
	s := line.Settings
	// First, so that a taken port is said before anything is made, and a client that comes early waits instead of being refused.
	l, err := net.Listen("tcp", string(s.HTTP))
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	defer l.Close()
	r, err := p.rules(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	ways, err := p.ways(line, r)
	if err != nil {
		return err
	}
	if err := r.calls.Restart(ctx); err != nil { // what was live when this process died the last time
		return err
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() { r.svc.Run(running) })
	work.Go(func() { r.calls.Run(running) })
	work.Go(func() { r.carriers.Run(running) })
	work.Go(func() { r.mails.Run(running) })
	work.Go(func() { r.notices.Run(running) })
	work.Go(func() { r.pools.Run(running) })
	go memory.Tend(running, os.Getenv("GOGC"))
	defer func() { end(); work.Wait() }()

	token, err := r.svc.OperatorToken(ctx)
	if err != nil {
		return err
	}
	d := doors{settings: s, rules: r, ways: ways, log: p.log, drain: make(chan struct{}), sockets: httpd.NewSockets()}
	server := httpd.Server{Handler: d.open(), Log: p.log, Sockets: d.sockets, Drain: time.Duration(s.DrainTimeout)}
	p.welcome(s, l.Addr(), token, ways)
	ctx, stop := context.WithCancel(ctx)
	carried := make(chan error, 1)
	go func() { carried <- ways.Serve(ctx); stop() }() // without calls the rest does not go on as if nothing were
	err = server.Serve(ctx, l, func() { d.health.Draining(); close(d.drain) })
	err = errors.Join(err, <-carried)
	p.log.Info("stopped")
	return err
}

// ways opens the ways out.
func (p program) ways(line *config.Line, r rules) (*providers.Providers, error) {
	s := line.Settings
	o := sip.Options{Listen: string(s.SIP.Address), TLS: s.SIPTLSAddress(), Certificate: s.SIPCert, Key: s.SIPKey, Data: s.Data,
		PublicAddress: s.SIPPublic, Realm: s.SIPRealm, Secret: r.key, Recordings: recordings(s), MediaPorts: s.MediaPorts.String(),
		SessionExpires: time.Duration(s.SIPSession), RTPTimeout: time.Duration(s.RTPTimeout), DrainTimeout: time.Duration(s.DrainTimeout),
		MaxCalls: int(s.Calls.InAll), Load: int(s.Calls.Load), Node: node(s), Throttle: sip.Throttle{Passwords: sip.Rate{Count: s.ThrottleSIP.N, Per: s.ThrottleSIP.Per}, Off: s.NoThrottle}}
	return providers.Open(providers.Options{SIP: o, Off: s.SIP.Off, Any: line.AnySIP, Calls: r.calls, Voice: r.voice, Log: p.log})
}
