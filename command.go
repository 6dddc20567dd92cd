package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"switchboard/docs"
	"switchboard/internal/config"
	"switchboard/internal/httpd"
	"switchboard/internal/provision"
)

// commands are what the command line can ask for, by their names.
var commands = map[string]func(context.Context, *config.Line, program) error{
	"serve":     serve,
	"provision": load,
	"import":    importFrom,
	"migrate":   migrate,
	"config":    manual,
	"version":   tellVersion,
}

// load provisions what a file says. It may run beside a server on the same database.
func load(ctx context.Context, line *config.Line, p program) (err error) {
	text, err := read(line.File)
	if err != nil {
		return fmt.Errorf("reading what to provision: %w", err)
	}
	file, err := provision.Read(text)
	if err != nil {
		return fmt.Errorf("%s: %w", line.File, err)
	}
	r, err := p.rules(ctx, line.Settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	there, err := r.svc.Provision(ctx, file.Wish)
	if err != nil {
		return fmt.Errorf("%s: %w", line.File, file.Explain(err))
	}
	if line.JSON {
		return provision.JSON(p.out, there)
	}
	return provision.Table(p.out, there)
}

func read(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

// migrate opens the store, which brings its schema up to date, and says what made it.
func migrate(ctx context.Context, line *config.Line, p program) (err error) {
	r, err := p.rules(ctx, line.Settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	revisions, err := r.store.Revisions(ctx)
	if err != nil {
		return err
	}
	for _, done := range revisions {
		fmt.Fprintf(p.out, "%s  applied %s\n", done.Version, done.AppliedAt.Time().Format(time.RFC3339))
	}
	_, err = fmt.Fprintf(p.out, "the schema of the %s database is up to date\n", r.store.Dialect())
	return err
}

func manual(_ context.Context, _ *config.Line, p program) error {
	_, err := io.WriteString(p.out, docs.Settings)
	return err
}

func tellVersion(_ context.Context, _ *config.Line, p program) error {
	_, err := fmt.Fprintln(p.out, "switchboard", version())
	return err
}

// version is what the Go tool knows of the build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

// figures are what the program counts beside its requests.
func figures(d *doors) []httpd.Figure {
	return []httpd.Figure{
		{Name: "switchboard_store_changes_total", Help: "Changes that were committed.", Rises: true, Read: func() float64 { return float64(d.rules.store.Stats().Changes) }},
		{Name: "switchboard_store_commits_total", Help: "Commits that they took; on SQLite each is a flush of the disk.", Rises: true, Read: func() float64 { return float64(d.rules.store.Stats().Commits) }},
		{Name: "switchboard_store_failed_total", Help: "Changes that were begun and not committed.", Rises: true, Read: func() float64 { return float64(d.rules.store.Stats().Failed) }},
		{Name: "switchboard_store_busy_total", Help: "Changes that were turned away because too many waited.", Rises: true, Read: func() float64 { return float64(d.rules.store.Stats().Busy) }},
		{Name: "switchboard_store_waiting", Help: "Changes that wait.", Read: func() float64 { return float64(d.rules.store.Stats().QueueLen) }},
		{Name: "switchboard_calls", Help: "Calls that live.", Read: func() float64 { return float64(d.ways.Stats().Calls) }},
		{Name: "switchboard_calls_begun_total", Help: "New calls that were taken.", Rises: true, Read: func() float64 { return float64(d.ways.Stats().Begun) }},
		{Name: "switchboard_calls_shed_total", Help: "New calls that were told to come again (503).", Rises: true, Read: func() float64 { return float64(d.ways.Stats().Shed) }},
		{Name: "switchboard_phones", Help: "Telephones that are registered.", Read: func() float64 { return float64(d.ways.Stats().Phones) }},
		{Name: "switchboard_sip_refused_total", Help: "Wrong passwords of telephones.", Rises: true, Read: func() float64 { return float64(d.ways.Stats().Refused) }},
		{Name: "switchboard_sip_throttled_total", Help: "SIP messages and connections of sources that send too many.", Rises: true, Read: func() float64 { return float64(d.ways.Stats().Throttled) }},
		{Name: "switchboard_sockets", Help: "WebSockets that are open.", Read: func() float64 { return float64(d.sockets.Open()) }},
	}
}

// untilSignal ends with the first SIGINT or SIGTERM. Whoever sees it ended can rely on it that a second signal ends the program at once.
func untilSignal() context.Context {
	ctx, end := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		end()
	}()
	return ctx
}
