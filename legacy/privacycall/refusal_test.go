package privacycall

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/house"
)

func TestEveryCodeHasAFlag(t *testing.T) {
	for _, code := range comms.Codes() {
		f := failureOf(&comms.Error{Code: code, Text: "text", Err: errors.New("the inside")})
		if f.flag < 100000 || f.status != http.StatusOK || f.text != "text" {
			t.Errorf("%s: %+v", code, f)
		}
		if f := failureOf(&comms.Error{Code: code, Field: "a field that has no line", Text: "text"}); f.flag != flags[fault{code: code}] {
			t.Errorf("%s: %+v", code, f)
		}
	}
	if f := failureOf(errors.New("the inside")); f.flag != flagInternal || f.text != "internal error" {
		t.Errorf("%+v", f)
	}
}

// refused is an answer with that code in the documented shape.
func (r reply) refused(flag int) bool {
	return r.StatusCode == http.StatusOK && r.Flag == flag && r.Msg != "" && r.CallIdentifier == "" &&
		r.Header.Get("Content-Type") == "application/json;charset=utf-8"
}

// signing is one way to sign a request.
type signing struct {
	text string // what is signed
	sig  string // instead of its signature; "-": none
	auth string // instead of its header; "-": none
	body string // instead of a good one
	want int
}

// Each thing that can be wrong with a signature, on both endpoints.
func TestSignatures(t *testing.T) {
	for path, good := range map[string]int{bindPath: flagOK, voicePath: flagNoCall} {
		onBoth(t, func(w *world) {
			body := `{"ACCOUNTSID":"` + w.rides.token + `","APPID":"` + w.rides.app + `","Caller":"18326000000","Callee":"18516000000","CallIdentifier":"x"}`
			for name, c := range w.signings(good) {
				sig, authorization := credentials(c.text)
				if c.sig == "lower" {
					c.sig = strings.ToLower(sig)
				}
				for of, to := range map[string]*string{c.sig: &sig, c.auth: &authorization} {
					if of == "-" {
						*to = ""
					} else if of != "" {
						*to = of
					}
				}
				if c.body == "" {
					c.body = body
				}
				got := w.do("POST", path+"?sig="+sig, c.body, "Authorization", authorization)
				if good == flagOK && c.want == flagOK {
					if got.Flag != flagOK {
						t.Errorf("%s: %s", name, got.body)
					}
				} else if !got.refused(c.want) {
					t.Errorf("%s, %s: %s, want %d", path, name, got.body, c.want)
				}
			}
			if n, err := w.store.Read().Mask.Query().Count(t.Context()); err != nil || (n == 1) != (good == flagOK) || n > 1 {
				t.Error(n, err)
			}
			for _, secret := range []string{w.rides.token, "18326000000"} {
				if strings.Contains(w.log.String(), secret) {
					t.Errorf("the log holds %s", secret)
				}
			}
		})
	}
}

// signings are the ways; those that are good get that answer.
func (w *world) signings(good int) map[string]signing {
	s, token, app := w.rides, w.rides.token, w.rides.app
	at := func(off time.Duration) string {
		return s.token + ":" + s.app + ":" + time.Now().UTC().Add(off).Format(stampLayout)
	}
	body := func(account, app string) string {
		return `{` + account + app + `"Caller":"18326000000","Callee":"18516000000","CallIdentifier":"x"}`
	}
	account, appID := `"ACCOUNTSID":"`+token+`",`, `"APPID":"`+app+`",`
	return map[string]signing{
		"no header":            {auth: "-", want: 101100},
		"blank header":         {auth: "  ", want: 101100},
		"not base64":           {auth: "a:b:c", want: 101101},
		"basic":                {auth: "Basic YTpiOmM=", want: 101101},
		"no parts":             {text: "hello", want: 101104},
		"two parts":            {text: token + ":" + app, want: 101104},
		"four parts":           {text: at(0) + ":1", want: 101104},
		"empty token":          {text: at(0)[len(token):], want: 101104},
		"empty application":    {text: token + "::20260101000000", want: 101104},
		"no time":              {text: token + ":" + app + ":", want: 101104},
		"no date":              {text: token + ":" + app + ":20261332000000", want: 101104},
		"a short time":         {text: token + ":" + app + ":2026010100000", want: 101104},
		"RFC 3339":             {text: token + ":" + app + ":20260101T00000", want: 101104},
		"not UTF-8":            {text: "\xff\xfe", want: 101104},
		"early":                {text: at(11 * time.Minute), want: 101106},
		"late":                 {text: at(-11 * time.Minute), want: 101106},
		"Tokyo's":              {text: at(9 * time.Hour), want: 101106},
		"no sig":               {text: at(-1 * time.Second), sig: "-", want: 101114},
		"another sig":          {text: at(-2 * time.Second), sig: strings.Repeat("0", 32), want: 101115},
		"lower case":           {text: at(-3 * time.Second), sig: "lower", want: 101115},
		"an unknown account":   {text: strings.Repeat("0", 32) + at(0)[32:], want: 101111},
		"another's token":      {text: w.theirs.token + at(0)[32:], want: 101111},
		"an unknown app":       {text: token + ":774e5e14a0874r725bfb90351f1e84f677:" + at(0)[66:], want: 101111},
		"another in the body":  {text: at(-4 * time.Second), body: body(`"ACCOUNTSID":"`+w.theirs.token+`",`, appID), want: 101115},
		"another app in it":    {text: at(-5 * time.Second), body: body(account, `"APPID":"`+w.theirs.app+`",`), want: 101115},
		"no account in it":     {text: at(-6 * time.Second), body: body("", appID), want: 101115},
		"no app in it":         {text: at(-7 * time.Second), body: body(account, ""), want: 101115},
		"null in it":           {text: at(-8 * time.Second), body: body(`"ACCOUNTSID":null,`, appID), want: 101115},
		"a list in it":         {text: at(-9 * time.Second), body: body(`"ACCOUNTSID":["`+token+`"],`, appID), want: 101115},
		"another letter case":  {text: at(-10 * time.Second), body: body(strings.ToLower(account), appID), want: 101115},
		"good":                 {text: at(-20 * time.Second), want: good},
		"good, but early":      {text: at(9 * time.Minute), want: good},
		"good, but late":       {text: at(-9 * time.Minute), want: good},
		"good in China's time": {text: at(8 * time.Hour), want: good},
		"without padding":      {text: at(-40 * time.Second), auth: base64.RawStdEncoding.EncodeToString([]byte(at(-40 * time.Second))), want: good},
	}
}

// A signature is good once, whatever became of the request, and of two at once exactly one is heard.
func TestReplays(t *testing.T) {
	onBoth(t, func(w *world) {
		text := w.rides.token + ":" + w.rides.app + ":" + w.stamp()
		sig, authorization := credentials(text)
		ask := func(caller string) reply {
			body := `{"ACCOUNTSID":"` + w.rides.token + `","APPID":"` + w.rides.app + `","Caller":"` + caller + `","Callee":"18516000000"}`
			return w.do("POST", bindPath+"?sig="+sig, body, "Authorization", authorization)
		}
		if got := ask("x"); !got.refused(flagBadNumber) {
			t.Error(got.body)
		}
		for _, header := range []string{authorization, strings.TrimRight(authorization, "="), " " + authorization} {
			authorization = header
			if got := ask("18326000000"); !got.refused(flagReplayed) {
				t.Errorf("%q: %s", header, got.body)
			}
		}
		sig, authorization = credentials(w.rides.token + ":" + w.rides.app + ":" + w.stamp())
		var mu sync.Mutex
		var all sync.WaitGroup
		flags := map[int]int{}
		for range 8 {
			all.Go(func() {
				got := ask("18326000000")
				mu.Lock()
				defer mu.Unlock()
				flags[got.Flag]++
			})
		}
		all.Wait()
		if flags[flagOK] != 1 || flags[flagReplayed] != 7 {
			t.Error(flags)
		}
	})
}

func TestOtherMethods(t *testing.T) {
	w := newWorld(t, house.SQLite(t), Options{})
	for _, path := range []string{bindPath, voicePath} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"} {
			got := w.do(method, path+"?sig=x", "")
			if got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "POST" || method != "HEAD" && got.Flag != flagMissing {
				t.Errorf("%s %s: %d %s", method, path, got.StatusCode, got.body)
			}
		}
	}
	for _, path := range []string{"/20171220/", "/20171220/bind", bindPath + "/", "/20171220/bind/callEvent/V1"} {
		if got := w.do("POST", path, ""); got.StatusCode != http.StatusNotFound || got.Flag != flagMissing {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	onBoth(t, func(w *world) {
		s := w.rides
		in := `"ACCOUNTSID":"` + s.token + `","APPID":"` + s.app + `"`
		for name, c := range map[string]struct {
			body   string
			status int
		}{
			"empty": {"", 200}, "no JSON": {"hello", 200}, "cut": {`{"ACCOUNTSID":"a`, 200}, "array": {`[{}]`, 200}, "null": {`null`, 200}, "two": {`{} {}`, 200},
			"trailing": {`{` + in + `}x`, 200}, "names twice": {`{` + in + `,"APPID":"` + s.app + `"}`, 200}, "not UTF-8": {"{" + in + ",\"Caller\":\"\xff\"}", 200},
			"deep":  {`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, 200},
			"large": {`{` + in + strings.Repeat(" ", maxBody) + `}`, 413},
			"huge":  {`{` + in + strings.Repeat(" ", 16<<20) + `}`, 413},
		} {
			for _, path := range []string{bindPath, voicePath} {
				if got := w.raw(s, path, c.body); got.StatusCode != c.status || got.Flag != flagMissing || got.Msg == "" {
					t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
				}
			}
		}
	})
}
