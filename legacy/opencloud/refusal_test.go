package opencloud

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
	"switchboard/internal/db"
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
	if f := failureOf(&comms.Error{Code: comms.Invalid, Reason: comms.ReasonWrongAnswer, Text: "wrong"}); f.text != "答案錯誤" {
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

// at fills a route's path in.
func (r route) at(id string) string { return strings.ReplaceAll(r.path, "{id}", id) }

func (a answer) isError(status int) bool {
	var b map[string]any
	return a.StatusCode == status && a.Header.Get("Content-Type") == "application/json" &&
		json.Unmarshal([]byte(a.body), &b) == nil && len(b) == 1 && b["error"] != nil && b["error"] != ""
}

func TestWhoMayCall(t *testing.T) {
	onBoth(t, func(w *world) {
		u := w.join("user@example.com")
		ended := u.key
		var fresh keyBody
		w.want(http.StatusOK, &fresh, "POST", "/api/user/regenerate-api-key", "", u.bearer...)
		none := "eyJhbGciOiJub25lIn0." + strings.Split(u.token, ".")[1] + "."
		for _, r := range routes {
			path := r.at(uuid.NewString())
			for name, headers := range map[string][]string{
				"nobody": nil, "rubbish": {"Authorization", "Bearer rubbish"}, "no word": {"Authorization", "Bearer"}, "empty": {"X-API-Key", ""},
				"basic": {"Authorization", "Basic dXNlcjpwYXNz"}, "ended key": {"X-API-Key", ended}, "alg none": {"Authorization", "Bearer " + none},
				"forged": {"Authorization", "Bearer " + u.token[:len(u.token)-4] + "AAAA"}, "token as key": {"X-API-Key", u.token},
			} {
				got := w.do(r.method, path, "", headers...)
				if r.needs&user == 0 {
					if got.StatusCode == http.StatusUnauthorized {
						t.Errorf("%s %s as %s: needs no user, but: %s", r.method, r.path, name, got.body)
					}
				} else if !got.isError(http.StatusUnauthorized) || got.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s as %s: %d %s", r.method, r.path, name, got.StatusCode, got.body)
				}
			}
			if r.method == http.MethodPost && r.needs&body == 0 {
				continue // would end the key
			}
			for _, headers := range [][]string{u.bearer, {"X-API-Key", fresh.APIKey}, {"Authorization", "Bearer " + fresh.APIKey},
				{"Authorization", "Basic dXNlcjpwYXNz", "X-API-Key", fresh.APIKey}} {
				if got := w.do(r.method, path, "", headers...); got.StatusCode == http.StatusUnauthorized {
					t.Errorf("%s %s as the user: %s", r.method, r.path, got.body)
				}
			}
		}
		for _, secret := range []string{u.token, ended, fresh.APIKey, "password123"} {
			if strings.Contains(w.log.String(), secret) {
				t.Error("the log holds a secret")
			}
		}
	})
}

func TestOtherMethods(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	paths := map[string][]string{}
	for _, r := range routes {
		paths[r.path] = append(paths[r.path], r.method)
		if r.method == "GET" {
			paths[r.path] = append(paths[r.path], "HEAD")
		}
	}
	for path, methods := range paths {
		slices.Sort(methods)
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"} {
			if slices.Contains(methods, method) {
				continue
			}
			got := w.do(method, strings.ReplaceAll(path, "{id}", "x"), "")
			if !got.isError(http.StatusMethodNotAllowed) || got.Header.Get("Allow") != strings.Join(methods, ", ") {
				t.Errorf("%s %s: %d, Allow %q, %s", method, path, got.StatusCode, got.Header.Get("Allow"), got.body)
			}
		}
	}
	if got := w.do("HEAD", "/api/captcha", ""); got.StatusCode != http.StatusOK || got.body != "" {
		t.Errorf("HEAD: %d %q", got.StatusCode, got.body)
	}
	for _, path := range []string{"/api/", "/api/auth", "/api/numbers/", "/api/numbers/x/y", "/api/Dashboard", "/api/dashboard/"} {
		if got := w.do("GET", path, ""); !got.isError(http.StatusNotFound) {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	onBoth(t, func(w *world) {
		u := w.join("user@example.com")
		n := w.number(u)
		long := strings.Repeat(" ", maxBody)
		for _, r := range routes {
			if r.needs&body == 0 {
				continue
			}
			for name, c := range map[string]struct {
				contentType, body string
				status            int
			}{
				"no type":       {"", "{}", 415},
				"a form":        {"application/x-www-form-urlencoded", "email=a", 415},
				"text":          {"text/plain", "{}", 415},
				"other charset": {"application/json; charset=latin1", "{}", 415},
				"bad type":      {"application/json; =", "{}", 415},
				"empty":         {"application/json", "", 400},
				"no JSON":       {"application/json", "hello", 400},
				"cut":           {"application/json", `{"email":"a`, 400},
				"array":         {"application/json", `[{}]`, 400},
				"null":          {"application/json", `null`, 400},
				"nothing in it": {"application/json; charset=UTF-8", `{}`, 400},
				"two":           {"application/json", `{} {}`, 400},
				"trailing":      {"application/json", `{"a":1}x`, 400},
				"names twice":   {"application/json", `{"email":"a@example.com","email":"b@example.com","password":"password123"}`, 400},
				"not UTF-8":     {"application/json", "{\"email\":\"\xff@example.com\",\"password\":\"password123\"}", 400},
				"deep":          {"application/json", `{"email":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, 400},
				"wrong types":   {"application/json", `{"email":1,"password":[],"matrixId":{},"alias":7,"pin":1234,"captchaToken":false,"currentPin":1,"newPin":2,"a":"3","b":7.5,"answer":1e3}`, 400},
				"nulls":         {"application/json", `{"email":null,"password":null,"matrixId":null,"alias":null,"pin":null,"currentPin":null,"a":null}`, 400},
				"large":         {"application/json", "{" + long + "}", 413},
				"huge numbers":  {"application/json", `{"a":99999999999999999999,"b":1,"answer":1,"alias":null}`, 400},
			} {
				got := w.do(r.method, r.at(n.ID.String()), c.body, append([]string{"Content-Type", c.contentType}, u.bearer...)...)
				if !got.isError(c.status) {
					t.Errorf("%s %s, %s: %d %.100s, want %d", r.method, r.path, name, got.StatusCode, got.body, c.status)
				}
			}
		}
		w.chunked(u)
		var numbers numbersBody
		w.want(http.StatusOK, &numbers, "GET", "/api/numbers", "", u.bearer...)
		if len(numbers.Numbers) != 1 || numbers.Numbers[0] != n {
			t.Errorf("%+v", numbers)
		}
	})
}

// chunked sends more than a body may have without saying so before.
func (w *world) chunked(u *customer) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), "PUT", w.url+"/api/user/matrix", &endless{})
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(u.bearer[0], u.bearer[1])
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		w.Error(res.Status)
	}
}

// endless is spaces for as long as they are read.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// Many clients read nothing before they have written everything. They get their refusal too, however early it was known.
func TestRefusalsReachWhoWritesFirst(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	large := `{"email":"` + strings.Repeat("x", 16*maxBody) + `"}`
	for want, head := range map[int]string{
		http.StatusRequestEntityTooLarge:  "POST /api/auth/login HTTP/1.1\r\nContent-Type: application/json\r\n",
		http.StatusUnsupportedMediaType:   "POST /api/auth/login HTTP/1.1\r\nContent-Type: text/plain\r\n",
		http.StatusUnauthorized:           "POST /api/numbers HTTP/1.1\r\nContent-Type: application/json\r\n",
		http.StatusMethodNotAllowed:       "PUT /api/captcha HTTP/1.1\r\n",
		http.StatusNotFound:               "PUT /api/none HTTP/1.1\r\n",
		-http.StatusRequestEntityTooLarge: "POST /api/auth/login HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		request := fmt.Sprintf("%sHost: x\r\nContent-Length: %d\r\n\r\n%s", head, len(large), large)
		if want < 0 {
			want, request = -want, fmt.Sprintf("%sHost: x\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, len(large), large)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatalf("%d: %v", want, err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%d: %v", want, err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || !(answer{res, string(b)}).isError(want) || res.ContentLength <= 0 {
			t.Errorf("%d: %d %s, %v, Content-Length %d", want, res.StatusCode, b, err, res.ContentLength)
		}
	}
}

func TestOddIDs(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	u := w.join("user@example.com")
	id := w.number(u).ID.String()
	for _, odd := range []string{"1", "x", uuid.Nil.String(), "%7B" + id + "%7D", strings.ReplaceAll(id, "-", ""), "urn:uuid:" + id, id + "%00", id + "x"} {
		for _, r := range routes {
			if !strings.Contains(r.path, "{id}") {
				continue
			}
			body := `{"alias":"a","currentPin":"1234","newPin":"5678"}`
			if got := w.do(r.method, r.at(odd), body, u.bearer...); !got.isError(http.StatusNotFound) {
				t.Errorf("%s %s: %d %s", r.method, odd, got.StatusCode, got.body)
			}
		}
	}
}

// An account that was registered by mail (comms/mail) is nobody's before its owner has followed the link.
func TestAnAccountToBeActivated(t *testing.T) {
	onBoth(t, func(w *world) {
		w.join("user@example.com")
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Account.Update().SetActive(false).SetActivationUntil(clock.Now().Add(time.Hour)).Exec(ctx)
		})
		for password, status := range map[string]int{"password123": http.StatusForbidden, "password124": http.StatusUnauthorized} {
			got := w.do("POST", "/api/auth/login", `{"email":"user@example.com","password":"`+password+`"}`)
			if !got.isError(status) {
				t.Errorf("%s: %d %s", password, got.StatusCode, got.body)
			}
		}
	})
}

func TestTooOften(t *testing.T) {
	with := settings{throttle: comms.Throttle{Login: comms.Rate{N: 1, Per: time.Hour}}}
	onBothWith(t, with, func(w *world) {
		w.join("user@example.com")
		login := `{"email":"user@example.com","password":"password123"}`
		w.want(http.StatusOK, nil, "POST", "/api/auth/login", login)
		got := w.do("POST", "/api/auth/login", login)
		if !got.isError(http.StatusTooManyRequests) || got.Header.Get("Retry-After") != "3600" {
			t.Errorf("%d, Retry-After %q, %s", got.StatusCode, got.Header.Get("Retry-After"), got.body)
		}
	})
}

// A store that fails: the client learns nothing of the inside, the log does.
func TestInternalErrors(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		store := open(t)
		w := newWorld(t, store, settings{})
		u := w.join("user@example.com")
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		for _, call := range [][3]string{{"GET", "/api/dashboard", ""}, {"GET", "/api/captcha", ""},
			{"POST", "/api/auth/login", `{"email":"user@example.com","password":"password123"}`}} {
			got := w.do(call[0], call[1], call[2], u.bearer...)
			if got.StatusCode < 500 || strings.Contains(got.body, "db") || strings.Contains(got.body, "sql") {
				t.Errorf("%s: %d %s", call[1], got.StatusCode, got.body)
			}
		}
		if !strings.Contains(w.log.String(), "closed") {
			t.Errorf("the log says nothing of it: %s", w.log)
		}
	})
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":null}`, `[]`, `{"a":{"b":[1,2]}}x`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":1e400}`,
		` {"a" : "b"} `, `{"a":1,}`, `{`, strings.Repeat(`{"a":`, 20_000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseObject(b)
		if err != nil {
			if f := failureOf(err); f.status != http.StatusBadRequest || f.text == "" {
				t.Errorf("%+v", f)
			}
			return
		}
		if !json.Valid(b) { // what we take, everybody takes
			t.Errorf("%q is no JSON", b)
		}
		for name := range o.members {
			text, n := o.optional(name), o.integer(name)
			if text != "" && n != 0 {
				t.Errorf("%q is both %q and %d", o.members[name], text, n)
			}
		}
	})
}

// What is sent at once is decided once (contract: documented limits, races included).
func TestRaces(t *testing.T) {
	onBoth(t, func(w *world) {
		count := func(n int, call func(i int) answer) map[int]int {
			statuses, all := map[int]int{}, make(chan int, n)
			for i := range n {
				go func() { all <- call(i).StatusCode }()
			}
			for range n {
				statuses[<-all]++
			}
			return statuses
		}
		got := count(8, func(i int) answer {
			return w.do("POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":"password123"}`, []string{"a@example.com", "A@example.com"}[i%2]))
		})
		if fmt.Sprint(got) != "map[201:1 409:7]" {
			t.Errorf("registrations of one email: %v", got)
		}
		u, tokens := w.join("b@example.com"), make([]string, 8)
		for i := range tokens {
			tokens[i] = w.captcha()
		}
		create := func(token string) answer {
			return w.do("POST", "/api/numbers", `{"alias":"x","pin":"1234","captchaToken":"`+token+`"}`, u.bearer...)
		}
		if got = count(6, func(int) answer { return create(tokens[0]) }); fmt.Sprint(got) != "map[201:1 400:5]" {
			t.Errorf("numbers for one token: %v", got)
		}
		if got = count(7, func(i int) answer { return create(tokens[1+i]) }); fmt.Sprint(got) != "map[201:4 409:3]" {
			t.Errorf("seven more numbers: %v", got)
		}
		var have numbersBody
		w.want(http.StatusOK, &have, "GET", "/api/numbers", "", u.bearer...)
		if len(have.Numbers) != 5 {
			t.Errorf("%d numbers", len(have.Numbers))
		}
		var q questionBody
		w.want(http.StatusOK, &q, "GET", "/api/captcha", "")
		got = count(6, func(int) answer {
			return w.do("POST", "/api/captcha/verify", fmt.Sprintf(`{"a":%d,"b":%d,"answer":%d}`, q.A, q.B, q.A+q.B))
		})
		if fmt.Sprint(got) != "map[200:1 400:5]" {
			t.Errorf("answers to one question: %v", got)
		}
		if _, err := w.svc.Me(context.Background()); comms.AsError(err).Code != comms.Unauthenticated {
			t.Error(err)
		}
	})
}
