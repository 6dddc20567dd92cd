package rooms

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// may says what of this module the files of a folder may import, tests aside. A folder that has no line fails: whoever makes a room
// decides here who may enter it. A name that ends in /... stands for all below it.
//
// Laws 1 and 2: doors -> comms -> ent. No door imports another or the store; only comms, internal/db and server.go hold an ent.Client.
var may = map[string][]string{
	".": {"comms", "comms/call", "comms/carrier", "comms/mail", "comms/pool", "comms/record", "docs", "ent", "graph", "legacy", "providers", "providers/mail", "providers/moor", "providers/sip", "providers/voice", "internal/config",
		"internal/content", "internal/db", "internal/httpd", "internal/memory", "internal/provision", "providers/ovh", "comms/notice", "providers/matrix", "providers/push"},
	"comms":         {"ent", "ent/...", "internal/clock"},
	"comms/call":    {"comms", "ent", "ent/...", "internal/clock"},
	"comms/mail":    {"comms", "ent", "ent/...", "internal/clock"},
	"comms/carrier": {"comms", "comms/record", "ent", "ent/...", "internal/clock"},
	"comms/pool":    {"comms", "comms/call", "ent", "ent/...", "internal/clock"},
	"comms/record":  {"comms", "ent", "ent/...", "internal/clock"},
	"comms/notice":  {"comms", "ent", "ent/...", "internal/clock"},
	"docs":          nil,

	"ent":                    {"ent/...", "internal/clock"},
	"ent/...":                {"ent", "ent/...", "internal/clock"},
	"ent/schema":             {"internal/clock"},
	"ent/migrate/migrations": nil,

	"graph":        {"comms", "comms/call", "comms/carrier", "comms/mail", "comms/notice", "comms/pool", "comms/record", "internal/clock", "graph/..."},
	"graph/gen":    {"comms", "comms/call", "comms/carrier", "comms/notice", "ent", "ent/...", "internal/clock", "graph/direct", "graph/model"}, // generated: it names comms' nouns by what they are
	"graph/model":  {"comms", "comms/call", "comms/carrier", "comms/notice", "internal/clock", "graph/direct"},
	"graph/direct": nil,

	"legacy":             {"comms", "comms/call", "comms/carrier", "comms/mail", "comms/pool", "comms/record", "legacy/..."},
	"legacy/callrecords": {"comms", "comms/carrier", "comms/mail", "comms/record", "internal/clock", "internal/httpd"},
	"legacy/messaging":   {"comms", "internal/clock"},
	"legacy/moor":        {"comms", "comms/call", "comms/pool", "internal/clock"},
	"legacy/opencloud":   {"comms", "comms/call", "internal/clock", "internal/httpd"},
	"legacy/privacycall": {"comms", "comms/call", "internal/clock", "internal/httpd"},

	"providers":             {"comms/call", "comms/carrier", "providers/..."},
	"providers/mail":        {"comms/mail"},
	"providers/ovh":         {"comms/carrier", "internal/clock"},
	"providers/ovh/ovhtest": nil, // a peer: it knows the switchboard by its wire alone
	"providers/moor":        {"comms/pool"},
	"providers/sip":         {"comms", "comms/call", "internal/clock", "providers/sip/media"},
	"providers/sip/media":   nil,
	"providers/sip/world":   {"providers/sip/media"}, // a peer: it knows the switchboard by its wire alone
	"providers/voice":       nil,
	"providers/matrix":      {"comms/notice"},
	"providers/push":        {"comms/notice"},

	"internal/bench":       {"internal/bench/..."}, // a client: it knows the server by its wire alone
	"internal/bench/...":   {"internal/bench/..."},
	"internal/clock":       nil,
	"internal/config":      nil,
	"internal/content":     {"comms"},
	"internal/db":          {"ent", "ent/...", "internal/clock"},
	"internal/entgen":      {"internal/entgen/...", "internal/house/pgserver"},
	"internal/entgen/diff": nil,
	"internal/gqlgen":      nil,
	"internal/house":       {"internal/db", "internal/house/..."},
	"internal/house/...":   {"internal/house/..."},
	"internal/httpd":       {"comms", "comms/record"},
	"internal/memory":      nil,
	"internal/provision":   {"comms"},
	"internal/rooms":       nil,
}

const (
	module         = "switchboard"
	mostLines      = 400
	mostOfFunction = 60
	mostInComms    = 40
)

// source is one Go file of the project.
type source struct {
	dir, name string
	text      []byte
	file      *ast.File
	fset      *token.FileSet
	generated bool
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// sources are all Go files of the project.
func sources(t *testing.T) []source {
	t.Helper()
	top := filepath.Join("..", "..")
	var out []source
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != top && (strings.HasPrefix(base, ".") || base == "node_modules" || base == "testdata" || base == "data") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		s := source{fset: token.NewFileSet()}
		if s.text, err = os.ReadFile(name); err != nil {
			return err
		}
		if s.file, err = parser.ParseFile(s.fset, name, s.text, parser.ParseComments); err != nil {
			return err
		}
		rel, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		s.dir, s.name = path.Dir(filepath.ToSlash(rel)), path.Base(rel)
		s.generated = ast.IsGenerated(s.file)
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 100 {
		t.Fatalf("found only %d files: this test looks in the wrong place", len(out))
	}
	return out
}

// rule is the line of the table for a folder: its own, or that of the nearest folder above whose line covers all below.
func rule(dir string) ([]string, bool) {
	if list, ok := may[dir]; ok {
		return list, true
	}
	for up := path.Dir(dir); up != "."; up = path.Dir(up) {
		if list, ok := may[up+"/..."]; ok {
			return list, true
		}
	}
	return nil, false
}

func allowed(list []string, dir string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		below, all := strings.CutSuffix(entry, "...")
		return entry == dir || all && strings.HasPrefix(dir, below)
	})
}

func TestWhoMayImportWhom(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		list, ok := rule(s.dir)
		if !ok {
			t.Errorf("%s has no line in the table of who may import whom", s.dir)
			continue
		}
		used[s.dir] = true
		for _, i := range s.file.Imports {
			dir, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module+"/")
			if ours && dir != s.dir && !s.test() && !allowed(list, dir) {
				t.Errorf("%s/%s imports %s, which its folder may not", s.dir, s.name, dir)
			}
			// A test may use the kit and look through another room's door, but neither may a door's test enter by the next door.
			if ours && s.test() && isDoor(s.dir) && isDoor(dir) && door(s.dir) != door(dir) && s.dir != "legacy" {
				t.Errorf("%s/%s imports another door, %s", s.dir, s.name, dir)
			}
		}
	}
	for dir := range may {
		if !strings.HasSuffix(dir, "...") && !used[dir] {
			t.Errorf("the table has a line for %s, which is not there", dir)
		}
	}
}

func isDoor(dir string) bool {
	return dir == "graph" || strings.HasPrefix(dir, "graph/") || strings.HasPrefix(dir, "legacy")
}

func door(dir string) string {
	if strings.HasPrefix(dir, "graph") {
		return "graph"
	}
	return dir
}

func TestSizes(t *testing.T) {
	rules := 0
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		if s.dir == "comms" && !s.test() {
			rules++
		}
		if n := bytes.Count(s.text, []byte("\n")); n > mostLines {
			t.Errorf("%s/%s has %d lines", s.dir, s.name, n)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok {
				if lines := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; lines > mostOfFunction {
					t.Errorf("%s/%s: %s has %d lines", s.dir, s.name, f.Name.Name, lines)
				}
			}
			return true
		})
	}
	if rules > mostInComms {
		t.Errorf("comms has %d files: split it along the prefixes of their names", rules)
	}
}

// What a test may not do: it may not be skipped (a skipped test proves nothing), nor hope that something has happened after a while.
func TestHabits(t *testing.T) {
	forbidden := []string{"time." + "Sleep(", "t." + "Skip", "b." + "Skip", "f." + "Skip"}
	unfinished := regexp.MustCompile(`\b(` + "TO" + "DO|FIX" + "ME|XX" + "X)" + `\b`)
	vague := []string{"util", "common", "helper", "core", "manager", "base"}
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		if word := unfinished.Find(s.text); word != nil {
			t.Errorf("%s/%s is not finished: %s", s.dir, s.name, word)
		}
		for _, word := range forbidden {
			if s.test() && bytes.Contains(s.text, []byte(word)) {
				t.Errorf("%s/%s uses %s", s.dir, s.name, word)
			}
		}
		for _, word := range vague {
			if stem := strings.TrimSuffix(s.name, ".go"); strings.TrimSuffix(stem, "s") == word || strings.TrimSuffix(path.Base(s.dir), "s") == word {
				t.Errorf("%s/%s has a name that says nothing", s.dir, s.name)
			}
		}
	}
}

func TestEachPackageSaysWhatItIsFor(t *testing.T) {
	told := map[string]bool{}
	for _, s := range sources(t) {
		if !s.test() {
			told[s.dir] = told[s.dir] || s.file.Doc != nil || s.generated
		}
	}
	for dir, ok := range told {
		if !ok {
			t.Errorf("no file of %s says what the package is for", dir)
		}
	}
}

// Packages that find methods by their names, for which the linker keeps every method of the program, and packages that bring whole
// worlds along: see docs/adr/0005-idle-memory.md.
func TestWhatTheProgramDoesNotLink(t *testing.T) {
	list := exec.Command("go", "list", "-deps", ".")
	list.Dir = filepath.Join("..", "..")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "switchboard/comms") {
		t.Fatalf("this is not the list of what is linked: %.200s", out)
	}
	for _, name := range linked {
		for _, no := range []string{"text/template", "html/template", "net/rpc", "ariga.io/atlas", "entgo.io/ent/dialect/sql/schema",
			"google.golang.org/protobuf", "google.golang.org/grpc", "testing", module + "/internal/house"} {
			if name == no || strings.HasPrefix(name, no+"/") {
				t.Errorf("the program links %s", name)
			}
		}
	}
}
