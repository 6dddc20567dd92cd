package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"

	"switchboard/docs"
	"switchboard/ent"
	"switchboard/graph"
	"switchboard/internal/config"
	"switchboard/internal/httpd"
	"switchboard/legacy"
	"switchboard/providers"
)

// doors are the ways in.
type doors struct {
	settings config.Settings
	rules    rules
	ways     *providers.Providers
	log      *slog.Logger
	drain    chan struct{} // closed when the program stops
	sockets  *httpd.Sockets
	health   *httpd.Health
}

// open is everything that is served.
func (d *doors) open() http.Handler {
	s, metrics := d.settings, httpd.NewMetrics()
	d.health = &httpd.Health{Version: version(), Ready: d.ready, Store: func() any { return d.rules.store.Stats() },
		Calls: func() any { return d.ways.Health() }}
	metrics.Watch(figures(d)...)
	mux := http.NewServeMux()
	mux.Handle("/query", httpd.WithClientURL(graph.WithBaseURL, graph.NewHandler(d.rules.svc, graph.Options{Calls: d.rules.calls, Records: d.rules.records,
		Carriers: d.rules.carriers, Pools: d.rules.pools, Mails: d.rules.mails, Notices: d.rules.notices,
		Limits: graph.Limits{Depth: int(s.GraphQL.Depth), Complexity: int(s.GraphQL.Complexity), Aliases: int(s.GraphQL.Aliases),
			Batch: int(s.GraphQL.Batch), Tokens: int(s.GraphQL.Tokens), Body: int64(s.GraphQL.Body), Upload: int64(s.MaxData) + 64<<10},
		Introspection: s.GraphQL.Introspection, AllowedOrigins: s.AllowedOrigins, MaxSockets: int(s.MaxSockets), PublicURL: s.PublicURL,
		TempDir: filepath.Join(s.Data, "tmp"), Drain: d.drain, Logger: d.log})))
	mux.Handle("GET /{$}", graph.Playground("query"))
	legacy.Mount(mux, d.rules.svc, legacy.Options{Calls: d.rules.calls, Pools: d.rules.pools, SIP: d.ways.TelephonesReach, Records: d.rules.records, Carriers: d.rules.carriers, Mails: d.rules.mails,
		PublicURL: s.PublicURL, MaxSockets: int(s.MaxSockets), Drain: d.drain, Log: d.log})
	mux.Handle("GET /files/{id}", httpd.Files(d.rules.svc, d.log))
	mux.Handle("GET /recordings/{id}", httpd.Recordings(d.rules.calls, d.log))
	mux.Handle("GET /records.csv", httpd.RecordsCSV{Records: d.rules.records, Callers: d.rules.svc, URL: s.PublicURL, Log: d.log})
	mux.Handle("GET /records/{id}/recording", httpd.Sounds(d.rules.records, d.log))
	mux.Handle("GET /push/key", httpd.PushKey(d.rules.push.PublicKey, d.log))
	mux.Handle("GET /docs/{path...}", httpd.Docs(docs.Files))
	mux.HandleFunc("GET /healthz", d.health.Alive)
	mux.HandleFunc("GET /readyz", d.health.Usable)
	mux.Handle("GET /metrics", metrics)
	return httpd.Around{Log: d.log, TrustedProxies: s.TrustedProxies, Metrics: metrics, Sockets: d.sockets}.Wrap(mux)
}

// ready tells whether the store takes changes and answers reads.
func (d *doors) ready(ctx context.Context) error {
	return d.rules.store.Change(ctx, func(ctx context.Context, tx *ent.Client) error {
		_, err := tx.Setting.Query().Exist(ctx)
		return err
	}, nil)
}

// welcome says where to go.
func (p program) welcome(s config.Settings, at net.Addr, token string, ways *providers.Providers) {
	base := s.PublicURL
	if base == "" {
		base = "http://" + at.String()
	}
	text := "switchboard " + version() + " is listening on " + at.String() + "\n"
	if token != "" {
		text += "  Operator    " + token + " makes the account that claims it the operator's, once: mutation claimOperator\n"
	}
	text += ways.Welcome() + "  Playground  " + base + "/\n  GraphQL     " + base + "/query\n  Docs        " + base + "/docs/\n"
	fmt.Fprint(p.out, text)
}
