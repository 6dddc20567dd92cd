package matrix

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms/notice"
)

// script is a homeserver that answers each request as a test says; what is not said is an unknown path.
type script struct {
	mu      sync.Mutex
	answers map[string]func(w http.ResponseWriter, r *http.Request)
	asked   []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for begin, answer := range s.answers {
		if strings.HasPrefix(r.Method+" "+r.URL.Path, begin) {
			s.asked = append(s.asked, begin)
			w.Header().Set("Content-Type", "application/json")
			answer(w, r)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"errcode":"M_UNRECOGNIZED","error":"?"}`)
}

func answers(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// pocket keeps secrets for one process.
type pocket struct{ kept []byte }

func (p *pocket) Secret(context.Context, string) ([]byte, error) { return p.kept, nil }
func (p *pocket) KeepSecret(_ context.Context, _ string, was, is []byte) ([]byte, error) {
	if string(p.kept) == string(was) {
		p.kept = is
	}
	return p.kept, nil
}

const send = "PUT /_matrix/client/v3/rooms/!r:house.test/send/m.room.message/switchboard-7"

// What each answer of a homeserver means.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   notice.Failure
	}{
		"too often, in the body":       {answers(429, `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}`), notice.Failure{Problem: notice.Limited, Service: true, After: 1500 * time.Millisecond}},
		"too often, in the header":     {answers(429, `{"errcode":"M_LIMIT_EXCEEDED"}`, "Retry-After", "3"), notice.Failure{Problem: notice.Limited, Service: true, After: 3 * time.Second}},
		"too often, says a proxy":      {answers(429, `<html>`), notice.Failure{Problem: notice.Limited, Service: true}},
		"too often, for a century":     {answers(429, `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":3e12}`), notice.Failure{Problem: notice.Limited, Service: true}},
		"forbidden":                    {answers(403, `{"errcode":"M_FORBIDDEN"}`), notice.Failure{Problem: notice.Refused}},
		"no such room":                 {answers(404, `{"errcode":"M_NOT_FOUND"}`), notice.Failure{Problem: notice.Refused}},
		"deactivated":                  {answers(403, `{"errcode":"M_USER_DEACTIVATED"}`), notice.Failure{Problem: notice.UnknownUser}},
		"its own failure":              {answers(500, `{"errcode":"M_UNKNOWN"}`), notice.Failure{Problem: notice.Away, Service: true}},
		"a proxy without a homeserver": {answers(502, `<html>Bad Gateway`), notice.Failure{Problem: notice.Away, Service: true}},
		"nonsense":                     {answers(200, `<html>welcome`), notice.Failure{Problem: notice.Away, Service: true}},
		"elsewhere":                    {answers(302, ``, "Location", "http://elsewhere.invalid/"), notice.Failure{Problem: notice.Away, Service: true}},
		"an unknown token, for ever":   {answers(401, `{"errcode":"M_UNKNOWN_TOKEN"}`), notice.Failure{Problem: notice.LoggedOut, Service: true}},
		"a body that never ends": {func(w http.ResponseWriter, _ *http.Request) {
			for range mostAnswered/1000 + 1000 {
				fmt.Fprint(w, strings.Repeat(" ", 1000))
			}
		}, notice.Failure{Problem: notice.Away, Service: true}},
	} {
		t.Run(name, func(t *testing.T) {
			hs := &script{answers: map[string]func(http.ResponseWriter, *http.Request){send: c.answer,
				"POST /_matrix/client/v3/login": answers(200, `{"access_token":"a","device_id":"SWITCHBOARD","user_id":"@bot:house.test"}`)}}
			server := httptest.NewServer(hs)
			defer server.Close()
			b := New(Options{Homeserver: server.URL, User: "@bot:house.test", Password: "the bot's own", Kept: &pocket{}, Timeout: 2 * time.Second})
			err := b.Say(t.Context(), notice.Say{Room: "!r:house.test", Event: 7, Text: "nobody else's business"})
			got, ok := err.(*notice.Failure)
			if !ok {
				t.Fatalf("%v", err)
			}
			for _, private := range []string{"nobody else's", "the bot's own", "!r:house", "127.0.0.1"} {
				if strings.Contains(err.Error(), private) {
					t.Errorf("the log would hold %q: %v", private, err)
				}
			}
			if got.Err = nil; *got != c.want {
				t.Errorf("%+v, want %+v", *got, c.want)
			}
		})
	}
}

// The token of the latest start is used until it is refused, and then the bot logs in once, with the same device.
func TestOneToken(t *testing.T) {
	good, logins := "old", 0
	hs := &script{}
	hs.answers = map[string]func(http.ResponseWriter, *http.Request){
		"POST /_matrix/client/v3/login": func(w http.ResponseWriter, r *http.Request) {
			logins++
			good = fmt.Sprint("new ", logins)
			answers(200, `{"access_token":"`+good+`","device_id":"SWITCHBOARD","user_id":"@bot:house.test"}`)(w, r)
		},
		send: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+good {
				answers(401, `{"errcode":"M_UNKNOWN_TOKEN"}`)(w, r)
				return
			}
			answers(200, `{"event_id":"$e"}`)(w, r)
		},
	}
	server := httptest.NewServer(hs)
	defer server.Close()
	kept := &pocket{kept: []byte("old")}
	say := func(want int) {
		t.Helper()
		b := New(Options{Homeserver: server.URL, User: "@bot:house.test", Password: "x", Kept: kept})
		for range 2 {
			if err := b.Say(t.Context(), notice.Say{Room: "!r:house.test", Event: 7}); err != nil {
				t.Fatal(err)
			}
		}
		if logins != want {
			t.Errorf("%d logins, want %d", logins, want)
		}
	}
	say(0)
	good = "ended elsewhere"
	say(1)
	say(1)
	if string(kept.kept) != "new 1" {
		t.Errorf("kept %q", kept.kept)
	}
}

// A wrong password is the operator's to mend; an invitation that the owner's own homeserver does not answer is nobody else's matter.
func TestOthersFailures(t *testing.T) {
	const room = "GET /_matrix/client/v3/directory/room/"
	base := func(invite func(http.ResponseWriter, *http.Request)) map[string]func(http.ResponseWriter, *http.Request) {
		return map[string]func(http.ResponseWriter, *http.Request){room: answers(200, `{"room_id":"!r:house.test"}`),
			"GET /_matrix/client/v3/rooms/!r:house.test/state/":   answers(404, `{"errcode":"M_NOT_FOUND"}`),
			"POST /_matrix/client/v3/rooms/!r:house.test/invite":  invite,
			"POST /_matrix/client/v3/login":                       answers(403, `{"errcode":"M_FORBIDDEN"}`),
			"GET /_matrix/client/v3/rooms/!r:house.test/messages": answers(200, `{"chunk":[{"sender":"@eve:house.test","content":{"switchboard.event":"99"}},{"sender":"@bot:house.test","content":{"switchboard.event":"41"}}]}`)}
	}
	for name, c := range map[string]struct {
		token  string
		invite func(http.ResponseWriter, *http.Request)
		want   *notice.Failure
	}{
		"a wrong password":       {"", nil, &notice.Failure{Problem: notice.LoggedOut, Service: true}},
		"theirs is away":         {"t", answers(502, `{"errcode":"M_UNKNOWN"}`), &notice.Failure{Problem: notice.Away}},
		"there is nobody":        {"t", answers(404, `{"errcode":"M_NOT_FOUND"}`), &notice.Failure{Problem: notice.UnknownUser}},
		"they want nobody":       {"t", answers(403, `{"errcode":"M_FORBIDDEN"}`), &notice.Failure{Problem: notice.Refused}},
		"too many invitations":   {"t", answers(429, `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":10}`), &notice.Failure{Problem: notice.Limited, Service: true, After: 10 * time.Millisecond}},
		"invited, and said much": {"t", answers(200, `{}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&script{answers: base(c.invite)})
			defer server.Close()
			b := New(Options{Homeserver: server.URL, User: "@bot:house.test", Token: c.token, Password: "x", Kept: &pocket{}})
			got, err := b.Open(t.Context(), notice.OpenRoom{Follower: uuid.New(), Whom: "@owner:house.test", Verify: true})
			f, _ := err.(*notice.Failure)
			if f != nil {
				f.Err = nil
			}
			if c.want == nil && (err != nil || got.Said != 41) || c.want != nil && (f == nil || *f != *c.want) {
				t.Errorf("%+v %v, want %+v", got, err, c.want)
			}
		})
	}
}
