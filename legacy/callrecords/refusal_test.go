package callrecords

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/house"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, code := range comms.Codes() {
		f := failureOf(&comms.Error{Code: code, Text: "text", Err: errors.New("the inside")})
		if f.status < 400 || f.text != "text" || (f.internal != nil) != (code == comms.Internal) {
			t.Errorf("%s: %+v", code, f)
		}
	}
	if len(statuses) != len(comms.Codes()) {
		t.Error("a status for no code")
	}
	if f := failureOf(errors.New("the inside")); f.status != http.StatusInternalServerError || f.text != "internal error" {
		t.Errorf("%+v", f)
	}
	for retry, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", 90 * time.Second: "90", 1500 * time.Millisecond: "2"} {
		h := http.Header{}
		failureOf(&comms.Error{Code: comms.Limited, RetryAfter: retry}).head(h)
		if h.Get("Retry-After") != want {
			t.Errorf("%s: %v", retry, h)
		}
	}
}

// The JWT configures the account, the API token reads the records, and nothing else is for either.
func TestWhoMayCall(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.join("user@domain.com")
		login, err := w.svc.Login(t.Context(), "user@domain.com", "secretPassword")
		if err != nil {
			t.Fatal(err)
		}
		as, err := w.svc.Authenticate(t.Context(), comms.Presented{Bearer: login.Token})
		if err != nil {
			t.Fatal(err)
		}
		all, err := w.svc.CreateApiToken(comms.WithActor(t.Context(), as), comms.CreateApiToken{Scopes: as.Scopes, Comment: "all"})
		if err != nil {
			t.Fatal(err)
		}
		other, err := w.svc.CreateApiToken(comms.WithActor(t.Context(), as), comms.CreateApiToken{Scopes: comms.ReadNumbers, Comment: "other"})
		if err != nil {
			t.Fatal(err)
		}
		none := "eyJhbGciOiJub25lIn0." + strings.Split(login.Token, ".")[1] + "."
		for _, r := range routes {
			for name, who := range map[string]struct {
				headers []string
				is      needs
			}{
				"nobody": {nil, 0}, "rubbish": {[]string{"Authorization", "Bearer rubbish"}, 0}, "no word": {[]string{"Authorization", "Bearer"}, 0},
				"basic": {[]string{"Authorization", "Basic dXNlcjpwYXNz"}, 0}, "alg none": {[]string{"Authorization", "Bearer " + none}, 0},
				"forged":          {[]string{"Authorization", "Bearer " + login.Token[:len(login.Token)-4] + "AAAA"}, 0},
				"API key":         {[]string{"Authorization", "Bearer " + login.ApiKey}, 0},
				"X-API-Key":       {[]string{"X-API-Key", login.ApiKey}, 0},
				"JWT":             {c.session, session},
				"bearer":          {[]string{"authorization", "bearer " + login.Token}, session},
				"API token":       {c.read, token},
				"powerful token":  {[]string{"Authorization", "Bearer " + all.Value}, token},
				"token for other": {[]string{"Authorization", "Bearer " + other.Value}, token | person},
			} {
				got := w.do(r.method, strings.NewReplacer("{token}", "x", "{id}", "x").Replace(r.path), "", who.headers...)
				wants := r.needs & (session | token)
				switch refused := got.refuses(http.StatusUnauthorized) && got.Header.Get("WWW-Authenticate") != ""; {
				case refused != (wants != 0 && who.is&wants == 0):
					t.Errorf("%s %s as %s: %d %s", r.method, r.path, name, got.StatusCode, got.body)
				case wants == token && who.is&person != 0 && !got.refuses(http.StatusForbidden):
					t.Errorf("%s without the scope: %d %s", r.path, got.StatusCode, got.body)
				}
			}
		}
		for _, secret := range []string{login.Token, login.ApiKey, all.Value, strings.TrimPrefix(c.read[1], "Bearer "), "secretPassword", "user@domain.com"} {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("the log holds a secret: %.4s...", secret)
			}
		}
	})
}

func TestOtherMethods(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	paths := map[string][]string{}
	for _, r := range routes {
		paths[r.path] = append(paths[r.path], r.method)
		if r.method == "GET" && r.needs&person == 0 {
			paths[r.path] = append(paths[r.path], "HEAD")
		}
	}
	for path, methods := range paths {
		slices.Sort(methods)
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"} {
			if slices.Contains(methods, method) {
				continue
			}
			got := w.do(method, strings.NewReplacer("{token}", "x", "{id}", "x").Replace(path), "")
			if !got.refuses(http.StatusMethodNotAllowed) || got.Header.Get("Allow") != strings.Join(methods, ", ") {
				t.Errorf("%s %s: %d, Allow %q, %s", method, path, got.StatusCode, got.Header.Get("Allow"), got.body)
			}
		}
	}
	for _, path := range []string{"/auth/", "/auth/logout", "/auth/activate/", "/auth/activate/x/y", "/ovh/", "/ovh/add/", "/account/", "/account/Blocklist",
		"/account/apitoken/", "/records/", "/records/1"} {
		if got := w.do("GET", path, ""); !got.refuses(http.StatusNotFound) {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
}

// Bodies are JSON whatever they say that they are.
func TestBodiesThatCannotBeRead(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.join("user@domain.com")
		for _, r := range routes {
			if r.needs&body == 0 {
				continue
			}
			for name, b := range map[string]struct {
				body   string
				status int
			}{
				"empty": {"", 400}, "no JSON": {"hello", 400}, "a form": {"number=0033123456789", 400}, "cut": {`{"user":"a`, 400}, "array": {`[{}]`, 400},
				"null": {`null`, 400}, "nothing in it": {`{}`, 400}, "two": {`{} {}`, 400}, "trailing": {`{"a":1}x`, 400},
				"names twice":     {`{"user":"a@b.test","user":"c@b.test","password":"secretPassword","number":"1","number":"2","comment":"a","comment":"b"}`, 400},
				"not UTF-8":       {"{\"user\":\"\xff@b.test\",\"password\":\"secretPassword\",\"number\":\"\xff\",\"comment\":\"\xff\"}", 400},
				"deep":            {`{"user":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}`, 400},
				"wrong types":     {`{"user":1,"password":[],"number":33123456789,"comment":{},"ttl":"36000"}`, 400},
				"nulls":           {`{"user":null,"password":null,"number":null,"comment":null,"ttl":null}`, 400},
				"fractions":       {`{"user":"a","password":"b","number":"no","comment":"` + strings.Repeat("x", 256) + `","ttl":1.5}`, 400},
				"another's words": {`{"email":"a@b.test","pass":"secretPassword","Number":"0033123456789","Comment":"x","TTL":1}`, 400},
				"large":           {"{" + strings.Repeat(" ", maxBody) + "}", 413},
			} {
				for _, contentType := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", ""} {
					headers := slices.Clone(c.session)
					if contentType != "" {
						headers = append(headers, "Content-Type", contentType)
					}
					if got := w.do(r.method, r.path, b.body, headers...); got.StatusCode != 401 && !got.refuses(b.status) {
						t.Errorf("%s %s, %s: %d %.100s, want %d", r.method, r.path, name, got.StatusCode, got.body, b.status)
					}
				}
			}
		}
	})
}

func TestValuesThatAreRefused(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.join("user@domain.com")
		for _, body := range []string{`{"comment":"x","ttl":0}`, `{"comment":"x","ttl":-1}`, `{"comment":"x","ttl":99999999999}`, `{"comment":"x","ttl":9223372036854775807}`,
			`{"comment":"x","ttl":99999999999999999999}`, `{"comment":"x","ttl":1e3}`, `{"comment":"x"}`, `{"ttl":36000}`, `{"comment":"a\nb","ttl":1}`, `{"comment":"x","ttl":true}`} {
			if got := w.do("POST", "/account/apitoken", body, c.session...); !got.refuses(400) {
				t.Errorf("%s: %d %s", body, got.StatusCode, got.body)
			}
		}
		for _, number := range []string{"", "0123456789", "+", "abc", "00331234567890123456", "12345"} {
			for _, method := range []string{"POST", "DELETE"} {
				if got := w.do(method, "/account/blocklist", `{"number":"`+number+`"}`, c.session...); !got.refuses(400) {
					t.Errorf("%s %s: %d %s", method, number, got.StatusCode, got.body)
				}
			}
		}
		for _, body := range []string{`{"user":"nobody","password":"secretPassword"}`, `{"user":"a@b.test","password":"1234567"}`, `{"user":"A <a@b.test>","password":"secretPassword"}`} {
			if got := w.do("POST", "/auth/register", body); !got.refuses(400) {
				t.Errorf("%s: %d %s", body, got.StatusCode, got.body)
			}
		}
		for _, query := range []string{"limit=ten", "limit=", "limit=-1", "limit=1.5", "limit=1e2", "limit=%2B5", "limit=1&limit=2", "offset=x", "offset=-1",
			"durationmin=long", "durationmin=-1", "durationmin=", "durationmax=1s", "direction=in", "direction=", "direction=IN&direction=OUT", "not=yes", "not=", "not=2",
			"from=", "from=now", "from=1624999592", "to=2021-13-01", "to=2021-06-31", "from=2021-06-29T25:00:00Z", "number=", "number=abc", "number=%00", "number=0033%3B",
			"limit=%zz", "a;b=c", "number=" + strings.Repeat("0", 100)} {
			if got := w.do("GET", "/records?"+query, "", c.read...); !got.refuses(400) {
				t.Errorf("%s: %d %s", query, got.StatusCode, got.body)
			}
		}
		for _, query := range []string{"limit=0", "limit=1000", "limit=1001", "not=0", "not=1", "unknown=x", "number=112", "number=+33112233", "number=33112233", "from=2021-06-29",
			"from=2021-06-29T21:46", "from=2021-06-29T21:46:32.123456789Z", "from=20210629T214632Z", "to=2021-06-29T21:46:32+0200", "to=2021-06-29T21:46:32 02:00",
			"from=2022-01-01&to=2021-01-01"} {
			if got := w.do("GET", "/records?"+strings.ReplaceAll(query, " ", "%20"), "", c.read...); got.StatusCode != 200 || got.Header.Get("X-Total-Count") != "0" || got.body != "[]" {
				t.Errorf("%s: %d %s", query, got.StatusCode, got.body)
			}
		}
	})
}

// What one account blocks, makes or reads is nothing to another.
func TestAnotherAccountsThings(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.join("a@domain.com"), w.join("b@domain.com")
		w.add(a, theRecords...)
		w.want(200, nil, "POST", "/account/blocklist", `{"number":"0033112233"}`, a.session...)
		for _, c := range []struct{ method, path, body, want string }{
			{"GET", "/account/blocklist", "", "200 []"},
			{"DELETE", "/account/blocklist", `{"number":"0033112233"}`, "404"},
			{"DELETE", "/account/apitoken", `{"comment":"only hers"}`, "404"},
		} {
			if got := w.do(c.method, c.path, c.body, b.session...); !strings.HasPrefix(fmt.Sprint(got.StatusCode, " ", got.body), c.want) {
				t.Errorf("%s %s: %d %s", c.method, c.path, got.StatusCode, got.body)
			}
		}
		if got := w.do("GET", "/records", "", b.read...); got.body != "[]" || got.Header.Get("X-Total-Count") != "0" {
			t.Errorf("%s", got.body)
		}
		if got := w.do("GET", "/records", "", a.read...); got.Header.Get("X-Total-Count") != "2" {
			t.Errorf("%s", got.body)
		}
	})
}

func TestCarriersThatSayNo(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.join("user@domain.com")
		w.want(200, nil, "POST", "/ovh/add", "", c.session...)
		path := w.ovh.back[strings.Index(w.ovh.back, "/ovh/check/"):]
		if !strings.HasPrefix(w.ovh.back, w.url) {
			t.Errorf("OVH sends the customer back to %s", w.ovh.back)
		}
		if got := w.do("GET", path, ""); got.StatusCode != http.StatusForbidden || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
			t.Errorf("not consented: %d %s", got.StatusCode, got.body)
		}
		if got := w.do("GET", w.ovh.consent(), ""); got.StatusCode != http.StatusOK {
			t.Errorf("consented: %d %s", got.StatusCode, got.body)
		}
	})
	w := newWorld(t, house.SQLite(t), settings{noOVH: true})
	if got := w.do("POST", "/ovh/add", "", w.join("user@domain.com").session...); !got.refuses(http.StatusServiceUnavailable) || got.Header.Get("Retry-After") == "" {
		t.Errorf("no application: %d %s", got.StatusCode, got.body)
	}
}

func TestTooOften(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{throttle: comms.Throttle{Login: comms.Rate{N: 1, Per: time.Hour}, Register: comms.Rate{N: 1, Per: time.Hour}}})
	for _, path := range []string{"/auth/login", "/auth/register"} {
		var got answer
		for range 3 {
			got = w.do("POST", path, `{"user":"user@domain.com","password":"secretPassword"}`)
		}
		if !got.refuses(http.StatusTooManyRequests) || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
}

// The address that the client used goes into a letter to somebody else, so only what is a host does.
func TestHostsInLetters(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	for i, host := range []string{"evil.example/x", "evil.example?", "user@evil.example", "a b", "evil.example#"} {
		body := fmt.Sprintf(`{"user":"user%d@domain.com","password":"secretPassword"}`, i)
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /auth/register HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", host, len(body), body)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %v, %v", host, res, err)
		}
	}
	w.want(201, nil, "POST", "/auth/register", `{"user":"user@domain.com","password":"secretPassword"}`, "Host", "rec.over.ovh:8443", "X-Forwarded-Host", "evil.example")
	if base, _ := w.letter(); base != "http://rec.over.ovh:8443" {
		t.Errorf("the link leads to %s", base)
	}
	if len(w.letters) != 0 {
		t.Error("letters went out for requests that were refused")
	}
}

// Many clients read nothing before they have written everything. They get their refusal too, however early it was known.
func TestRefusalsReachWhoWritesFirst(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	large := `{"user":"` + strings.Repeat("x", 16<<20) + `"}`
	for want, head := range map[int]string{
		http.StatusRequestEntityTooLarge: "POST /auth/login HTTP/1.1\r\n",
		http.StatusUnauthorized:          "POST /account/blocklist HTTP/1.1\r\n",
		http.StatusMethodNotAllowed:      "PUT /records HTTP/1.1\r\n",
		http.StatusNotFound:              "PUT /account/none HTTP/1.1\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "%sHost: x\r\nContent-Length: %d\r\n\r\n%s", head, len(large), large); err != nil {
			t.Fatalf("%d: %v", want, err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%d: %v", want, err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || !(answer{res, string(b)}).refuses(want) {
			t.Errorf("%d: %d %s, %v", want, res.StatusCode, b, err)
		}
	}
}
