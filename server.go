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
	"net/http"
	"os"
	"path/filepath"
	"time"

	"switchboard/comms"
	"switchboard/docs"
	"switchboard/ent"
	"switchboard/graph"
	"switchboard/internal/config"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/httpd"
	"switchboard/internal/memory"
	"switchboard/legacy"
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

// rules opens the store and builds the rules over it. close is called last.
func (p program) rules(ctx context.Context, s config.Settings) (svc *comms.Service, store *db.Store, err error) {
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the data folder: %w", err)
	}
	key, err := config.Key(s.SecretFile)
	if err != nil {
		return nil, nil, err
	}
	contents, err := content.Open(content.Options{Data: s.Data, URL: string(s.Content)})
	if err != nil {
		return nil, nil, err
	}
	if store, err = db.Open(ctx, db.Options{Data: s.Data, URL: string(s.Database), Logger: p.log}); err != nil {
		return nil, nil, err
	}
	o := comms.Options{Store: store, Contents: contents, Secret: key, Log: p.log, Node: node(s),
		Limits: comms.Limits{PageSize: int(s.GraphQL.PageSize), Data: int64(s.MaxData), Retention: time.Duration(s.Retention),
			TokenTTL: time.Duration(s.TokenTTL), LinkTTL: time.Duration(s.LinkTTL)}}
	if !s.NoThrottle {
		o.Throttle = comms.Throttle{Register: comms.Rate(s.Throttle.Register), Login: comms.Rate(s.Throttle.Login),
			Captcha: comms.Rate(s.Throttle.Captcha), PIN: comms.Rate(s.Throttle.PIN)}
	}
	if svc, err = comms.New(o); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return svc, store, nil
}

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
	svc, store, err := p.rules(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() { svc.Run(running); close(ended) }()
	go memory.Tend(running, os.Getenv("GOGC"))
	defer func() { end(); <-ended }()

	token, err := svc.OperatorToken(ctx)
	if err != nil {
		return err
	}
	d := doors{settings: s, svc: svc, store: store, log: p.log, drain: make(chan struct{}), sockets: httpd.NewSockets()}
	server := httpd.Server{Handler: d.open(), Log: p.log, Sockets: d.sockets, Drain: time.Duration(s.DrainTimeout)}
	p.welcome(s, l.Addr(), token)
	err = server.Serve(ctx, l, func() { d.health.Draining(); close(d.drain) })
	p.log.Info("stopped")
	return err
}

// doors are the ways in.
type doors struct {
	settings config.Settings
	svc      *comms.Service
	store    *db.Store
	log      *slog.Logger
	drain    chan struct{} // closed when the program stops
	sockets  *httpd.Sockets
	health   *httpd.Health
}

// open is everything that is served.
func (d *doors) open() http.Handler {
	s, metrics := d.settings, httpd.NewMetrics()
	d.health = &httpd.Health{Version: version(), Ready: d.ready, Store: func() any { return d.store.Stats() }}
	metrics.Watch(figures(d)...)
	mux := http.NewServeMux()
	mux.Handle("/query", httpd.WithClientURL(graph.WithBaseURL, graph.NewHandler(d.svc, graph.Options{
		Limits: graph.Limits{Depth: int(s.GraphQL.Depth), Complexity: int(s.GraphQL.Complexity), Aliases: int(s.GraphQL.Aliases),
			Batch: int(s.GraphQL.Batch), Tokens: int(s.GraphQL.Tokens), Body: int64(s.GraphQL.Body), Upload: int64(s.MaxData) + 64<<10},
		Introspection: s.GraphQL.Introspection, AllowedOrigins: s.AllowedOrigins, MaxSockets: int(s.MaxSockets), PublicURL: s.PublicURL,
		TempDir: filepath.Join(s.Data, "tmp"), Drain: d.drain, Logger: d.log})))
	mux.Handle("GET /{$}", graph.Playground("query"))
	legacy.Mount(mux, d.svc, legacy.Options{PublicURL: s.PublicURL, MaxSockets: int(s.MaxSockets), Drain: d.drain, Log: d.log})
	mux.Handle("GET /files/{id}", httpd.Files(d.svc, d.log))
	mux.Handle("GET /docs/{path...}", httpd.Docs(docs.Files))
	mux.HandleFunc("GET /healthz", d.health.Alive)
	mux.HandleFunc("GET /readyz", d.health.Usable)
	mux.Handle("GET /metrics", metrics)
	return httpd.Around{Log: d.log, TrustedProxies: s.TrustedProxies, Metrics: metrics, Sockets: d.sockets}.Wrap(mux)
}

// ready tells whether the store takes changes and answers reads.
func (d *doors) ready(ctx context.Context) error {
	return d.store.Change(ctx, func(ctx context.Context, tx *ent.Client) error {
		_, err := tx.Setting.Query().Exist(ctx)
		return err
	}, nil)
}

// welcome says where to go.
func (p program) welcome(s config.Settings, at net.Addr, token string) {
	base := s.PublicURL
	if base == "" {
		base = "http://" + at.String()
	}
	text := "switchboard " + version() + " is listening on " + at.String() + "\n"
	if token != "" {
		text += "  Operator    " + token + " makes the account that claims it the operator's, once: mutation claimOperator\n"
	}
	text += "  Playground  " + base + "/\n  GraphQL     " + base + "/query\n  Docs        " + base + "/docs/\n"
	fmt.Fprint(p.out, text)
}
