// Command switchboard serves accounts, virtual numbers, messages and calls through GraphQL and five documented APIs.
//
// This file wires: settings, store, rules, doors. Each is made in its own room; no rule and no word of an API stands here. The other
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
	"path/filepath"
	"sync"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/config"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/httpd"
	"switchboard/internal/memory"
	"switchboard/providers"
	"switchboard/providers/sip"
	"switchboard/providers/voice"
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

// rules is the store and the rules over it.
type rules struct {
	store *db.Store
	svc   *comms.Service
	calls *call.Service
	voice *voice.Speaker
	key   []byte
}

// rules opens the store and builds the rules over it. The store is closed last.
func (p program) rules(ctx context.Context, s config.Settings) (r rules, err error) {
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return r, fmt.Errorf("making the data folder: %w", err)
	}
	if r.key, err = config.Key(s.SecretFile); err != nil {
		return r, err
	}
	contents, err := content.Open(content.Options{Data: s.Data, URL: string(s.Content)})
	if err != nil {
		return r, err
	}
	if r.store, err = db.Open(ctx, db.Options{Data: s.Data, URL: string(s.Database), Logger: p.log}); err != nil {
		return r, err
	}
	o := comms.Options{Store: r.store, Contents: contents, Secret: r.key, Log: p.log, Node: node(s),
		Limits: comms.Limits{PageSize: int(s.GraphQL.PageSize), Data: int64(s.MaxData), Retention: time.Duration(s.Retention),
			TokenTTL: time.Duration(s.TokenTTL), LinkTTL: time.Duration(s.LinkTTL)}}
	if !s.NoThrottle {
		o.Throttle = comms.Throttle{Register: comms.Rate(s.Throttle.Register), Login: comms.Rate(s.Throttle.Login),
			Captcha: comms.Rate(s.Throttle.Captcha), PIN: comms.Rate(s.Throttle.PIN)}
	}
	if r.svc, err = comms.New(o); err != nil {
		return r, errors.Join(err, r.store.Close())
	}
	archive, err := content.OpenArchive(content.Options{Data: s.Data, URL: string(s.Content)})
	if err != nil {
		return r, errors.Join(err, r.store.Close())
	}
	r.voice = voice.New(voice.Options{Log: p.log})
	r.calls = call.New(r.svc, call.Options{Archive: archive, Voice: r.voice, Recordings: recordings(s), Country: s.DefaultCountry,
		Retention: time.Duration(s.RecordingRetention), MaskRest: time.Duration(s.MaskRest), Limits: call.Limits{AtOnce: int(s.Calls.AtOnce), PerMinute: int(s.Calls.PerMinute),
			Prefixes: s.Calls.Prefixes, RingFor: time.Duration(s.Calls.Ring), Longest: time.Duration(s.Calls.Longest)}})
	return r, nil
}

// recordings is where recordings are written while they last.
func recordings(s config.Settings) string { return filepath.Join(s.Data, "recordings") }

// node names this process among those on one database, the same after each start: by its host and its address.
func node(s config.Settings) string {
	host, err := os.Hostname()
	if err != nil {
		host = "switchboard"
	}
	return host + " " + string(s.HTTP)
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
