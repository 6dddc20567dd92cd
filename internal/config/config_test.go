package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"

	"switchboard/comms"
	"switchboard/docs"
)

func parse(t *testing.T, args ...string) *Line {
	t.Helper()
	line, err := Parse(args, io.Discard)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return line
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.yml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheManualIsTheDefaults(t *testing.T) {
	if defaults, manual := parse(t), parse(t, "--config", file(t, docs.Settings)); !reflect.DeepEqual(defaults, manual) {
		t.Errorf("the manual says\n%+v\nand the defaults are\n%+v", manual.Settings, defaults.Settings)
	}
}

func TestEverySettingIsInTheManual(t *testing.T) {
	var l Line
	flags, err := l.flags(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r := fileReader{flags: flags, seen: map[string]bool{}, known: map[string]setting{}}
	for _, s := range l.list() {
		r.known[keyOf(s.name)] = s
	}
	tree, err := parser.ParseBytes([]byte(docs.Settings), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.section("", tree.Docs[0].Body); err != nil {
		t.Fatal(err)
	}
	for _, s := range l.list() {
		if !r.seen[s.name] {
			t.Errorf("--%s is not in docs/switchboard.example.yml", s.name)
		}
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if _, err := Parse([]string{"provision", "--help"}, &out); !errors.Is(err, ErrHelp) {
		t.Fatal(err)
	}
	var l Line
	for _, s := range l.list() {
		if !strings.Contains(out.String(), "--"+s.name+" ") {
			t.Errorf("help does not tell of --%s", s.name)
		}
	}
	for _, c := range Commands {
		if !strings.Contains(out.String(), "  "+c[0]+" ") {
			t.Errorf("help does not tell of %s", c[0])
		}
	}
}

func TestTheDefaultThrottleIsTheRulesOwn(t *testing.T) {
	own, got := comms.DefaultThrottle(), parse(t).Throttle
	want := Throttle{Register: Rate(own.Register), Login: Rate(own.Login), Captcha: Rate(own.Captcha), PIN: Rate(own.PIN)}
	if got != want {
		t.Errorf("the settings say %+v, comms says %+v", got, want)
	}
}

func TestWhatWins(t *testing.T) {
	path := file(t, "http: 127.0.0.1:3\nthrottle:\n  login: 3/1s\ngraphql: {introspection: false, depth: 3}\n")
	t.Setenv("SWITCHBOARD_CONFIG", path)
	if got := parse(t); got.HTTP != "127.0.0.1:3" || got.Throttle.Login != (Rate{3, time.Second}) || got.GraphQL.Introspection {
		t.Errorf("of the file: %+v", got.Settings)
	}
	t.Setenv("SWITCHBOARD_HTTP", "127.0.0.1:2")
	t.Setenv("SWITCHBOARD_THROTTLE_LOGIN", "2/1s")
	t.Setenv("SWITCHBOARD_GRAPHQL_INTROSPECTION", "true")
	got := parse(t)
	if got.HTTP != "127.0.0.1:2" || got.Throttle.Login != (Rate{2, time.Second}) || !got.GraphQL.Introspection {
		t.Errorf("of the environment: %+v", got.Settings)
	}
	if got.GraphQL.Depth != 3 {
		t.Errorf("of the file beside it: %+v", got.GraphQL)
	}
	got = parse(t, "--http=127.0.0.1:1", "--throttle-login=1/1s", "--graphql-introspection=false")
	if got.HTTP != "127.0.0.1:1" || got.Throttle.Login != (Rate{1, time.Second}) || got.GraphQL.Introspection {
		t.Errorf("of the flags: %+v", got.Settings)
	}
}

func TestUnknownVariable(t *testing.T) {
	t.Setenv("SWITCHBOARD_HTPP", "127.0.0.1:2")
	if _, err := Parse(nil, io.Discard); err == nil || !strings.Contains(err.Error(), "SWITCHBOARD_HTPP") {
		t.Errorf("a misspelt variable: %v", err)
	}
}

// Kubernetes names a service called switchboard to every container beside it; our tests name their database.
func TestVariablesOfOthers(t *testing.T) {
	for _, name := range []string{"SWITCHBOARD_SERVICE_HOST", "SWITCHBOARD_SERVICE_PORT_HTTP", "SWITCHBOARD_PORT", "SWITCHBOARD_WEB_PORT_8080_TCP_ADDR",
		"SWITCHBOARD_TEST_POSTGRES"} {
		t.Setenv(name, "x")
	}
	parse(t)
}

func TestCommands(t *testing.T) {
	for want, args := range map[string][]string{
		"serve":     {"--http", ":0"},
		"provision": {"provision", "x.yml", "--json", "--data", "elsewhere"},
		"migrate":   {"--database=postgres://x/y", "migrate"},
		"config":    {"config"},
		"version":   {"version"},
	} {
		if got := parse(t, args...); got.Command != want || got.JSON != (want == "provision") || (got.File == "x.yml") != got.JSON {
			t.Errorf("%v is %+v", args, got)
		}
	}
}

func TestValues(t *testing.T) {
	got := parse(t, "--retention=2d", "--max-data=1GiB", "--throttle-pin=off", "--trusted-proxies=10.0.0.0/8,::1/128",
		"--log-level=debug", "--public-url=https://example.com/", "--data=/x", "--http=[::1]:0")
	if time.Duration(got.Retention) != 48*time.Hour || got.MaxData != 1<<30 || got.Throttle.PIN != (Rate{}) ||
		len(got.TrustedProxies) != 2 || got.TrustedProxies[0] != netip.MustParsePrefix("10.0.0.0/8") ||
		got.LogLevel != slog.LevelDebug || got.PublicURL != "https://example.com" ||
		got.MailDir != "/x/mail" || got.SecretFile != "/x/secret.key" {
		t.Errorf("%+v", got.Settings)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, args := range [][]string{
		{"--no-such"}, {"no-such"}, {"--http", "8080"}, {"--http", "localhost:http"}, {"--http", "x:99999"}, {"--public-url", "example.com"},
		{"--public-url", "https://example.com/?a=b"}, {"--retention", "7"}, {"--retention", "0s"}, {"--retention", "-1h"}, {"--max-data", "64MB"},
		{"--max-data", "-1"}, {"--max-data", "9999999999GiB"}, {"--throttle-login", "5"}, {"--throttle-login", "5/"}, {"--throttle-login", "-5/1m"},
		{"--throttle-login", "0/1m"}, {"--trusted-proxies", "10.0.0.1"}, {"--log-level", "loud"}, {"--log-format", "xml"},
		{"--graphql-depth", "0"}, {"--max-sockets", "many"}, {"--max-data", "0"}, {"--no-throttle=perhaps"}, {"--database", "@/no/such/file"}, {"--config", "/no/such/file"}, {"provision"}, {"provision", "a", "b"}, {"serve", "a"},
	} {
		if _, err := Parse(args, io.Discard); err == nil || errors.Is(err, ErrHelp) {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	for content, want := range map[string]string{
		"htpp: 127.0.0.1:1":               `line 1, column 1: unknown setting "htpp"`,
		"http: 127.0.0.1:1\nx: 1":         `line 2, column 1: unknown setting "x"`,
		"throttle:\n  logins: 1/1s":       `line 2, column 3: unknown setting "logins"`,
		"throttle: {login: {a: b}}":       "line 1, column 19: throttle-login must be a word",
		"throttle.login: 1/1s":            `line 1, column 1: unknown setting "throttle.login"`,
		"throttle-login: 1/1s":            `line 1, column 1: unknown setting "throttle-login"`,
		"throttle: 5":                     "line 1, column 11: keys and values are expected here",
		"- http":                          "line 1, column 1: keys and values are expected here",
		"http: [a, b]":                    "http is not a list",
		"trusted-proxies: [{a: b}]":       "trusted-proxies is a list of words",
		"http: 127.0.0.1:1\nhttp: :2":     "already defined",
		"graphql: {depth: 1, depth: 2}":   "already defined",
		"graphql: {depth: many}":          "line 1, column 18: graphql-depth",
		"graphql: {introspection: maybe}": "line 1, column 26: graphql-introspection",
		"config: other.yml":               `unknown setting "config"`,
		"help: true":                      `unknown setting "help"`,
		"a: [":                            "[1:4]",
		"---\nhttp: :1\n---\nhttp: :2\n":  "is set twice",
	} {
		_, err := Parse([]string{"--config", file(t, content)}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %s", content, err, want)
		}
	}
}

func TestSecretsFromFilesAndUnprinted(t *testing.T) {
	const url = "postgres://me:hush@localhost/db"
	path := file(t, url+"\n")
	t.Setenv("SWITCHBOARD_CONTENT", "@"+path)
	got := parse(t, "--config", file(t, `database: "@`+path+`"`))
	if got.Database != url || got.Content != url {
		t.Errorf("read %q, %q", string(got.Database), string(got.Content))
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "database", got.Database, "settings", got.Settings)
	if strings.Contains(log.String(), "hush") {
		t.Error("a secret is in the log: " + log.String())
	}
}

func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "secret.key")
	var keys [8][]byte
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = Key(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, key := range keys {
		if len(key) != 32 || !bytes.Equal(key, keys[0]) || bytes.Equal(key, make([]byte, 32)) {
			t.Fatalf("made at once: %x", keys)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside it: %v, %v", left, err)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	for _, content := range []string{"", strings.Repeat("x", 31), strings.Repeat("x", 33)} {
		if _, err := Key(file(t, content)); err == nil || strings.Contains(err.Error(), "xxx") {
			t.Errorf("%d bytes: %v", len(content), err)
		}
	}
	if _, err := Key("/dev/null/secret.key"); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("no folder: %v", err)
	}
}

func FuzzFile(f *testing.F) {
	f.Add(docs.Settings)
	f.Add("throttle: {login: off}\ntrusted-proxies: [10.0.0.0/8, ::1/128]")
	f.Add("? a\n: b")
	f.Add("<<: {http: :1}\n&a x: *a")
	f.Fuzz(func(t *testing.T, text string) {
		var l Line
		flags, err := l.flags(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := fromFile([]byte(text), l.list(), flags); err != nil {
			return
		}
		if l.MaxData < 1 || l.Retention < 1 || l.GraphQL.Depth < 1 {
			t.Errorf("%q set what can't be meant: %+v", text, l.Settings)
		}
	})
}
