package main

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchboard/internal/house/peers"
)

// exchange is the program with what docs/provision.example.yml asks for, and telephones that nobody here wrote.
type exchange struct {
	*process
	sip      string // host:port
	tls      string
	accounts []provisioned
}

// provisioned is what `switchboard provision --json` prints of an account.
type provisioned struct {
	Email, ApiKey string
	Applications  []struct{ Name, AccountToken, AppID, AppKey, SecretKey string }
	Numbers       []struct{ Number, ID string }
	SipNumbers    []struct{ Number, Password string }
}

var atSIP = regexp.MustCompile(`SIP\s+(127\.0\.0\.1:\d+) \(UDP, TCP\), (127\.0\.0\.1:\d+) \(TLS\)`)

func startExchange(t *testing.T, args ...string) *exchange {
	t.Helper()
	data := t.TempDir()
	args = append([]string{"--data", data, "--no-throttle"}, args...)
	out, err := command(t, append(args, "--json", "provision", provisionFile(t))...).Output()
	check(t, err)
	x := &exchange{process: start(t, args...)}
	var printed struct{ Accounts []provisioned }
	check(t, json.Unmarshal(out, &printed))
	x.accounts = printed.Accounts
	m := atSIP.FindStringSubmatch(x.welcome)
	if m == nil {
		t.Fatalf("it does not say where SIP is:\n%s", x.welcome)
	}
	x.sip, x.tls = m[1], m[2]
	return x
}

// provisionFile is the example of the documentation.
func provisionFile(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("docs", "provision.example.yml"))
	check(t, err)
	return path
}

// phone starts a telephone of the first account.
func (x *exchange) phone(number string, tone float64, change ...func(*peers.PhoneOptions)) *peers.Phone {
	x.Helper()
	o := peers.PhoneOptions{User: number, Server: x.sip, Tone: tone}
	for _, p := range x.accounts[0].SipNumbers {
		if p.Number == number {
			o.Password = p.Password
		}
	}
	for _, c := range change {
		c(&o)
	}
	return peers.StartPhone(x.T, o)
}

func waits(o *peers.PhoneOptions) { o.Manual = true }

// privacy asks the privacy-call API, signed as its document says.
func (x *exchange) privacy(path string, body map[string]string) map[string]any {
	x.Helper()
	app := x.accounts[0].Applications[0]
	signed := app.AccountToken + ":" + app.AppID + ":" + nextSecond()
	body["ACCOUNTSID"], body["APPID"] = app.AccountToken, app.AppID
	text, err := json.Marshal(body)
	check(x.T, err)
	status, answer := x.do("POST", "/20171220/bind/callEvent"+path+"?sig="+fmt.Sprintf("%X", md5.Sum([]byte(signed))), string(text),
		"Content-Type", "application/json;charset=utf-8", "Authorization", base64.StdEncoding.EncodeToString([]byte(signed)))
	var out map[string]any
	if err := json.Unmarshal([]byte(answer), &out); err != nil || status != http.StatusOK {
		x.Fatalf("%d %s", status, answer)
	}
	return out
}

var seconds int

// nextSecond is a time stamp that was not used before: a signature is good for one request.
func nextSecond() string {
	seconds++
	return time.Now().UTC().Add(-5*time.Minute + time.Duration(seconds)*time.Second).Format("20060102150405")
}

// outcomes are what became of the latest calls, newest first.
func (x *exchange) outcomes() (out []string) {
	x.Helper()
	var answer struct {
		Data struct {
			Calls struct {
				Nodes []struct{ Status, Outcome, Peer string }
			}
		}
	}
	_, text := x.do("POST", "/query", `{"query":"{ calls(first: 10) { nodes { status outcome peer } } }"}`, "Content-Type", "application/json",
		"X-API-Key", x.accounts[0].ApiKey)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || strings.Contains(text, `"errors"`) {
		x.Fatal(text)
	}
	for _, c := range answer.Data.Calls.Nodes {
		out = append(out, c.Status+" "+c.Outcome+" "+c.Peer)
	}
	return out
}

// eventually asks until the answer is good.
func (x *exchange) eventually(what string, good func() bool) {
	x.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(peers.Patience); time.Now().Before(deadline); <-tick.C {
		if good() {
			return
		}
	}
	x.Fatalf("%s: not within %s; calls: %q", what, peers.Patience, x.outcomes())
}

// Two people and a number between them: the documented API rings one and then the other, both see the number alone, each hears the other,
// the recording keeps them apart, and who is called can call back.
func TestAMaskedCallBetweenTwoPhones(t *testing.T) {
	x := startExchange(t)
	const a, b, masked = "13800000001", "13800000002", "17118230000"
	one, two := x.phone("1001", 440), x.phone("1002", 1000, waits)
	bound := x.privacy("/v1", map[string]string{"Caller": a, "Callee": b, "VirtualNum": masked, "EndMinute": "25"})
	if bound["Flag"] != float64(1) || bound["Msg"] != "86"+masked {
		t.Fatal(bound)
	}
	one.Wait("CALL_ESTABLISHED")
	rings := two.Wait("CALL_INCOMING")
	if !strings.Contains(rings.Peer, masked) {
		t.Errorf("B sees %q", rings.Peer)
	}
	two.Answer()
	two.Wait("CALL_ESTABLISHED")
	one.Hear(2 * time.Second)
	two.Hear(2 * time.Second)
	two.HangUp()
	one.Wait("CALL_CLOSED")
	hears(t, "A", one.Heard(), 1000, 440)
	hears(t, "B", two.Heard(), 440, 1000)

	var voice map[string]any
	x.eventually("the recording", func() bool {
		voice = x.privacy("/voice/v1", map[string]string{"CallIdentifier": bound["CallIdentifier"].(string)})
		return voice["Flag"] == float64(1)
	})
	res, err := http.Get(voice["Msg"].(string))
	check(t, err)
	defer res.Body.Close()
	sides := peers.Channels(t, readAll(t, res.Body))
	if len(sides) != 2 {
		t.Fatalf("%d channels", len(sides))
	}
	hears(t, "the recording's left side", sides[0], 440, 1000)
	hears(t, "the recording's right side", sides[1], 1000, 440)

	two.Dial(masked)
	if e := one.Wait("CALL_ESTABLISHED"); !strings.Contains(e.Peer, masked) {
		t.Errorf("A sees %q", e.Peer)
	}
	two.Wait("CALL_ESTABLISHED")
	two.HangUp()
	one.Wait("CALL_CLOSED")

	three := x.phone("1003", 700)
	three.Dial(masked)
	three.Wait("CALL_CLOSED")
	x.eventually("a stranger's call is blocked", func() bool {
		calls := x.outcomes()
		return len(calls) == 3 && strings.HasPrefix(calls[0], "ENDED BLOCKED") && strings.HasPrefix(calls[1], "ENDED ANSWERED")
	})
	keepsFrom(t, "A", one.Log(), b, "1002")
	keepsFrom(t, "B", two.Log(), a, "1001")
}

func readAll(t *testing.T, r interface{ Read([]byte) (int, error) }) []byte {
	t.Helper()
	var b strings.Builder
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Read(buffer)
		b.Write(buffer[:n])
		if err != nil {
			return []byte(b.String())
		}
	}
}

// hears tells whether a sound is the one tone and not the other.
func hears(t *testing.T, who string, sound []int16, hz, not float64) {
	t.Helper()
	loud := peers.Loud(sound)
	share, other := peers.Share(loud, hz), peers.Share(loud, not)
	if len(loud) < 8000 || share < .7 || other > .05 {
		t.Errorf("%s: %.1f s, %.2f of it at %.0f Hz and %.2f at %.0f Hz", who, float64(len(loud))/8000, share, hz, other, not)
	}
}

// keepsFrom reads every byte that a telephone was sent and printed.
func keepsFrom(t *testing.T, who, log string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("%s can read %q: …%s…", who, secret, log[max(0, i-200):min(len(log), i+200)])
		}
	}
}

// A wrong password registers nobody, and the right one does.
func TestAPhoneWithAWrongPassword(t *testing.T) {
	x := startExchange(t)
	wrong := peers.NewPhone(t, peers.PhoneOptions{User: "1001", Password: "not its password", Server: x.sip, Tone: 440})
	wrong.Await("it is refused", func() bool {
		return strings.Contains(wrong.Log(), "SIP/2.0 401") || strings.Contains(wrong.Log(), "SIP/2.0 403")
	})
	x.phone("1001", 440)
}

func encrypted(x *exchange) func(*peers.PhoneOptions) {
	return func(o *peers.PhoneOptions) { o.Server, o.Transport, o.Encrypted = x.tls, "tls", true }
}

// A telephone that speaks only TLS and SRTP, and one that speaks neither; then one that has PCMA alone and one that has PCMU alone.
func TestPhonesThatHaveLittleInCommon(t *testing.T) {
	x := startExchange(t)
	plain := x.phone("1001", 440, func(o *peers.PhoneOptions) { o.Codec = "PCMU" })
	secret := x.phone("1002", 1000, encrypted(x))
	alaw := x.phone("1003", 700, func(o *peers.PhoneOptions) { o.Codec, o.Transport = "PCMA", "tcp" })
	plain.Dial("13800000002")
	plain.Hear(2 * time.Second)
	secret.Hear(2 * time.Second)
	plain.End()
	secret.Wait("CALL_CLOSED")
	hears(t, "the plain one", plain.Heard(), 1000, 440)
	hears(t, "the encrypted one", secret.Heard(), 440, 1000)

	alaw.Dial("13800000001")
	alaw.Hear(2 * time.Second)
	alaw.HangUp()
	plain.Wait("CALL_CLOSED")
	hears(t, "the one with PCMA", alaw.Heard(), 440, 700)
}

// Hold, resume and digits go through; digits come from the test world too.
func TestHoldAndDigits(t *testing.T) {
	x := startExchange(t)
	one, two := x.phone("1001", 440), x.phone("1002", 1000)
	one.Dial("13800000002")
	one.Hear(time.Second)
	one.Hold()
	one.Wait("CALL_REMOTE_SDP")
	one.Resume()
	one.Wait("CALL_REMOTE_SDP")
	one.Press("7")
	if e := two.Wait("CALL_DTMF_START"); e.Param != "7" {
		t.Errorf("pressed 7, got %+v", e)
	}
	two.End()
	one.Wait("CALL_CLOSED")

	one.Dial("+999000000008")
	got := ""
	for range 12 {
		got += one.Wait("CALL_DTMF_START").Param
	}
	if got != "0123456789*#" {
		t.Errorf("the test world sent %q", got)
	}
	one.HangUp()
}

// Every number of the test world keeps its rule, through a real telephone.
func TestTheTestWorld(t *testing.T) {
	x := startExchange(t)
	p := x.phone("1001", 440)
	p.Dial("+999000000001")
	p.Hear(2 * time.Second)
	p.End()
	hears(t, "the caller of the echo", p.Heard(), 440, 1000)
	for number, says := range map[string]string{"+999000000003": "486", "+999000000005": "603", "+999000000006": "404"} {
		p.Dial(number)
		if e := p.Wait("CALL_CLOSED"); !strings.Contains(e.Param, says) {
			t.Errorf("%s: %+v", number, e)
		}
	}
	p.Dial("+999000000004")
	p.Wait("CALL_RINGING")
	p.End()
	p.Dial("+999000000002")
	p.Wait("CALL_ESTABLISHED")
	p.Wait("CALL_CLOSED") // it hangs up by itself
	p.Dial("+999000000007")
	p.Wait("CALL_RINGING")
	p.Wait("CALL_ESTABLISHED")
	p.End()
	p.Dial("+999000000009")
	p.Wait("CALL_ESTABLISHED")
	p.Wait("CALL_CLOSED")
	if heard := peers.Loud(p.Heard()); len(heard) < 8000 {
		t.Errorf("it spoke for %d samples", len(heard))
	}
}

// Whoever rings a number that nobody takes, is busy or gives up leaves a notice of a missed call, told once.
func TestMissedCalls(t *testing.T) {
	x := startExchange(t)
	one, desk := x.phone("1001", 440), x.phone("2000", 1000, waits)
	one.Dial("02151860000")
	desk.Wait("CALL_INCOMING")
	one.HangUp()
	desk.Wait("CALL_CLOSED")
	x.ends("CANCELLED", 1)
	_, text := x.do("POST", "/message", fmt.Sprintf(`{"req":"get","uuid":["%s"]}`, x.number("+862151860000")))
	if !strings.Contains(text, `"uri":"missed.call"`) || !strings.Contains(text, `"caller":"+8613800000001"`) {
		t.Error(text)
	}
	_, again := x.do("POST", "/message", fmt.Sprintf(`{"req":"get","uuid":["%s"]}`, x.number("+862151860000")))
	if strings.Contains(again, "missed.call") {
		t.Error("the same notice again:", again)
	}
	one.Dial("02151860000")
	desk.Wait("CALL_INCOMING")
	desk.HangUp() // it declines
	one.Wait("CALL_CLOSED")
	x.eventually("the second call has ended", func() bool { return len(x.outcomes()) == 2 && strings.HasPrefix(x.outcomes()[0], "ENDED") })
}
