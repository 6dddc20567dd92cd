package moor

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/house"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, code := range comms.Codes() {
		f := failureOf(&comms.Error{Code: code, Text: "text", Err: errors.New("the inside")})
		if f.status < 400 || f.text != "text" {
			t.Errorf("%s: %+v", code, f)
		}
		if f := failureOf(&comms.Error{Code: code, Field: "a field that has no line", Text: "text"}); f.status != statuses[fault{code: code}] {
			t.Errorf("%s: %+v", code, f)
		}
	}
	if f := failureOf(errors.New("the inside")); f.status != http.StatusInternalServerError || f.text != "internal error" {
		t.Errorf("%+v", f)
	}
}

var trace = regexp.MustCompile(`^[0-9a-f]{32}$`)

// refused fails unless the answer is that failure in the documented envelope.
func (w *world) refused(what string, r reply, status int) {
	w.Helper()
	i := r.Info
	whole := r.Success != nil && !*r.Success && r.Code == strconv.Itoa(status) && r.Message != "" && r.Data == nil && string(i.Body) == "{}" &&
		trace.MatchString(i.RequestID) && i.Headers["traceId"] == i.RequestID && i.Headers["accountId"] == i.Headers["m7-appkey"] &&
		i.URL == r.Request.URL.Path && i.ProxyURL == "http://"+r.Request.Host+i.URL && r.Header.Get("Content-Type") == "application/json;charset=utf-8"
	if r.StatusCode != status || !whole || strings.Contains(r.body, `"data"`) {
		w.Errorf("%s: %d %s, want %d", what, r.StatusCode, r.body, status)
	}
	w.adds(i.Span)
}

// adds fails unless a span's times follow each other and add up.
func (w *world) adds(s span) {
	w.Helper()
	biz := s.ProxyEnd - s.ProxyStart
	if s.Start > s.ProxyStart || biz < 0 || s.ProxyEnd > s.End || s.Biz != strconv.FormatInt(biz, 10)+"ms" ||
		s.Latency != strconv.FormatInt(s.End-s.Start-biz, 10)+"ms" || time.Since(time.UnixMilli(s.Start)).Abs() > time.Minute {
		w.Errorf("%+v", s)
	}
}

// Each thing that can be wrong with a request, on both endpoints.
func TestRefusals(t *testing.T) {
	for _, path := range []string{numberPath, groupPath} {
		onBoth(t, func(w *world) {
			for name, c := range w.proofs() {
				got := w.do("POST", path, "", c.headers...)
				if c.want == http.StatusOK {
					if got.StatusCode != c.want {
						t.Errorf("%s: %s", name, got.body)
					}
					w.adds(got.Info.Span)
				} else {
					w.refused(name, got, c.want)
				}
			}
			for _, method := range []string{"GET", "PUT", "DELETE", "OPTIONS"} {
				got := w.do(method, path, "", w.fresh(w.rides).headers()...)
				if w.refused(method, got, http.StatusMethodNotAllowed); got.Header.Get("Allow") != "POST" {
					t.Error(got.Header)
				}
			}
			w.refused("no such path", w.ask(w.rides, path+"/x"), http.StatusNotFound)
			w.refused("no such path", w.do("GET", "/openapi/v2/call/query/number", ""), http.StatusNotFound)
			for _, secret := range []string{w.rides.secret, w.rides.key, "123456Aa", "862151860000"} {
				if strings.Contains(w.log.String(), secret) {
					t.Errorf("the log holds %s", secret)
				}
			}
		})
	}
}

// A time is compared in its own unit: what was cut off of the one is cut off of the other, so that five minutes are five minutes.
func TestTheEdgesOfTheClock(t *testing.T) {
	now := time.UnixMilli(1608719083769)
	for text, want := range map[string]bool{
		"1608718783": true, "1608718782": false, "1608719383": true, "1608719384": false,
		"1608718783769": true, "1608718783768": false, "1608719383769": true, "1608719383770": false,
	} {
		if off, ok := clockOff(text, now); !ok || (off.Abs() <= stampOff) != want {
			t.Errorf("%s: %s off", text, off)
		}
	}
}

type proved struct {
	headers []string
	want    int
}

// proofs are the ways to prove oneself, and what comes of each.
func (w *world) proofs() map[string]proved {
	without := func(name string) []string {
		h := w.fresh(w.rides).headers()
		i := slices.Index(h, name)
		return slices.Delete(h, i, i+2)
	}
	with := func(change func(p *proof)) []string {
		p := w.fresh(w.rides)
		change(&p)
		return p.headers()
	}
	at := func(stamp string) []string {
		return w.rides.proves(stamp, strconv.FormatInt(w.nonces.Add(1), 10)).headers()
	}
	digest := func(p proof, to *base64.Encoding) string {
		b, err := base64.StdEncoding.DecodeString(p.sign)
		w.must(err)
		return to.EncodeToString(b)
	}
	return map[string]proved{
		"seconds":             {at(seconds(0)), 200},
		"milliseconds":        {at(millis(0)), 200},
		"early":               {at(seconds(290 * time.Second)), 200},
		"late, milliseconds":  {at(millis(-290 * time.Second)), 200},
		"a long nonce":        {w.rides.proves(seconds(0), strings.Repeat("7", 64)).headers(), 200},
		"no key":              {without("m7-appkey"), 401},
		"no time":             {without("m7-timestamp"), 401},
		"no nonce":            {without("m7-nonce"), 401},
		"no sign":             {without("m7-sign"), 401},
		"nothing":             {nil, 401},
		"too early":           {at(seconds(310 * time.Second)), 401},
		"too late":            {at(millis(-310 * time.Second)), 401},
		"eleven digits":       {at(seconds(0) + "0"), 401},
		"microseconds":        {at(millis(0) + "000"), 401},
		"a sign before":       {at("+" + seconds(0)[1:]), 401},
		"no digits":           {at("now"), 401},
		"the document's time": {at("1608719083769"), 401},
		"an unknown key":      {with(func(p *proof) { p.key = strings.Repeat("0", 32) }), 401},
		"another's key":       {with(func(p *proof) { p.key = w.theirs.key }), 401},
		"another's secret":    {app{w.rides.key, w.theirs.secret}.proves(seconds(0), "1").headers(), 401},
		"another nonce":       {with(func(p *proof) { p.nonce += "1" }), 401},
		"another time":        {with(func(p *proof) { p.stamp = seconds(-time.Second) }), 401},
		"the document's sign": {with(func(p *proof) { p.sign = "Bxg/hPidTlWcK9JGHJiI6YCkOVQ0GEQSqx4FhI0Yfrw=" }), 401},
		"not base64":          {with(func(p *proof) { p.sign = strings.Repeat("!", 44) }), 401},
		"URL's base64":        {with(func(p *proof) { p.sign = "-" + digest(*p, base64.URLEncoding)[1:] }), 401},
		"half a sign":         {with(func(p *proof) { p.sign = p.sign[:24] }), 401},
		"a key of any length": {with(func(p *proof) { p.key = strings.Repeat("0", 9999) }), 401},
		"two signs":           {append(w.fresh(w.rides).headers(), "m7-sign", "x"), 401},
	}
}

// The same sign and nonce again is a replay, at either path and after a restart; of many at once one is heard. The same nonce with another time
// is none.
func TestReplay(t *testing.T) {
	onBoth(t, func(w *world) {
		p := w.rides.proves(seconds(0), "909455")
		if got := w.do("POST", numberPath, "", p.headers()...); got.StatusCode != 200 {
			t.Fatal(got.body)
		}
		w.refused("again", w.do("POST", numberPath, "", p.headers()...), 401)
		w.refused("at the other path", w.do("POST", groupPath, "", p.headers()...), 401)
		// What is signed is one text: a digit that moves from the time to the nonce changes nothing of it.
		long := w.rides.proves(millis(0), "123456")
		if got := w.do("POST", groupPath, "", long.headers()...); got.StatusCode != 200 {
			t.Fatal(got.body)
		}
		moved := proof{long.key, long.stamp[:10], long.stamp[10:] + long.nonce, long.sign}
		w.refused("cut elsewhere", w.do("POST", groupPath, "", moved.headers()...), 401)
		w.start(Options{})
		w.refused("after a restart", w.do("POST", numberPath, "", p.headers()...), 401)
		if got := w.do("POST", numberPath, "", w.rides.proves(seconds(-time.Second), "909455").headers()...); got.StatusCode != 200 {
			t.Errorf("the same nonce with another time: %s", got.body)
		}
		p = w.fresh(w.rides)
		heard := make(chan int, 8)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { heard <- w.do("POST", groupPath, "", p.headers()...).StatusCode })
		}
		all.Wait()
		close(heard)
		good := 0
		for status := range heard {
			if status == 200 {
				good++
			} else if status != 401 {
				t.Errorf("%d", status)
			}
		}
		if good != 1 {
			t.Errorf("%d were heard", good)
		}
	})
}

// Twenty a minute, over both paths, of each account; what is refused doesn't count.
func TestTwentyAMinute(t *testing.T) {
	onBoth(t, func(w *world) {
		spent := w.fresh(w.rides)
		for i := range 20 {
			path := []string{numberPath, groupPath}[i%2]
			p := w.fresh(w.rides)
			if i == 0 {
				p = spent
			}
			if got := w.do("POST", path, "", p.headers()...); got.StatusCode != 200 {
				t.Fatalf("%d: %s", i+1, got.body)
			}
			w.refused("a replay", w.do("POST", path, "", spent.headers()...), 401)
			w.refused("a stranger", w.do("POST", path, "", append(w.fresh(w.rides).headers()[:6], "m7-sign", spent.sign)...), 401)
			w.refused("a GET", w.do("GET", path, "", w.fresh(w.rides).headers()...), 405)
		}
		for range 3 {
			got := w.ask(w.rides, numberPath)
			w.refused("one too many", got, 429)
			if after, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || after < 1 || after > 60 {
				t.Errorf("Retry-After: %s", got.Header.Get("Retry-After"))
			}
		}
		w.refused("a replay", w.do("POST", numberPath, "", spent.headers()...), 401)
		if got := w.ask(w.theirs, numberPath); got.StatusCode != 200 {
			t.Errorf("another account: %s", got.body)
		}
	})
}

// An account sees what is its own.
func TestAnotherAccountSeesNothing(t *testing.T) {
	onBoth(t, func(w *world) {
		if got := w.ask(w.theirs, numberPath); string(got.Data) != `{"displayNumberList":[],"serviceNumberList":[],"sipNumberList":[]}` {
			t.Error(got.body)
		}
		if got := w.ask(w.theirs, groupPath); string(got.Data) != `[]` {
			t.Error(got.body)
		}
	})
}

// All headers are told but credentials; m7-sign is.
func TestWhatIsEchoed(t *testing.T) {
	onBoth(t, func(w *world) {
		got := w.ask(w.rides, groupPath, "X-Request-Id", "d7dca47d", "X-Two", "a", "X-Two", "b", "X-Odd", `"<>&\`, "Idempotency-Key", "k", "Postman-Token", "p",
			"Authorization", "Bearer leak", "Cookie", "leak=1", "X-API-Key", "leak", "Proxy-Authorization", "Basic leak", "X-Auth-Token", "leak",
			"Api-Key", "leak", "X-Access-Token", "leak", "X-Amz-Security-Token", "leak", "Set-Cookie", "leak", "X-Secret", "leak", "X-Session-Id", "leak",
			"Password", "leak", "X-Hub-Signature", "leak", "Auth", "leak", "X_Auth", "leak", "api_key", "leak", "Key", "leak", "Sign", "leak", "Pwd", "leak", "X-Pass", "leak",
			"Authorisation", "leak", "X-Otp", "leak", "Sid", "leak", "X-Foo", "bearer leak", "X-Bar", "Basic leak", "X-Design", "good", "X-Keyword", "good",
			// A credential of ours in a place where none belongs, also beside something else.
			"X-Custom", "mine is "+w.rides.secret, "Referer", "http://rides:"+w.rides.secret+"@example.com/", "X-Other", "key=occ_leak", "X-More", "swb_leak", "X-Jwt-Less", "eyJleak.leak.leak", "X-Sign", "leak", "Auth-Key", "leak", "X-Csrf-Token", "leak")
		if got.StatusCode != 200 || strings.Contains(got.body, "leak") || strings.Contains(got.body, w.rides.secret) {
			t.Error(got.body)
		}
		// Who signs with the wrong secret may have sent the right one beside it.
		p := w.fresh(w.rides)
		p.sign = w.fresh(w.rides).sign
		if got := w.do("POST", groupPath, "", append(p.headers(), "X-Custom", w.rides.secret)...); got.StatusCode != 401 || strings.Contains(got.body, w.rides.secret) {
			t.Error(got.body)
		}
		h := got.Info.Headers
		for name, want := range map[string]string{"x-request-id": "d7dca47d", "x-two": "a, b", "x-odd": `"<>&\`, "idempotency-key": "k", "postman-token": "p",
			"x-design": "good", "x-keyword": "good",
			"host": got.Request.Host, "content-length": "0", "m7-appkey": w.rides.key, "traceId": got.Info.RequestID, "accountId": w.rides.key} {
			if h[name] != want {
				t.Errorf("%s: %q, want %q", name, h[name], want)
			}
		}
		for name := range h {
			if name != "traceId" && name != "accountId" && name != strings.ToLower(name) {
				t.Error(name)
			}
		}
		if h["m7-sign"] == "" || h["m7-nonce"] == "" || h["m7-timestamp"] == "" {
			t.Error(h)
		}
	})
}

// What the client or a proxy calls this server.
func TestAddresses(t *testing.T) {
	w := &world{T: t, store: house.SQLite(t), log: &safeLog{}}
	w.start(Options{PublicURL: "https://example.com/"})
	w.furnish()
	got := w.ask(w.rides, groupPath+"?token=leak")
	if got.Info.ProxyURL != "https://example.com"+groupPath || got.Info.URL != groupPath || strings.Contains(got.body, "leak") {
		t.Error(got.body)
	}
	if got := w.do("POST", groupPath, `{"a":1}`, w.fresh(w.rides).headers()...); got.StatusCode != 200 || string(got.Info.Body) != "{}" {
		t.Errorf("a body that nobody asked for: %s", got.body)
	}
}

// Our fault is told as such, without what it was.
func TestOurFault(t *testing.T) {
	onBoth(t, func(w *world) {
		w.must(w.store.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
			return tx.SipNumber.Update().SetPasswordSealed([]byte("not sealed by this key")).Exec(ctx)
		}, nil))
		got := w.ask(w.rides, numberPath)
		if w.refused("a key that opens nothing", got, 500); got.Message != "internal error" || !strings.Contains(w.log.String(), "the server's key") {
			t.Error(got.body)
		}
	})
}
