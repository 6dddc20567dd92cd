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
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is where the program is, once a test has needed it.
var built string

// binary is the program as it is shipped, but for the race detector. Built once: most of the tests of this package run it.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "switchboard-program")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "switchboard")
	out, err := exec.Command("go", "build", "-race", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if err := os.RemoveAll(built); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// process is one run of it.
type process struct {
	*testing.T
	command *exec.Cmd
	url     string // of its root, without a slash at the end
	welcome string // what it printed until it was ready
	log     *transcript
	exited  chan struct{}
}

// transcript keeps what a program writes.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// command is the program with arguments, and none of our own settings.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, args...)
	c.Dir = t.TempDir()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SWITCHBOARD_") {
			c.Env = append(c.Env, v)
		}
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// start starts a server on a free port and waits until it says where.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	c := command(t, append([]string{"--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--media-ports", "0"}, args...)...)
	p := &process{T: t, command: c, log: &transcript{}, exited: make(chan struct{})}
	c.Stderr = p.log
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	lines := bufio.NewReader(out)
	for p.url == "" || !strings.Contains(p.welcome, "Docs") {
		line, err := lines.ReadString('\n')
		if err != nil {
			_ = c.Wait() // what it said of its end matters, not how it ended
			t.Fatalf("it did not start: %v\n%s%s", err, p.welcome, p.log)
		}
		p.welcome += line
		if m := listening.FindStringSubmatch(line); m != nil {
			p.url = "http://" + m[1]
		}
	}
	go func() {
		rest, _ := io.ReadAll(lines) // ends with the program
		_, _ = p.log.Write(rest)
		_ = c.Wait()
		close(p.exited)
	}()
	return p
}

// kill ends it as a power cut would, if it still runs.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.exited
}

// stop asks it to end and gives its exit code.
func (p *process) stop(s os.Signal) int {
	p.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.Fatalf("it did not stop:\n%s", p.log)
	}
	return p.command.ProcessState.ExitCode()
}

// do sends a request and gives the answer's status and body.
func (p *process) do(method, path, body string, header ...string) (int, string) {
	p.Helper()
	status, text, err := p.try(method, path, body, header...)
	if err != nil {
		p.Fatal(err)
	}
	return status, text
}

func (p *process) try(method, path, body string, header ...string) (int, string, error) {
	r, err := http.NewRequestWithContext(p.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), errors.Join(err, res.Body.Close())
}

// ask asks GraphQL.
func (p *process) ask(token, query string, into any) {
	p.Helper()
	if err := p.tryAsk(token, query, into); err != nil {
		p.Fatal(err)
	}
}

func (p *process) tryAsk(token, query string, into any) error {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return err
	}
	header := []string{"Content-Type", "application/json"}
	if token != "" {
		header = append(header, "Authorization", "Bearer "+token)
	}
	status, text, err := p.try("POST", "/query", string(body), header...)
	if err == nil && (status != 200 || strings.Contains(text, `"errors":`)) {
		err = fmt.Errorf("%d %s", status, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}
