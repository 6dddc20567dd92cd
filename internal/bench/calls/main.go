package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// What a throwaway prototype of the same thing needed on two shared cores, its load included (issue 3).
const (
	prototypeSetup  = 500 * time.Microsecond
	prototypeCall   = .16 // percent of a core
	prototypeMemory = .22 // MiB
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("calls", flag.ContinueOnError)
	long := flags.Duration("d", 5*time.Second, "how long each rate is offered")
	talking := flags.Int("calls", 300, "recorded calls at once")
	only := flags.String("only", "", "rates, overload, sipp or talks; empty: all of them")
	flags.StringVar(&built, "program", "", "the program to be measured; empty: it is built from the sources here")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "switchboard-calls")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"rates", func() error { return rates(ctx, dir, *long, out) }},
		{"overload", func() error { return overload(ctx, dir, *long, out) }},
		{"sipp", func() error { return comparison{dir, *long}.run(ctx, out) }},
		{"talks", func() error { return talks(ctx, dir, *talking, *long, out) }},
	} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.run(); err != nil {
			return err
		}
	}
	return nil
}

// telephones are enough for the highest rate.
const telephones = 6000

// rates offers more and more calls to the switchboard, on the cores that it shares with the load.
func rates(ctx context.Context, dir string, long time.Duration, out io.Writer) (err error) {
	fmt.Fprintf(out, "call set-ups, each from INVITE to BYE (%s of talk): proved by digest, through a masked number, with a durable record\n", talk)
	s, err := startServer(ctx, dir, telephones, false)
	if err != nil {
		return err
	}
	pairs, err := open(s, telephones, false)
	if err == nil {
		_, err = climb(s, pairs, []float64{50, 200, 400, 600, 800, 1000}, long, out)
		shut(pairs)
	}
	fmt.Fprintln(out)
	return errors.Join(err, s.stop())
}

// overload offers three times what can be sustained. The server has cores of its own for that: three times the calls are three times the
// work of the load as well, and on shared cores it would take from the server what the server is to show.
func overload(ctx context.Context, dir string, long time.Duration, out io.Writer) (err error) {
	mine, others := halves()
	var s *server
	err = on(mine, func() (err error) {
		s, err = startServer(ctx, dir, telephones, false)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	everything := move(others)
	defer move(everything)
	fmt.Fprintf(out, "overload; the server has %d of the cores for itself, the load the others\n", len(mine))
	pairs, err := open(s, telephones, false)
	if err != nil {
		return err
	}
	defer shut(pairs)
	best, err := climb(s, pairs, []float64{100, 200, 300, 400, 500, 600, 700, 800, 1000, 1200}, long, out)
	if err != nil {
		return err
	}
	if best.done == 0 {
		return errors.New("no rate was sustained")
	}
	r, err := offer(s, pairs, 3*best.offered, 2*long)
	if err != nil {
		return err
	}
	row(out, r)
	fmt.Fprintf(out, "%.1f times what was sustained reached the server (%d calls had no telephone); goodput to that: %.2f\n\n", r.offered/best.offered, r.unmade,
		r.goodput()/best.goodput())
	return nil
}

// climb offers more and more calls, until some fail, and gives the last that were all done.
func climb(s *server, pairs []pair, rates []float64, long time.Duration, out io.Writer) (best setups, err error) {
	fmt.Fprintln(out, "offered/s   done/s  failed  of them 503     p50     p95   CPU a call   to the prototype's 0.5 ms")
	for _, rate := range rates {
		r, err := offer(s, pairs, rate, long)
		if err != nil {
			return best, err
		}
		row(out, r)
		if r.failed > 0 || r.unmade > 0 || r.p95 > time.Second {
			break
		}
		best = r
	}
	return best, nil
}

func row(out io.Writer, r setups) {
	fmt.Fprintf(out, "%9.0f %8.0f %7d %12d %7s %7s %12s %10.2f\n", r.offered, r.goodput(), r.failed, r.refused, r.p50.Round(100*time.Microsecond),
		r.p95.Round(100*time.Microsecond), r.cpu.Round(time.Microsecond), float64(r.cpu)/float64(prototypeSetup))
	for why, n := range r.why {
		fmt.Fprintf(out, "          %d failed: %s\n", n, why)
	}
}

// talks carries conversations, recorded and not.
func talks(ctx context.Context, dir string, calls int, long time.Duration, out io.Writer) error {
	fmt.Fprintln(out, "conversations at once, G.711 both ways")
	fmt.Fprintln(out, "  calls  recorded   packets  lost   core a call   to 0.16 %   MiB a call   to 0.22")
	for _, record := range []bool{false, true} {
		s, err := startServer(ctx, dir, calls, record)
		if err != nil {
			return err
		}
		if err := errors.Join(talking(s, calls, fmt.Sprint(record), long, out), s.stop()); err != nil {
			return err
		}
	}
	s, there, err := startKamailio(ctx, dir)
	if err != nil || !there {
		return err
	}
	return errors.Join(talking(s, calls, "rtpengine", long, out), s.stop())
}

func talking(s *server, calls int, record string, long time.Duration, out io.Writer) error {
	pairs, err := open(s, calls, true)
	if err != nil {
		return err
	}
	defer shut(pairs)
	c, err := carry(s, pairs, 2*long)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%7d %9s %9d %5d %10.3f %% %10.2f %12.2f %9.2f\n", c.calls, record, c.sent, c.lost, c.perCall, c.perCall/prototypeCall,
		c.memory, c.memory/prototypeMemory)
	return nil
}
