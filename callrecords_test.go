package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The steps of the call-records document, from the registration to the records, with the letter read where a first run drops it.
func TestTheCallRecordsDocument(t *testing.T) {
	p := start(t)
	credentials := `{"user":"user@domain.com","password":"secretPassword"}`
	want := func(status int, pattern, method, path, body string, header ...string) []string {
		t.Helper()
		got, text := p.do(method, path, body, header...)
		found := regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(text)
		if got != status || found == nil {
			t.Fatalf("%s %s: %d %s, want %d %s", method, path, got, text, status, pattern)
		}
		return found
	}
	want(201, `{"user":"user@domain.com","active":false}`, "POST", "/auth/register", credentials)
	want(403, `{"statusCode":403,.*}`, "POST", "/auth/login", credentials)
	want(403, `{"error":.*}`, "POST", "/api/auth/login", `{"email":"user@domain.com","password":"secretPassword"}`, "Content-Type", "application/json")
	link := regexp.MustCompile(regexp.QuoteMeta(p.url) + `(/auth/activate/\S+)`).FindStringSubmatch(p.letter())
	if link == nil {
		t.Fatal("the letter has no link: ", p.letter())
	}
	want(200, `(?s).*Your account is active.*`, "GET", link[1], "")
	want(409, `(?s).*This link was used before.*`, "GET", link[1], "")
	jwt := want(200, `{"accessToken":"([^"]+)"}`, "POST", "/auth/login", credentials)[1]
	session := []string{"Authorization", "Bearer " + jwt}
	want(503, `{"statusCode":503,.*}`, "POST", "/ovh/add", "", session...)
	want(200, `\["0033123456789"\]`, "POST", "/account/blocklist", `{"number":"0033123456789"}`, session...)
	token := want(200, `{"value":"([^"]+)","comment":"dev key","expireAt":"[^"]+Z"}`, "POST", "/account/apitoken", `{"comment":"dev key","ttl":36000}`, session...)[1]
	read := []string{"Authorization", "Bearer " + token}
	want(200, `\[\]`, "GET", "/records?number=0033112233&number=0033112233&not=1", "", read...)
	want(401, `{"statusCode":401,.*}`, "GET", "/records", "", session...)
	want(401, `{"statusCode":401,.*}`, "GET", "/account/apitoken", "", read...)

	// The account is that of every door.
	var answer struct {
		Data struct{ Me struct{ Email string } }
	}
	p.ask(jwt, `{ me { email } }`, &answer)
	if answer.Data.Me.Email != "user@domain.com" {
		t.Errorf("%+v", answer)
	}
	for _, secret := range []string{link[1], jwt, token, "secretPassword", "user@domain.com", "33123456789"} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// letter is the text of the one letter that was dropped.
func (p *process) letter() string {
	p.Helper()
	end := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		names, err := filepath.Glob(filepath.Join(p.command.Dir, "data", "mail", "*.eml"))
		if err != nil {
			p.Fatal(err)
		}
		if len(names) == 1 {
			text, err := os.ReadFile(names[0])
			if err != nil {
				p.Fatal(err)
			}
			return string(text)
		}
		select {
		case <-tick.C:
		case <-end:
			p.Fatalf("%d letters came\n%s", len(names), p.log)
		}
	}
}
