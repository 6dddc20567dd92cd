package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := execute(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	workloads   []string
	lasts       time.Duration
	clients     []int
	subscribers []int
	starts      int
	json        string
	profile     string
	serverFlags []string
}

var allWorkloads = []string{"w1", "w2", "w3", "w4", "cold"}

func parseOptions(args []string) (options, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	w := f.String("w", strings.Join(allWorkloads, ","), "workloads")
	c := f.String("c", "1,32,128", "clients of w1; w2 takes those up to 32")
	s := f.String("s", "1000,5000", "subscribers of w4")
	o := options{starts: 5}
	f.DurationVar(&o.lasts, "d", 2*time.Second, "how long each run is measured")
	f.StringVar(&o.json, "json", "", "file to which each comparison is added as a line of JSON")
	f.StringVar(&o.profile, "profile", "", "folder for a profile by perf(1) of each run of the switchboard")
	quick := f.Bool("quick", false, "a rough look: -d 500ms -c 1,32 -s 1000, two starts")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if *quick {
		o.lasts, *c, *s, o.starts = 500*time.Millisecond, "1,32", "1000", 2
	}
	o.workloads, o.serverFlags = strings.Split(*w, ","), f.Args()
	for _, name := range o.workloads {
		if !slices.Contains(allWorkloads, name) {
			return o, fmt.Errorf("there is no workload %q", name)
		}
	}
	var err, err2 error
	o.clients, err = counts(*c)
	o.subscribers, err2 = counts(*s)
	if o.lasts <= 0 {
		return o, errors.New("-d must be more than zero")
	}
	return o, errors.Join(err, err2)
}

func counts(list string) ([]int, error) {
	var out []int
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n <= 0 || n > 20000 {
			return nil, fmt.Errorf("%q is not a number of clients", s)
		}
		out = append(out, n)
	}
	return out, nil
}

func (o options) wants(workload string) bool { return slices.Contains(o.workloads, workload) }

// timeLimit ends a benchmark that hangs. One with everything takes about three minutes.
const timeLimit = 20 * time.Minute

func execute(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := raiseFiles(slices.Max(o.subscribers)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "switchboard-bench-")
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o, dir)
	if err == nil {
		err = b.all(ctx)
		err = errors.Join(err, b.stop(), writeTable(os.Stdout, b.found), writeJSON(o.json, b.found))
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// raiseFiles lets this process and those that it starts hold all the sockets. Go restores the old limit in children unless it was
// set by hand.
func raiseFiles(sockets int) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if need := uint64(sockets) + 256; l.Max < need {
		return fmt.Errorf("at most %d open files are allowed here, and %d subscribers need %d: raise ulimit -n, or take fewer with -s", l.Max, sockets, need)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	return nil
}

func writeJSON(path string, found []comparison) (err error) {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	enc := json.NewEncoder(f)
	for _, c := range found {
		if err := enc.Encode(c); err != nil {
			return err
		}
	}
	return nil
}
