package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"switchboard/internal/bench/load"
)

// workload is something to measure.
type workload interface {
	name() string // tells it from others of its kind
	measure(ctx context.Context, s side, pid int) (run, error)
}

// contender is a program that takes part: its data, how it is asked, and its process while it runs.
type contender struct {
	program
	dir  string
	side func(addr string) side
	proc *process
}

func (c *contender) up(ctx context.Context) (err error) {
	if c.proc == nil {
		c.proc, err = c.start(ctx, c.dir)
	}
	return err
}

func (c *contender) down() error {
	if c.proc == nil {
		return nil
	}
	err := c.proc.stop()
	c.proc = nil
	return err
}

// bench is one benchmark.
type bench struct {
	options
	dir               string
	base, group, ours *contender
	world             *world
	found             []comparison
	faults            []error // what makes the benchmark fail although it went on
}

func newBench(ctx context.Context, o options, dir string) (*bench, error) {
	b := &bench{options: o, dir: dir}
	programs := dir
	if o.profile != "" { // perf looks names up in the program later
		programs = o.profile
	}
	basePath, err := build(ctx, programs, "./internal/bench/baseline", "baseline")
	if err != nil {
		return nil, err
	}
	oursPath, err := build(ctx, programs, ".", "switchboard")
	if err != nil {
		return nil, err
	}
	health := load.Request{Method: "GET", Path: "/health"}
	baseArgs := func(more ...string) func(addr, dir string) []string {
		return func(addr, dir string) []string {
			return append([]string{"-addr", addr, "-db", filepath.Join(dir, "baseline.db")}, more...)
		}
	}
	baseSide := func(addr string) side { return baselineSide{addr: addr} }
	b.base = &contender{program: program{name: "baseline", path: basePath, args: baseArgs(), probe: health},
		dir: filepath.Join(dir, "base"), side: baseSide}
	b.group = &contender{program: program{name: "baseline, shared commits", path: basePath, args: baseArgs("-group"), probe: health},
		dir: filepath.Join(dir, "group"), side: baseSide}
	b.ours = &contender{program: program{name: "switchboard", path: oursPath, args: b.serverArgs,
		probe: load.Request{Method: "POST", Path: "/query", Header: graphqlHeader, Body: document(`{ __typename }`)}},
		dir: filepath.Join(dir, "ours"), side: func(addr string) side { return switchboardSide{addr: addr, world: b.world} }}
	return b, nil
}

// serverArgs are the switchboard's defaults but for the throttles, which would measure themselves, and for room for all subscribers.
func (b *bench) serverArgs(addr, dir string) []string {
	return append([]string{"--http", addr, "--data", dir, "--no-throttle", "--max-sockets", "20000"}, b.serverFlags...)
}

func (b *bench) stop() error {
	return errors.Join(b.ours.down(), b.base.down(), b.group.down())
}

// all measures what was asked for, and answers what went wrong.
func (b *bench) all(ctx context.Context) error {
	if err := errors.Join(b.base.up(ctx), b.ours.up(ctx)); err != nil {
		return err
	}
	if slices.ContainsFunc(b.workloads, func(w string) bool { return w != "cold" }) {
		progress("registering accounts")
		var err error
		if b.world, err = settle(ctx, b.ours.proc.addr, b.wants("w1")); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{"w1", b.sends}, {"w2", b.lists}, {"w3", b.latencies}, {"w4", b.fanouts}, {"cold", b.starting}} {
		if !b.wants(part.name) {
			continue
		}
		if err := part.do(ctx); err != nil {
			b.faults = append(b.faults, fmt.Errorf("%s: %w", part.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(b.faults...)
}

// entry is one measurement to be compared with the baseline's.
type entry struct {
	what      string
	who       *contender
	load      workload
	goal      goal
	reference bool // for the reader only: it needs no second baseline
	fresh     bool // in a new process: memory that an earlier run freed would be used again
}

// against measures the entries, each between two measurements of the baseline; neighbours share one. An entry that fails is noted, and
// the next one measured.
func (b *bench) against(ctx context.Context, base entry, entries ...entry) error {
	before, err := b.measure(ctx, base)
	if err != nil {
		return err
	}
	for _, e := range entries {
		r, err := b.measure(ctx, e)
		if err != nil {
			b.faults = append(b.faults, err)
			continue
		}
		c := comparison{What: e.what, Goal: e.goal, Ours: r, Base: []run{before}}
		if !e.reference {
			if before, err = b.measure(ctx, base); err != nil {
				return err
			}
			c.Base = append(c.Base, before)
		}
		b.found = append(b.found, c)
	}
	return nil
}

func (b *bench) measure(ctx context.Context, e entry) (run, error) {
	if e.fresh {
		if err := e.who.down(); err != nil {
			return run{}, err
		}
	}
	if err := e.who.up(ctx); err != nil {
		return run{}, err
	}
	var p *profile
	var err error
	if b.profile != "" && e.who == b.ours {
		if p, err = startProfile(ctx, b.profile, e.what+" "+e.load.name(), e.who.proc.pid()); err != nil {
			return run{}, err
		}
	}
	r, err := e.load.measure(ctx, e.who.side(e.who.proc.addr), e.who.proc.pid())
	r.Server = e.who.name
	if p != nil {
		err = errors.Join(err, p.write())
	}
	if err != nil {
		return r, fmt.Errorf("%s, %s: %w\nit printed at last:\n%s", e.what, r.Server, err, e.who.proc.tail())
	}
	progress("%-24s %-20s %5d clients  %9.0f/s  p50 %8.3f ms  cpu %7.1f us", r.Server, r.Act, r.Clients, r.Rate, r.P50, r.CPU)
	b.judge(r)
	return r, nil
}

// judge notes what makes a run wrong, however fast it was.
func (b *bench) judge(r run) {
	if r.Missing > 0 || r.Doubled > 0 {
		b.faults = append(b.faults, fmt.Errorf("%s, %s to %d: %d deliveries are missing, %d came twice", r.Server, r.Act, r.Clients, r.Missing, r.Doubled))
	}
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
