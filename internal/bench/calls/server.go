package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is the switchboard with the telephones that the load needs.
type server struct {
	processes []*exec.Cmd
	http      string
	sip       netip.AddrPort
	apiKey    string
	number    string             // id of X
	whom      func(i int) string // what the i-th pair dials
}

// built is the program to be measured (-program); empty: it is built.
var built string

// x is the number through which all calls go.
const x = "+862150000000"

// party is the outside number that a telephone stands for; the telephone's own number is the same without country and plus.
func party(i int) string { return "+86139" + fmt.Sprintf("%08d", i) }

func phoneName(i int) string { return "7" + fmt.Sprintf("%06d", i) }

// startServer builds the program, loads telephones for so many calls at once, starts it and makes a mask for each call.
func startServer(ctx context.Context, dir string, pairs int, record bool) (*server, error) {
	program := built
	if program == "" {
		program = filepath.Join(dir, "switchboard")
	}
	if _, err := os.Stat(program); err != nil {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	data, err := os.MkdirTemp(dir, "data")
	if err != nil {
		return nil, err
	}
	args := []string{"--data", data, "--no-throttle", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--sip-tls", "off",
		"--calls-at-once", "1000000", "--calls-per-minute", "1000000", "--log-level", "warn"}
	s := &server{whom: func(int) string { return x }}
	if err := s.provision(ctx, program, dir, args, pairs); err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...)
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.processes = []*exec.Cmd{cmd}
	if err := s.await(out); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	if err := s.mask(ctx, pairs, record); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *server) provision(ctx context.Context, program, dir string, args []string, pairs int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "accounts:\n  - email: bench@example.com\n    password: a password for the bench\n    plan: business\n    numbers: [{number: %q, concurrency: 10000}]\n    sipNumbers:\n", x)
	for i := range 2 * pairs {
		fmt.Fprintf(&b, "      - {number: %q, password: password%06d, rings: [%q]}\n", phoneName(i), i, party(i))
	}
	file := filepath.Join(dir, "provision.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return err
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append(args, "--json", "provision", file)...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("provision: %w\n%s", err, &errs)
	}
	var printed struct {
		Accounts []struct {
			ApiKey  string
			Numbers []struct{ ID string }
		}
	}
	if err := json.Unmarshal(out, &printed); err != nil {
		return err
	}
	s.apiKey, s.number = printed.Accounts[0].ApiKey, printed.Accounts[0].Numbers[0].ID
	return nil
}

var (
	atHTTP = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)
	atSIP  = regexp.MustCompile(`SIP\s+(127\.0\.0\.1:\d+)`)
)

// await reads where the program listens.
func (s *server) await(out io.Reader) error {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := atHTTP.FindStringSubmatch(lines.Text()); m != nil {
			s.http = "http://" + m[1]
		}
		if m := atSIP.FindStringSubmatch(lines.Text()); m != nil {
			at, err := netip.ParseAddrPort(m[1])
			if err != nil {
				return err
			}
			s.sip = at
			go io.Copy(io.Discard, out) //nolint:errcheck // ends with the program
			return nil
		}
	}
	return errors.New("the program does not say where SIP is")
}

// mask binds each pair of telephones to X.
func (s *server) mask(ctx context.Context, pairs int, record bool) error {
	for i := range pairs {
		query := fmt.Sprintf(`mutation { maskNumbers(input: {kind: AXB, numberId: "%s", first: "%s", second: "%s", record: %t}) { userErrors { code field message } } }`,
			s.number, party(2*i), party(2*i+1), record)
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.http+"/query", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-API-Key", s.apiKey)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			return err
		}
		if !strings.Contains(string(text), `"userErrors":[]`) {
			return fmt.Errorf("maskNumbers: %s", text)
		}
	}
	return nil
}

func (s *server) stop() (err error) {
	for _, cmd := range s.processes {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() }) // it may have ended meanwhile
		ended := cmd.Wait()
		late.Stop()
		var exit *exec.ExitError
		if ended != nil && !(errors.As(ended, &exit) && len(s.processes) > 1) { // the others end by the signal, ours by itself
			err = errors.Join(err, ended)
		}
	}
	return err
}

// usage is processor time and memory of the server.
type usage struct {
	cpu    time.Duration
	memory float64 // MiB, proportional set size
}

func (s *server) usage() (sum usage, err error) {
	for _, cmd := range s.processes {
		for _, pid := range family(cmd.Process.Pid) {
			u, err := usageOf(pid)
			if err != nil {
				return sum, err
			}
			sum.cpu += u.cpu
			sum.memory += u.memory
		}
	}
	return sum, nil
}

func usageOf(pid int) (u usage, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return u, err
	}
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread ended just now
		}
		if err != nil {
			return u, err
		}
		ran, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ns)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if errors.Is(err, os.ErrNotExist) {
		return u, nil // the process did
	}
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			if err != nil {
				return u, err
			}
			u.memory = kib / 1024
		}
	}
	return u, nil
}
