package opencloud

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
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
			onBoth(t, func(w *world) {
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
	conn   *websocket.Conn   // the newest socket
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
			s.engine.reports(s.T, strings.TrimPrefix(line, "@ "))
			s.line++
			for _, frame := range take("<< ") {
				s.frame(frame)
			}
		case strings.HasPrefix(line, "> "):
			s.request(take("> "), take("< "))
		case strings.HasPrefix(line, ">> "):
			for _, frame := range take(">> ") {
				if err := s.conn.WriteMessage(websocket.TextMessage, []byte(s.fill(frame))); err != nil {
					s.Fatalf("line %d: %v", s.line, err)
				}
			}
			for _, frame := range take("<< ") {
				s.frame(frame)
			}
		default:
			s.Fatalf("line %d is no line of a transcript: %s", s.line+1, line)
		}
	}
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
	var got answer
	if method == "WS" {
		conn, res, err := s.tryDial(path, headers...)
		if err == nil {
			if len(in) != 0 {
				s.Fatalf("line %d: the socket opened, want %v", s.line, in)
			}
			s.conn = conn
			return
		}
		if !errors.Is(err, websocket.ErrBadHandshake) {
			s.Fatalf("line %d: %v", s.line, err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil {
			s.Fatal(err)
		}
		got = answer{res, string(b)}
	} else {
		got = s.do(method, path, body, headers...)
	}
	if len(in) < 2 || in[0] != strconv.Itoa(got.StatusCode) {
		s.Fatalf("line %d: %s %s: %d %s", s.line, method, path, got.StatusCode, got.body)
	}
	for _, header := range in[1 : len(in)-1] {
		name, value, _ := strings.Cut(header, ": ")
		s.match(value, got.Header.Get(name))
	}
	s.match(in[len(in)-1], got.body)
}

func (s *script) frame(want string) {
	s.Helper()
	_, b, err := s.conn.ReadMessage()
	if e, ok := errors.AsType[*websocket.CloseError](err); ok {
		b = fmt.Appendf(nil, "close %d %s", e.Code, e.Text)
	} else if err != nil {
		s.Fatalf("line %d: %v", s.line, err)
	}
	s.match(want, string(b))
}

var place = regexp.MustCompile(`\{([a-z0-9]+)(?::([a-z]+)|\+([a-z]+))?\}`)

var kinds = map[string]string{
	"jwt": `[\w-]+\.[\w-]+\.[\w-]{43}`, "uuid": `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`,
	"key": `occ_[\w-]{43}`, "number": `\+999\d{9}`, "ms": `\d{13}`, "int": `\d{1,3}`,
}

// fill puts what was chosen where it is named.
func (s *script) fill(text string) string {
	return place.ReplaceAllStringFunc(text, func(p string) string {
		m := place.FindStringSubmatch(p)
		value, ok := s.chosen[m[1]]
		if !ok {
			s.Fatalf("line %d: nothing is called %s", s.line, m[1])
		}
		if m[3] == "" {
			return value
		}
		a, err := strconv.Atoi(value)
		b, err2 := strconv.Atoi(s.chosen[m[3]])
		if err != nil || err2 != nil {
			s.Fatalf("line %d: no sum of %s", s.line, p)
		}
		return strconv.Itoa(a + b)
	})
}

// match compares, and remembers what is named for the first time.
func (s *script) match(want, got string) {
	s.Helper()
	pattern, names, last := "^", []string{}, 0
	for _, m := range place.FindAllStringSubmatchIndex(want, -1) {
		pattern += regexp.QuoteMeta(want[last:m[0]])
		last = m[1]
		name := want[m[2]:m[3]]
		if m[4] < 0 {
			if value, ok := s.chosen[name]; ok {
				pattern += regexp.QuoteMeta(value)
			} else { // chosen earlier in the same text: compared below
				pattern += ".+"
			}
			continue
		}
		names = append(names, name)
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
	if s.fill(want) != got {
		s.Fatalf("line %d:\n got %s\nwant %s", s.line, got, s.fill(want))
	}
}
