package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// profile is a running perf(1), which samples a process from outside: the server needs no profiling endpoint, and C is seen as well as Go.
type profile struct {
	cmd  *exec.Cmd
	data string
	said strings.Builder
}

// perfRate is off the beat of everything that runs at a round frequency.
const perfRate = "2999"

// startProfile samples the process into a file in dir.
func startProfile(ctx context.Context, dir, name string, pid int) (*profile, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	name = strings.NewReplacer(" ", "-", ",", "", "+", "", "(", "", ")", "").Replace(name)
	p := &profile{data: filepath.Join(dir, name+".perf")}
	p.cmd = exec.CommandContext(ctx, "perf", "record", "-q", "-F", perfRate, "-g", "-p", strconv.Itoa(pid), "-o", p.data)
	p.cmd.Stderr = &p.said
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start perf (Debian: linux-perf): %w", err)
	}
	return p, nil
}

// write ends the sampling and reports it twice: by where the time was spent, and by what was called.
func (p *profile) write() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop perf: %w", err)
	}
	// perf passes on the signal that ended it, so its end says nothing; an unusable file does, below.
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("perf: %w", err)
	}
	for suffix, how := range map[string]string{"self": "--no-children", "total": "--children"} {
		report := exec.Command("perf", "report", "-i", p.data, "--stdio", "-g", "none", "--percent-limit", "0.1", how)
		out, err := report.Output()
		if err != nil {
			return fmt.Errorf("perf report: %w (%s)", err, p.said.String())
		}
		if err := os.WriteFile(strings.TrimSuffix(p.data, ".perf")+"-"+suffix+".txt", out, 0o644); err != nil {
			return err
		}
	}
	return nil
}
