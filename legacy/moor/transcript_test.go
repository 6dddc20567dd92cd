package moor

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"switchboard/comms/call"
)

// TestTranscript holds the server to testdata/query.txt, byte for byte. The notation is explained there.
func TestTranscript(t *testing.T) {
	text, err := os.ReadFile("testdata/query.txt")
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(w *world) {
		w.register(call.SaveContact{URI: "sip:2000@127.0.0.1:9998", Source: "127.0.0.1:9998", Transport: "udp", UserAgent: "apple ar", Expires: later})
		played := 0
		for part := range strings.SplitSeq(string(text), "\n# ") {
			var out, in []string
			for line := range strings.SplitSeq(part, "\n") {
				if rest, ok := strings.CutPrefix(line, ">"); ok {
					out = append(out, strings.TrimPrefix(rest, " "))
				}
				if rest, ok := strings.CutPrefix(line, "<"); ok {
					in = append(in, strings.TrimPrefix(rest, " "))
				}
			}
			if len(out) > 0 {
				w.play(out, in)
				played++
			}
		}
		if played != 2 {
			t.Errorf("%d requests", played)
		}
	})
}

var (
	place  = regexp.MustCompile(`\\\{(id|trace|time|ms|n)\\\}`)
	spaces = regexp.MustCompile(`(?m)^ *("[^"]*":)? ?|\n`)
	forms  = map[string]string{"id": `[0-9a-f]{8}-[0-9a-f-]{27}`, "trace": `[0-9a-f]{32}`, "time": `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`, "ms": `\d{13}`, "n": `\d+`}
)

// play sends one request and compares what comes.
func (w *world) play(out, in []string) {
	w.Helper()
	request := strings.Join(out, "\n")
	stamp, _, _ := strings.Cut(request[strings.Index(request, "m7-timestamp: ")+len("m7-timestamp: "):], "\n")
	at, _, _ := strings.Cut(request[strings.Index(request, "m7-nonce: ")+len("m7-nonce: "):], "\n")
	values := map[string]string{"{millis}": millis(0), "{seconds}": seconds(0)}
	p := w.rides.proves(values[stamp], at)
	fill := strings.NewReplacer("{key}", p.key, "{sign}", p.sign, stamp, p.stamp, "{at}", w.url, "{host}", strings.TrimPrefix(w.url, "http://"))
	lines := strings.Split(fill.Replace(request), "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	var headers []string
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		headers = append(headers, name, value)
	}
	got := w.do(method, path, "", headers...)
	answer := strings.Join(in, "\n")
	head, body, _ := strings.Cut(answer, "\n\n")
	for i, line := range strings.Split(head, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		if i == 0 && !strings.HasPrefix(got.Status, line) || i > 0 && got.Header.Get(name) != value {
			w.Errorf("%s: %s %v, want %s", path, got.Status, got.Header, line)
		}
	}
	want := fill.Replace(spaces.ReplaceAllString(body, "$1"))
	want = place.ReplaceAllStringFunc(regexp.QuoteMeta(want), func(name string) string { return forms[strings.Trim(name, `\{}`)] })
	if !regexp.MustCompile("^" + want + "$").MatchString(got.body) {
		w.Errorf("%s: %s,\nwant %s", path, got.body, want)
	}
}
