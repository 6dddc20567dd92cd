package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The README's examples, as they stand: its shell blocks are run one after another in one shell, and what each prints is what the text
// block behind it says.
func TestTheExamplesOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t)
	const mark = "-- end of an example --"
	var script, want strings.Builder
	examples := 0
	for _, m := range regexp.MustCompile("(?s)```(sh|text)\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if m[1] == "sh" {
			script.WriteString(m[2] + "\necho; echo '" + mark + "'\n")
			want.WriteString(mark + "\n")
			continue
		}
		examples++
		before, _ := strings.CutSuffix(want.String(), mark+"\n")
		want.Reset()
		want.WriteString(before + m[2] + mark + "\n")
	}
	if examples != 7 {
		t.Fatalf("the README has %d examples", examples)
	}
	text := strings.ReplaceAll(script.String(), "http://127.0.0.1:8080", p.url)
	if !strings.Contains(text, p.url) {
		t.Fatal("the examples ask another server")
	}
	shell := exec.Command("bash", "-eu", "-o", "pipefail")
	shell.Stdin = strings.NewReader(text)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, wanted := filled(string(out)), filled(want.String())
	for i := range max(len(got), len(wanted)) {
		if i >= len(got) || i >= len(wanted) {
			t.Fatalf("%d lines instead of %d:\n%s", len(got), len(wanted), out)
		}
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(wanted[i]), "…", `[^"]+`) + "$"
		if !regexp.MustCompile(pattern).MatchString(got[i]) {
			t.Errorf("the README says\n%s\nand it is\n%s", wanted[i], got[i])
		}
	}
	if log := p.log.String(); strings.Contains(log, "ERROR") || strings.Contains(log, "correct horse") || strings.Contains(log, "+999") {
		t.Errorf("the log says\n%s", log)
	}
}

// filled are the lines that hold something.
func filled(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
}

func TestItSaysWhereItIsAndStops(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t)
		for _, want := range []string{"Playground  " + p.url + "/\n", "GraphQL     " + p.url + "/query\n", "Docs        " + p.url + "/docs/\n"} {
			if !strings.Contains(p.welcome, want) {
				t.Errorf("it says\n%s", p.welcome)
			}
		}
		for path, want := range map[string]string{"/": "<html", "/docs/": "rooms.md", "/docs/rooms.md": "<h1", "/healthz": `"status":"ok"`,
			"/readyz": `"status":"ready"`, "/metrics": "switchboard_store_commits_total"} {
			if status, body := p.do("GET", path, ""); status != 200 || !strings.Contains(body, want) {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		if code := p.stop(signal); code != 0 {
			t.Errorf("%v: exit code %d\n%s", signal, code, p.log)
		}
		if key, err := os.Stat(filepath.Join(p.command.Dir, "data", "secret.key")); err != nil || key.Mode() != 0o600 || key.Size() != 32 {
			t.Errorf("the key: %v, %v", key, err)
		}
	}
}

func TestTheOperatorTokenIsGoodOnce(t *testing.T) {
	data := t.TempDir()
	token := regexp.MustCompile(`swo_\S+`)
	p := start(t, "--data", data)
	earlier := token.FindString(p.welcome)
	if code := p.stop(syscall.SIGTERM); code != 0 || earlier == "" {
		t.Fatal(code, p.welcome)
	}
	p = start(t, "--data", data)
	var in struct {
		Data struct{ Register struct{ Token string } }
	}
	p.ask("", `mutation { register(input: {email: "a@example.com", password: "correct horse"}) { token } }`, &in)
	claim := func(operator string) bool {
		var out struct {
			Data struct {
				ClaimOperator struct {
					Account    struct{ Operator bool }
					UserErrors []struct{ Code string }
				}
			}
		}
		p.ask(in.Data.Register.Token, `mutation { claimOperator(input: {token: "`+operator+`"}) { account { operator } userErrors { code } } }`, &out)
		if got := out.Data.ClaimOperator; got.Account.Operator == (len(got.UserErrors) > 0) {
			t.Errorf("claiming: %+v", got)
		}
		return out.Data.ClaimOperator.Account.Operator
	}
	now := token.FindString(p.welcome)
	if claim(earlier) || !claim(now) || claim(now) {
		t.Error("a token was good when it should not, or not when it should")
	}
	if code := p.stop(syscall.SIGTERM); code != 0 {
		t.Error(code)
	}
	if p = start(t, "--data", data); token.MatchString(p.welcome) {
		t.Errorf("there is an operator, and it says\n%s", p.welcome)
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := command(t, "--http", l.Addr().String())
	out, err := c.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("address already in use")) {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "data")); err == nil {
		t.Error("it made its data folder all the same")
	}
}

func TestCommands(t *testing.T) {
	example, err := filepath.Abs("docs/provision.example.yml")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t)
	data := filepath.Join(p.command.Dir, "data")
	var first []byte
	for range 2 { // beside the running server, and again
		out, err := command(t, "provision", example, "--json", "--data", data).Output()
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, out) {
			t.Errorf("at first\n%s\nand then\n%s", first, out)
		}
		first = out
	}
	var there struct {
		Accounts []struct{ Email, ApiKey string }
	}
	if err := json.Unmarshal(first, &there); err != nil || len(there.Accounts) != 3 {
		t.Fatalf("%v: %s", err, first)
	}
	status, body := p.do("GET", "/api/numbers", "", "X-API-Key", there.Accounts[0].ApiKey)
	if status != 200 || !strings.Contains(body, "+862151860001") {
		t.Errorf("the server says %d %s", status, body)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"provision", example, "--data", data}, 0, "pa55-word-2001"},
		{[]string{"provision", "/no/such/file", "--data", data}, 1, "no such file"},
		{[]string{"migrate", "--data", data}, 0, "up to date"},
		{[]string{"config"}, 0, "http: 127.0.0.1:8080"},
		{[]string{"version"}, 0, "switchboard "},
		{[]string{"--help"}, 0, "--throttle-login"},
		{[]string{"--colour=red"}, 1, "unknown flag: --colour"},
		{[]string{"dance"}, 1, `there is no command "dance"`},
	} {
		cmd := command(t, c.args...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) {
			t.Errorf("%v: %v\n%s", c.args, err, out)
		}
	}
}

func TestARequestIDGoesThroughToTheLog(t *testing.T) {
	p := start(t, "--log-format=json", "--log-level=debug")
	r, err := http.NewRequest("GET", p.url+"/healthz?token=secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Request-Id", "mine-1")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.Header.Get("X-Request-Id") != "mine-1" {
		t.Error(res.Header)
	}
	if code := p.stop(syscall.SIGTERM); code != 0 {
		t.Error(code)
	}
	if log := p.log.String(); !strings.Contains(log, `"request":"mine-1"`) || strings.Contains(log, "secret") {
		t.Errorf("the log says\n%s", log)
	}
}

// What is loaded of the program's file is most of what it holds when it does nothing (docs/adr/0005-idle-memory.md). A package that looks methods
// up by name makes it half as large again, from one line of an import.
func TestTheProgramIsSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "switchboard")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var size uint64
	for _, name := range []string{".text", ".rodata", ".gopclntab"} {
		s := file.Section(name)
		if s == nil {
			t.Fatalf("it has no section %s", name)
		}
		size += s.Size
	}
	if size > 29<<20 { // what is loaded is most of what an idle program takes (docs/adr/0005)
		t.Errorf("%d KiB are loaded", size>>10)
	}
}
