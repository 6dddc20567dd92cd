package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"switchboard/internal/bench/load"
)

// program is a command that serves HTTP and can be started again and again.
type program struct {
	name string
	path string
	args func(addr, dir string) []string
	// probe is answered with 200 as soon as the program serves.
	probe load.Request
}

// build compiles a package of this module into dir.
func build(ctx context.Context, dir, pkg, name string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// process is a program that runs.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  string
	took time.Duration // from its start to its first answer
	end  chan error
}

const (
	startPatience = 30 * time.Second
	stopPatience  = 15 * time.Second
	probeEvery    = 500 * time.Microsecond
)

// start runs the program on a free port with its data in dir, and returns when it has answered.
func (p program) start(ctx context.Context, dir string) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	pr := &process{addr: addr, log: filepath.Join(dir, "bench-"+p.name+".log"), end: make(chan error, 1)}
	out, err := os.OpenFile(pr.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	pr.cmd = exec.Command(p.path, p.args(addr, dir)...)
	pr.cmd.Dir, pr.cmd.Stdout, pr.cmd.Stderr = dir, out, out
	pr.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SWITCHBOARD_") })
	began := time.Now()
	if err := pr.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() { pr.end <- pr.cmd.Wait() }()
	if err := pr.await(ctx, p.probe, began); err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not answer: %w\n%s", p.name, err, pr.tail()), pr.stop())
	}
	return pr, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// await asks until there is an answer.
func (pr *process) await(ctx context.Context, probe load.Request, began time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	every := time.NewTicker(probeEvery)
	defer every.Stop()
	for {
		err := ask(ctx, pr.addr, probe)
		if err == nil {
			pr.took = time.Since(began)
			return nil
		}
		select {
		case <-every.C:
		case ended := <-pr.end:
			pr.end <- ended
			return fmt.Errorf("it ended: %w", errors.Join(ended, err))
		case <-ctx.Done():
			return err
		}
	}
}

func ask(ctx context.Context, addr string, r load.Request) error {
	c, err := load.Dial(ctx, addr)
	if err != nil {
		return err
	}
	status, body, err := c.Do(r)
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d: %.200s", status, body)
	}
	return errors.Join(err, c.Close())
}

func (pr *process) pid() int { return pr.cmd.Process.Pid }

// stop asks the process to end and waits for it; one that does not end in time is ended, and that is an error.
func (pr *process) stop() error {
	if err := pr.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	patience := time.NewTimer(stopPatience)
	defer patience.Stop()
	select {
	case err := <-pr.end:
		if err != nil {
			return fmt.Errorf("%s ended badly: %w\n%s", pr.cmd.Path, err, pr.tail())
		}
		return nil
	case <-patience.C:
	}
	err := pr.cmd.Process.Kill()
	<-pr.end
	return errors.Join(fmt.Errorf("%s did not stop in %s\n%s", pr.cmd.Path, stopPatience, pr.tail()), err)
}

// tail is the end of what the process printed.
func (pr *process) tail() string {
	b, err := os.ReadFile(pr.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}
