package peers

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Scenario runs sipp.
type Scenario struct {
	XML    string            // the scenario
	Server string            // host:port that it calls; a scenario that waits is told where by Port
	Port   int               // its own port; 0: any
	Users  [][]string        // lines for -inf, as [field0], [field1]...
	Keys   map[string]string // -key name value
	Calls  int               // 1 where it is 0
	Rate   int               // calls a second
	AtOnce int               // calls at once
	TCP    bool
	Loss   bool // a failed call doesn't fail the test: the figures say it
}

// Figures are what sipp counted.
type Figures struct {
	Done, Failed int
	Output       string
}

// Run runs the scenario to its end and fails the test if one of its calls failed.
func (s Scenario) Run(ctx context.Context, t testing.TB) Figures {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "scenario.xml")
	if err := os.WriteFile(file, []byte(s.XML), 0o600); err != nil {
		t.Fatal(err)
	}
	calls := strconv.Itoa(max(s.Calls, 1))
	args := []string{"-sf", file, "-m", calls, "-i", "127.0.0.1", "-nostdin", "-trace_stat", "-stf", filepath.Join(folder, "stat.csv"),
		"-trace_err", "-error_file", filepath.Join(folder, "errors"), "-timeout", "110s", "-timeout_error"}
	if s.Port == 0 {
		s.Port = freePorts(t)
	}
	args = append(args, "-p", strconv.Itoa(s.Port), "-mp", strconv.Itoa(freePorts(t)))
	if s.Rate > 0 {
		args = append(args, "-r", strconv.Itoa(s.Rate))
	}
	if s.AtOnce > 0 {
		args = append(args, "-l", strconv.Itoa(s.AtOnce))
	}
	if s.TCP {
		args = append(args, "-t", "t1")
	}
	for k, v := range s.Keys {
		args = append(args, "-key", k, v)
	}
	if s.Users != nil {
		users := filepath.Join(folder, "users.csv")
		text := "SEQUENTIAL\n"
		for _, line := range s.Users {
			text += strings.Join(line, ";") + "\n"
		}
		if err := os.WriteFile(users, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-inf", users)
	}
	if s.Server != "" {
		args = append(args, s.Server)
	}
	out, err := exec.CommandContext(ctx, "sipp", args...).CombinedOutput()
	f := figures(filepath.Join(folder, "stat.csv"))
	errors, _ := os.ReadFile(filepath.Join(folder, "errors")) // there is one only where something went wrong
	f.Output = fmt.Sprintf("%s\n%s", out, errors)
	if err != nil && !s.Loss {
		t.Fatalf("sipp: %v, %d done, %d failed\n%s", err, f.Done, f.Failed, f.Output)
	}
	return f
}

// figures reads the last line of sipp's statistics.
func figures(file string) (f Figures) {
	text, err := os.ReadFile(file)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if err != nil || len(lines) < 2 {
		return f
	}
	names, values := strings.Split(lines[0], ";"), strings.Split(lines[len(lines)-1], ";")
	for i, name := range names {
		if i >= len(values) {
			break
		}
		switch name {
		case "SuccessfulCall(C)":
			f.Done, _ = strconv.Atoi(values[i])
		case "FailedCall(C)":
			f.Failed, _ = strconv.Atoi(values[i])
		}
	}
	return f
}

//go:embed scenarios/*.xml
var scenarios embed.FS

// XML is one of the kit's own scenarios, by its name.
func XML(t testing.TB, name string) string {
	t.Helper()
	text, err := scenarios.ReadFile("scenarios/" + name + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Proof is what makes sipp answer a challenge: a field of Users.
func Proof(user, password string) string {
	return fmt.Sprintf("[authentication username=%s password=%s]", user, password)
}
