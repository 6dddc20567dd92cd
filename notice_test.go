package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"switchboard/internal/house/homeserver"
)

// The program as it is shipped, killed while the bot speaks, and a homeserver that is started again: the owner reads each message once.
func TestNoticesOverAKill(t *testing.T) {
	hs := homeserver.New(t)
	bot, owner := hs.Register("bot"), hs.Register("owner")
	args := []string{"--data", t.TempDir(), "--matrix-homeserver", hs.URL, "--matrix-user", bot.ID, "--matrix-password", bot.Password, "--no-throttle"}
	p := start(t, args...)
	bearer, number := p.newNumber("owner@example.com")
	if status, text := p.do("PUT", "/api/user/matrix", `{"matrixId":"`+owner.ID+`"}`, "Authorization", bearer, "Content-Type", "application/json"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	room := owner.Invitation()
	owner.Join(room)
	const rounds, words = 3, 20
	for round := range rounds {
		for i := range words {
			text := fmt.Sprintf("word %d", round*words+i)
			body := fmt.Sprintf("{\"req\":\"send\",\"uuid\":%q,\"callee\":%q,\"length\":%d}\x00%s", number.ID, number.Number, len(text), text)
			if status, answer := p.do("POST", "/message", body); status != 200 {
				t.Fatalf("%d %s", status, answer)
			}
		}
		p.kill()
		hs.Stop()
		hs.Start()
		p = start(t, args...)
	}
	hs.Until("all words", func() bool { return len(owner.Read(room)) >= rounds*words })
	for i, line := range owner.Read(room) {
		want := fmt.Sprintf("Message from %s for %s:\nword %d", number.Number, number.Number, i)
		if i >= rounds*words || line != want {
			t.Fatalf("heard %q in the place of %q", line, want)
		}
	}
}

// owned is a number as the OpenCloud API shows it.
type owned struct{ ID, Number string }

// newNumber registers an account and takes a number: its credentials, and the number.
func (p *process) newNumber(email string) (bearer string, n owned) {
	p.Helper()
	ask := func(method, path, body string, into any) {
		p.Helper()
		status, text := p.do(method, path, body, "Content-Type", "application/json", "Authorization", bearer)
		if status < 200 || status > 201 {
			p.Fatalf("%s %s: %d %s", method, path, status, text)
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			p.Fatal(err)
		}
	}
	var who struct{ Token string }
	ask("POST", "/api/auth/register", `{"email":"`+email+`","password":"correct horse"}`, &who)
	bearer = "Bearer " + who.Token
	var question struct{ A, B int }
	ask("GET", "/api/captcha", "", &question)
	var solved struct{ Token string }
	ask("POST", "/api/captcha/verify", fmt.Sprintf(`{"a":%d,"b":%d,"answer":%d}`, question.A, question.B, question.A+question.B), &solved)
	ask("POST", "/api/numbers", `{"alias":"","pin":"1234","captchaToken":"`+solved.Token+`"}`, &n)
	return bearer, n
}
