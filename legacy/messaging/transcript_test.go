package messaging_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/ent"
)

// TestTranscripts holds the server to testdata/*.txt byte for byte: lines that begin with > go out, lines that begin with < must come
// back. The notation is explained in login.txt.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			onBoth(t, func(w *world) {
				w.telephones()
				s := &script{world: w, drawn: map[string]string{}}
				s.run(strings.Split(string(text), "\n"))
			})
		})
	}
}

// telephones are those of the transcripts.
func (w *world) telephones() {
	w.Helper()
	w.change(func(ctx context.Context, tx *ent.Client) error {
		a, err := tx.Account.Create().SetEmail("a@example.com").SetPasswordHash("x").SetAPIKeyHash([]byte("x")).SetAPIKeySealed([]byte("x")).Save(ctx)
		if err != nil {
			return err
		}
		id := func(d string) uuid.UUID {
			r := strings.Repeat
			return uuid.MustParse(r(d, 8) + "-" + r(d, 4) + "-4" + r(d, 3) + "-8" + r(d, 3) + "-" + r(d, 12))
		}
		for d, alias := range map[string]string{"1": "Ann <Ltd>", "2": "Bob", "4": "", "5": "off"} {
			err := tx.Number.Create().SetID(id(d)).SetAccountID(a.ID).SetNumber("+99900000000" + d).SetAlias(alias).SetDisabled(alias == "off").Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
	w.missedCall("+886912345678", "+999000000004")
}

// missedCall is a call from outside to a number that has no telephone.
func (w *world) missedCall(from, to string) {
	w.Helper()
	address := "sip.example.com"
	_, err := w.svc.Provision(w.Context(), comms.Provision{Trunks: []comms.ProvisionTrunk{{Name: "carrier", TrunkWish: comms.TrunkWish{Address: &address}}}})
	if err != nil {
		w.Fatal(err)
	}
	calls := call.New(w.svc, call.Options{})
	lines, err := calls.Trunks(w.Context())
	if err != nil || len(lines) != 1 {
		w.Fatal(lines, err)
	}
	v, err := calls.RouteCall(w.Context(), call.RouteCall{Trunk: lines[0].ID, From: from, Dialled: to})
	if err != nil || v.Refuse == nil {
		w.Fatalf("%+v, %v", v, err)
	}
	if err := calls.CallEnded(w.Context(), v.Call, call.End{Why: v.Refuse.Why, By: call.ByUs}); err != nil {
		w.Fatal(err)
	}
}

// script is a transcript that is being played.
type script struct {
	*world
	drawn map[string]string // what the server chose
}

func (s *script) run(lines []string) {
	s.Helper()
	played := 0
	for i := 0; i < len(lines); {
		if lines[i] == "" || lines[i][0] == '#' {
			i++
			continue
		}
		out, in := lines[i:], 0
		for in < len(out) && strings.HasPrefix(out[in], "> ") {
			in++
		}
		if in == 0 || in+1 >= len(out) || !strings.HasPrefix(out[in], "< ") || !strings.HasPrefix(out[in+1], "< ") {
			s.Fatalf("line %d: %q is no exchange", i+1, lines[i])
		}
		body := ""
		if in > 1 {
			body = out[1][2:]
		}
		s.exchange(i+1, out[0][2:], body, out[in][2:], out[in+1][2:])
		i += in + 2
		played++
	}
	if played < 5 {
		s.Errorf("%d exchanges", played)
	}
}

func (s *script) exchange(line int, request, body, status, want string) {
	s.Helper()
	method, path, _ := strings.Cut(request, " ")
	sent := bytesOf(placeholder.ReplaceAllStringFunc(body, func(p string) string { return s.drawn[p[1:len(p)-1]] }))
	req, err := http.NewRequestWithContext(s.Context(), method, s.url+path, bytes.NewReader(sent))
	if err != nil {
		s.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	if got := fmt.Sprint(res.StatusCode, " ", res.Header.Get("Content-Type")); got != status {
		s.Errorf("line %d: %s, want %s", line, got, status)
	}
	if !s.matches(string(got), want) {
		s.Errorf("line %d:\n%s\nwant\n%s", line, got, want)
	}
}

var placeholder = regexp.MustCompile(`<\??[a-z]+>`)

// matches compares, and notes what was chosen.
func (s *script) matches(got, want string) bool {
	for want != "" {
		at := placeholder.FindStringIndex(want)
		if at == nil {
			return got == string(bytesOf(want))
		}
		rest, ok := strings.CutPrefix(got, string(bytesOf(want[:at[0]])))
		name := want[at[0]+1 : at[1]-1]
		if name[0] == '?' {
			name = name[1:]
			s.drawn[name] = rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		}
		after, same := strings.CutPrefix(rest, s.drawn[name])
		if !ok || !same || s.drawn[name] == "" {
			return false
		}
		got, want = after, want[at[1]:]
	}
	return got == ""
}

// bytesOf reads the escapes of a transcript: \0, \n and \x with two digits. Other backslashes stand for themselves.
func bytesOf(s string) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		var b byte
		switch rest := s[i:]; {
		case strings.HasPrefix(rest, `\0`):
			i++
		case strings.HasPrefix(rest, `\n`):
			b = '\n'
			i++
		case strings.HasPrefix(rest, `\x`):
			if _, err := fmt.Sscanf(rest[2:4], "%02x", &b); err != nil {
				panic(err)
			}
			i += 3
		default:
			b = s[i]
		}
		out = append(out, b)
	}
	return out
}
