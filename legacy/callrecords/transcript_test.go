package callrecords

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"switchboard/comms/record"
)

// TestTranscripts holds the server to testdata/*.txt, byte for byte. The notation is explained in account.txt.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			onBothWith(t, settings{publicURL: "https://rec.over.ovh"}, func(w *world) {
				s := &script{world: w, chosen: map[string]string{}}
				s.play(string(text))
			})
		})
	}
}

// script is a transcript that is being played.
type script struct {
	*world
	chosen map[string]string // what the server chose
	line   int
}

func (s *script) play(text string) {
	s.Helper()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	take := func(prefix string) (out []string) {
		for s.line < len(lines) && strings.HasPrefix(lines[s.line], prefix) {
			out = append(out, strings.TrimPrefix(lines[s.line], prefix))
			s.line++
		}
		return out
	}
	for s.line < len(lines) {
		switch line := lines[s.line]; {
		case line == "" || line[0] == '#':
			s.line++
		case strings.HasPrefix(line, "@ "):
			s.event(strings.TrimPrefix(line, "@ "))
			s.line++
		case strings.HasPrefix(line, "> "):
			s.request(take("> "), take("< "))
		default:
			s.Fatalf("line %d is no line of a transcript: %s", s.line+1, line)
		}
	}
}

// event is what happens elsewhere.
func (s *script) event(what string) {
	s.Helper()
	switch what {
	case "a letter comes":
		base, path := s.letter()
		if base != "https://rec.over.ovh" {
			s.Errorf("the link leads to %s", base)
		}
		s.chosen["link"] = path
	case "the customer consents":
		s.chosen["check"] = s.ovh.consent()
	case "an account with records":
		c := s.join("crm@domain.com")
		s.chosen["session"], s.chosen["read"] = c.session[1], c.read[1]
		s.add(c, theRecords...)
	default:
		s.Fatalf("line %d: nothing is called %q", s.line+1, what)
	}
}

// theRecords are those of records.txt, oldest first.
var theRecords = []record.NewRecord{
	{Calling: "0033112233", Called: "0033999000111", Dialed: "0033999000111", Direction: record.Incoming, Duration: 700, Hangup: "normal"},
	{Calling: "0033999000111", Called: "0033112233", Dialed: "0033112233", Direction: record.Outgoing, Duration: 600, Hangup: "normal"},
	{Calling: "0033123456789", Called: "0033999000111", Dialed: "0033999000222", Direction: record.Incoming, Way: "transfer", Duration: 599},
	{Calling: "anonymous", Called: "0033999000111", Dialed: "0033999000111", Direction: record.Incoming, Duration: 0, Hangup: "busy"},
}

func (s *script) request(out, in []string) {
	s.Helper()
	method, path, _ := strings.Cut(s.fill(out[0]), " ")
	body, headers := "", []string{}
	for _, line := range out[1:] {
		if name, value, ok := strings.Cut(line, ": "); ok && line[0] != '{' {
			headers = append(headers, name, s.fill(value))
		} else {
			body = s.fill(line)
		}
	}
	got := s.do(method, path, body, headers...)
	if len(in) < 2 || in[0] != strconv.Itoa(got.StatusCode) {
		s.Fatalf("line %d: %s %s: %d %s", s.line, method, path, got.StatusCode, got.body)
	}
	for _, header := range in[1 : len(in)-1] {
		name, value, _ := strings.Cut(header, ": ")
		s.match(value, got.Header.Get(name))
	}
	want := in[len(in)-1]
	if text, ok := strings.CutPrefix(want, "page: "); ok { // its sentence
		if !strings.Contains(got.body, "<p>"+text+"</p>") {
			s.Fatalf("line %d: the page is %s", s.line, got.body)
		}
		return
	}
	s.match(want, got.body)
}

var place = regexp.MustCompile(`\{([a-z0-9]+)(?::([a-z]+))?\}`)

var kinds = map[string]string{"jwt": `[\w-]+\.[\w-]+\.[\w-]{43}`, "token": `swb_[\w-]{43}`, "id": `\d+`,
	"time": `20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{3}Z`}

// fill puts what was chosen where it is named.
func (s *script) fill(text string) string {
	return place.ReplaceAllStringFunc(text, func(p string) string {
		value, ok := s.chosen[place.FindStringSubmatch(p)[1]]
		if !ok {
			s.Fatalf("line %d: nothing is called %s", s.line, p)
		}
		return value
	})
}

// match compares, and remembers what is named for the first time.
func (s *script) match(want, got string) {
	s.Helper()
	pattern, names, last := "^", []string{}, 0
	for _, m := range place.FindAllStringSubmatchIndex(want, -1) {
		pattern += regexp.QuoteMeta(want[last:m[0]])
		last = m[1]
		if m[4] < 0 {
			pattern += regexp.QuoteMeta(s.fill(want[m[0]:m[1]]))
			continue
		}
		names = append(names, want[m[2]:m[3]])
		pattern += "(" + kinds[want[m[4]:m[5]]] + ")"
	}
	pattern += regexp.QuoteMeta(want[last:]) + "$"
	found := regexp.MustCompile(pattern).FindStringSubmatch(got)
	if found == nil {
		s.Fatalf("line %d:\n got %s\nwant %s", s.line, got, want)
	}
	for i, name := range names {
		s.chosen[name] = found[i+1]
	}
}
