package privacycall

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTranscript holds the server to testdata/bind.txt, byte for byte. The notation is explained there.
func TestTranscript(t *testing.T) {
	text, err := os.ReadFile("testdata/bind.txt")
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(w *world) {
		s := &script{world: w, chosen: map[string]string{}}
		lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
		played := 0
		for i := 0; i < len(lines); {
			if lines[i] == "" || lines[i][0] == '#' {
				i++
				continue
			}
			var out, in []string
			for ; i < len(lines) && strings.HasPrefix(lines[i], ">"); i++ {
				out = append(out, strings.TrimPrefix(lines[i][1:], " "))
			}
			for ; i < len(lines) && strings.HasPrefix(lines[i], "<"); i++ {
				in = append(in, strings.TrimPrefix(lines[i][1:], " "))
			}
			if len(out) == 0 || len(in) == 0 {
				t.Fatalf("line %d is no line of a transcript", i+1)
			}
			s.play(out, in)
			played++
		}
		if played != 7 {
			t.Errorf("%d requests", played)
		}
	})
}

// script is a transcript that is being played.
type script struct {
	*world
	chosen map[string]string // what the server chose
}

var place = regexp.MustCompile(`\{([a-z]+( [a-z]+)?)\}`)

// fill puts values into the places of a request.
func (s *script) fill(text, sig, authorization string) string {
	return place.ReplaceAllStringFunc(text, func(name string) string {
		switch name {
		case "{token}":
			return s.rides.token
		case "{app}":
			return s.rides.app
		case "{sig}":
			return sig
		case "{authorization}":
			return authorization
		}
		return s.chosen[name]
	})
}

func (s *script) play(out, in []string) {
	s.Helper()
	sig, authorization := credentials(s.rides.token + ":" + s.rides.app + ":" + s.stamp())
	for i := range out {
		out[i] = s.fill(out[i], sig, authorization)
	}
	method, path, _ := strings.Cut(out[0], " ")
	head, body := split(out[1:])
	got := s.do(method, path, body, head...)
	head, body = split(in[1:])
	if strconv.Itoa(got.StatusCode) != in[0] {
		s.Errorf("%s: %d %s, want %s", out[0], got.StatusCode, got.body, in[0])
	}
	for i := 0; i < len(head); i += 2 {
		if got.Header.Get(head[i]) != head[i+1] {
			s.Errorf("%s: %s: %s, want %s", out[0], head[i], got.Header.Get(head[i]), head[i+1])
		}
	}
	want := regexp.QuoteMeta(body)
	var names []string
	for _, name := range place.FindAllString(body, -1) {
		names = append(names, name)
		want = strings.Replace(want, regexp.QuoteMeta(name), "([0-9a-f-]{36})", 1)
	}
	found := regexp.MustCompile("^" + want + "$").FindStringSubmatch(got.body)
	if found == nil {
		s.Fatalf("%s: %s, want %s", out[0], got.body, body)
	}
	for i, name := range names {
		s.chosen[name] = found[i+1]
	}
}

// split is the headers, names and values in turn, and the body behind the line without anything.
func split(lines []string) (headers []string, body string) {
	for i, line := range lines {
		if line == "" {
			return headers, strings.Join(lines[i+1:], "\n")
		}
		name, value, _ := strings.Cut(line, ": ")
		headers = append(headers, name, value)
	}
	return headers, ""
}
