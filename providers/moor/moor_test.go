package moor

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/comms/pool"
)

const (
	key    = "2000103"
	secret = "the secret of 2000103"
)

// platform is a 7moor platform that is strict: it checks each request as the document says before it answers.
type platform struct {
	*testing.T
	*httptest.Server
	mu      sync.Mutex
	nonces  map[string]bool
	asked   []string
	waited  []time.Duration
	answers []func(w http.ResponseWriter) // before the good ones, one a request
	bodies  map[string]string
}

func newPlatform(t *testing.T, answers ...func(w http.ResponseWriter)) *platform {
	p := &platform{T: t, nonces: map[string]bool{}, answers: answers, bodies: map[string]string{}}
	for path, file := range map[string]string{numberPath: "testdata/number.json", groupPath: "testdata/group.json"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p.bodies[path] = string(b)
	}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

var sixDigits = regexp.MustCompile(`^\d{6}$`)

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.URL.Path)
	stamp, nonce, sign := r.Header.Get("m7-timestamp"), r.Header.Get("m7-nonce"), r.Header.Get("m7-sign")
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(key + stamp + nonce))
	if at, ok := readTime(stamp); !ok || time.Since(at).Abs() > 5*time.Minute || r.Method != "POST" || r.Header.Get("m7-appkey") != key ||
		!sixDigits.MatchString(nonce) || p.nonces[sign] || r.Header.Get("Content-Type") != "application/json" || r.ContentLength > 0 ||
		sign != base64.StdEncoding.EncodeToString(h.Sum(nil)) {
		w.WriteHeader(401)
		fmt.Fprint(w, `{"success":false,"code":"401","message":"sign error"}`)
		return
	}
	p.nonces[sign] = true
	if len(p.answers) > 0 {
		answer := p.answers[0]
		p.answers = p.answers[1:]
		answer(w)
		return
	}
	fmt.Fprint(w, p.bodies[r.URL.Path])
}

func readTime(stamp string) (time.Time, bool) {
	var n int64
	_, err := fmt.Sscanf(stamp, "%10d", &n)
	return time.Unix(n, 0), err == nil && len(stamp) == 10
}

// client asks the platform, and notes how long it would wait.
func (p *platform) client(change ...func(o *Options)) *Client {
	p.Helper()
	o := Options{URL: p.URL + "/", AppKey: key, Secret: secret}
	for _, c := range change {
		c(&o)
	}
	c, err := New(o)
	if err != nil {
		p.Fatal(err)
	}
	c.wait = func(ctx context.Context, d time.Duration) error {
		p.waited = append(p.waited, d)
		return ctx.Err()
	}
	return c
}

// The document's own answers, as they become a pool to take over.
func TestPull(t *testing.T) {
	got, err := newPlatform(t).client().Pull(t.Context())
	n := func(number, name string) pool.ImportNumber {
		return pool.ImportNumber{Number: number, Name: name, Ability: "both", Source: "trunk", Concurrency: 1, Line: "R00002"}
	}
	first, second, third, fourth := n("", "9813"), n("+8617118230000", "17118230000"), n("", "9804"), n("+862151860000", "02151860000")
	first.Alias, first.Groups = new("111"), []string{"555", "888"}
	second.Ability, second.Source, second.Disabled = "display", "virtual", true
	third.Concurrency = 2
	fourth.Ability, fourth.Concurrency = "service", 3
	want := pool.ImportPool{Numbers: []pool.ImportNumber{first, second, third, fourth}, Groups: []pool.ImportGroup{{Name: "客服号码组"}},
		Phones: []pool.ImportPhone{{Number: "2000", Password: "123456Aa"}},
		Left:   []pool.Left{{Kind: pool.KindPhone, Name: "2001", Why: "it is deleted there"}, {Kind: pool.KindPhone, Name: "2002", Why: "it is switched off there"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v,\nwant %+v", got, err, want)
	}
}

func status(code int, body string, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// What passes is asked for again, each time with a signature of its own: after as long as the platform says, or longer each time.
func TestItAsksAgain(t *testing.T) {
	cut := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, `{"success":`)
	}
	for name, c := range map[string]struct {
		answers     []func(http.ResponseWriter)
		least, most []time.Duration
	}{
		"too often": {[]func(http.ResponseWriter){status(429, "{}", "Retry-After", "7"), status(429, "", "Retry-After", "0")},
			[]time.Duration{7 * time.Second, time.Second}, []time.Duration{7 * time.Second, time.Second}},
		"too often, until when": {[]func(http.ResponseWriter){status(429, "", "Retry-After", time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))},
			[]time.Duration{20 * time.Second}, []time.Duration{30 * time.Second}},
		"too often, and nothing said": {[]func(http.ResponseWriter){status(429, "")}, []time.Duration{500 * time.Millisecond}, []time.Duration{time.Second}},
		"a problem": {[]func(http.ResponseWriter){status(500, "oops"), status(502, ""), status(503, "", "Retry-After", "3")},
			[]time.Duration{500 * time.Millisecond, time.Second, 3 * time.Second}, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}},
		"half an answer": {[]func(http.ResponseWriter){cut}, []time.Duration{500 * time.Millisecond}, []time.Duration{time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, c.answers...)
			if got, err := p.client().Pull(t.Context()); err != nil || len(got.Numbers) != 4 {
				t.Error(got, err)
			}
			if len(p.waited) != len(c.least) || len(p.asked) != len(c.answers)+2 {
				t.Fatalf("waited %v, asked %v", p.waited, p.asked)
			}
			for i, d := range p.waited {
				if d < c.least[i] || d > c.most[i] {
					t.Errorf("waited %s, want %s to %s", d, c.least[i], c.most[i])
				}
			}
		})
	}
}

// What does not pass is said at once, or after some tries, and in words that help; never with the secret in them.
func TestItGivesUp(t *testing.T) {
	again := func(f func(http.ResponseWriter)) []func(http.ResponseWriter) {
		return []func(http.ResponseWriter){f, f, f, f, f, f}
	}
	once := func(f func(http.ResponseWriter)) []func(http.ResponseWriter) { return []func(http.ResponseWriter){f} }
	good := func(data string) func(http.ResponseWriter) {
		return status(200, `{"success":true,"code":"200","message":"requestSuccess","data":`+data+`}`)
	}
	large := func(w http.ResponseWriter) {
		for chunk := strings.Repeat(" ", 1<<20); ; {
			if _, err := w.Write([]byte(chunk)); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		answers []func(http.ResponseWriter)
		change  func(o *Options)
		tries   int
		want    string
	}{
		"a wrong secret": {nil, func(o *Options) { o.Secret = "wrong" }, 1, "it does not accept the key and the secret: sign error"},
		"a wrong key":    {nil, func(o *Options) { o.AppKey = "wrong" }, 1, "it does not accept the key and the secret: sign error"},
		"a clock that is off": {once(status(401, `{"success":false,"code":"401"}`, "Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))), nil, 1,
			"this machine's clock is 1h0m"},
		"always too often":  {again(status(429, "", "Retry-After", "60")), nil, mostTries, "it takes no more requests now"},
		"too long to wait":  {again(status(429, "", "Retry-After", "3600")), nil, 1, "it takes no more requests now"},
		"always a problem":  {again(status(500, "")), nil, mostTries, "it has a problem (HTTP 500)"},
		"a page":            {once(status(200, "<html>welcome</html>")), nil, 1, "something else than the documented envelope"},
		"nothing":           {once(status(200, "")), nil, 1, "something else than the documented envelope"},
		"no envelope":       {once(status(200, `{"displayNumberList":[]}`)), nil, 1, "code is missing"},
		"a refusal":         {once(status(200, `{"success":false,"code":"403","message":"no\npermission"}`)), nil, 1, "it refuses (code 403): no permission"},
		"no data":           {once(status(200, `{"success":true,"code":"200"}`)), nil, 1, "there is none"},
		"null":              {once(good("null")), nil, 1, "there is none"},
		"other data":        {once(good(`"x"`)), nil, 1, "its data is not what the document says"},
		"a list is missing": {once(good(`{"displayNumberList":[],"serviceNumberList":[]}`)), nil, 1, "one of the three lists is missing"},
		"no number":         {once(good(`{"displayNumberList":[{"callAbility":"x"}],"serviceNumberList":[],"sipNumberList":[]}`)), nil, 1, "x is no whole number"},
		"somewhere else":    {once(status(302, "", "Location", "https://example.invalid/")), nil, 1, "it answers HTTP 302"},
		"no such path":      {once(status(404, "")), nil, 1, "it answers HTTP 404"},
		"without end":       {once(large), nil, 1, "it answers more than 32 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, c.answers...)
			if c.change == nil {
				c.change = func(*Options) {}
			}
			got, err := p.client(c.change).Pull(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("%+v, %v, want %s", got, err, c.want)
			}
			if len(p.asked) != c.tries {
				t.Errorf("asked %d times", len(p.asked))
			}
		})
	}
}

// A platform that is away, or that answers slower than anybody waits, is said to be so; and who gives up is not kept.
func TestItIsAway(t *testing.T) {
	p := newPlatform(t)
	away := p.client()
	p.Close()
	if _, err := away.Pull(t.Context()); err == nil || !strings.Contains(err.Error(), "it can't be reached") || len(p.waited) != mostTries-1 {
		t.Error(err, p.waited)
	}
	end := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		<-end
	}))
	defer hangs.Close()
	defer close(end)
	slow := p.client(func(o *Options) { o.URL, o.Timeout = hangs.URL, 50*time.Millisecond })
	if _, err := slow.Pull(t.Context()); err == nil || !strings.Contains(err.Error(), "no whole answer within 50ms") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow.wait = func(context.Context, time.Duration) error { cancel(); return wait(ctx, time.Hour) }
	if _, err := slow.Pull(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNew(t *testing.T) {
	for _, o := range []Options{{}, {URL: "ftp://x", AppKey: "k", Secret: "s"}, {URL: "https://", AppKey: "k", Secret: "s"}, {URL: "https://x", Secret: "s"},
		{URL: "https://x", AppKey: "k"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v", o)
		}
	}
}

func TestE164(t *testing.T) {
	for text, want := range map[string]string{"+8617118230000": "+8617118230000", "008617118230000": "+8617118230000", "17118230000": "+8617118230000",
		"021-5186 0000": "+862151860000", "075512345678": "+8675512345678", "4001234567": "+864001234567", "8617118230000": "+8617118230000",
		"862151860000": "+862151860000", "+4930123456": "+4930123456", "9813": "", "95599": "", "51860000": "", "": "", "x": "", "12345678901": ""} {
		if got := e164(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
