package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a process and the machine have used so far.
type usage struct {
	server, client time.Duration // processor time
	busy, all      time.Duration // processor time of the whole machine, all its processors together
}

func readUsage(pid int) (usage, error) {
	var u usage
	var err error
	if u.server, err = processTime(pid); err != nil {
		return u, err
	}
	if u.client, err = processTime(os.Getpid()); err != nil {
		return u, err
	}
	u.busy, u.all, err = machineTime()
	return u, err
}

// processTime is the processor time of a process, to the nanosecond: /proc/PID/stat counts in hundredths of a second, too coarse for a
// few thousand deliveries. What threads used that have ended is missing; Go's don't end.
func processTime(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		ran, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += time.Duration(ns)
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d does not tell its processor time in /proc", pid)
	}
	return sum, nil
}

// tick is the unit of /proc/stat (USER_HZ, 100 on every Linux).
const tick = 10 * time.Millisecond

// machineTime sums /proc/stat's first line: user nice system idle iowait irq softirq steal.
func machineTime() (busy, all time.Duration, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/stat: %w", err)
		}
		all += time.Duration(n) * tick
		if i != 3 && i != 4 {
			busy += time.Duration(n) * tick
		}
	}
	return busy, all, nil
}

// memory is the process's proportional set size in KiB: pages that it shares count by their share.
func memory(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			return strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		}
	}
	return 0, fmt.Errorf("process %d does not tell its Pss", pid)
}
