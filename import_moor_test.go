package main

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// moorPool is what the 7moor API answers for an account's numbers.
type moorPool struct{ DisplayNumberList, ServiceNumberList, SipNumberList []map[string]any }

var nonces = 100_000

// moor asks the 7moor API as the account's application, signed as its document says.
func (p *process) moor(a provisioned, path string, data any) {
	p.Helper()
	nonces++
	key, stamp, nonce := a.Applications[0].AppKey, strconv.FormatInt(time.Now().Unix(), 10), strconv.Itoa(nonces)
	h := hmac.New(sha256.New, []byte(a.Applications[0].SecretKey))
	h.Write([]byte(key + stamp + nonce))
	status, text := p.do("POST", "/openapi/v1/call/query/"+path, "", "m7-appkey", key, "m7-timestamp", stamp, "m7-nonce", nonce,
		"m7-sign", base64.StdEncoding.EncodeToString(h.Sum(nil)), "Content-Type", "application/json")
	out := struct {
		Success bool
		Data    any
	}{Data: data}
	if err := json.Unmarshal([]byte(text), &out); err != nil || status != 200 || !out.Success {
		p.Fatalf("%d %s", status, text)
	}
}

// comparable is a pool without what is each server's own: ids, times, its keys, and where its telephones register.
func comparable(p moorPool) moorPool {
	for _, list := range [][]map[string]any{p.DisplayNumberList, p.ServiceNumberList, p.SipNumberList} {
		for _, row := range list {
			for _, name := range []string{"createTime", "updateTime", "account", "serverUrl", "uid"} {
				delete(row, name)
			}
			if row["password"] != nil {
				delete(row, "_id")
			}
			if groups, ok := row["group"].([]any); ok {
				for _, g := range groups {
					delete(g.(map[string]any), "_id")
				}
			}
		}
		slices.SortFunc(list, func(a, b map[string]any) int { return strings.Compare(a["number"].(string), b["number"].(string)) })
	}
	return p
}

// A pool is taken over from another instance of this program, as it would be from 7moor: `switchboard import moor`.
func TestImportMoor(t *testing.T) {
	source := startExchange(t)
	file := filepath.Join(t.TempDir(), "target.yml")
	check(t, os.WriteFile(file, []byte("accounts:\n  - {email: rides@example.com, password: correct horse battery, applications: [{name: rides}]}\n"+
		"  - {email: other@example.com, password: correct horse battery, numbers: [{number: \"+862151860001\"}], sipNumbers: [{number: \"1003\"}]}\n"), 0o600))
	data := t.TempDir()
	printed, err := command(t, "--data", data, "--json", "provision", file).Output()
	check(t, err)
	var there struct{ Accounts []provisioned }
	check(t, json.Unmarshal(printed, &there))
	app := source.accounts[0].Applications[0]
	run := func(secret, email string) (string, error) {
		c := command(t, "--data", data, "--moor-url", source.url, "--moor-app-key", app.AppKey, "--account", email, "import", "moor")
		c.Env = append(c.Env, "SWITCHBOARD_MOOR_SECRET="+secret) // not where everybody on this machine sees it
		out, err := c.CombinedOutput()
		if strings.Contains(string(out), secret) {
			t.Errorf("it prints the secret: %s", out)
		}
		return string(out), err
	}
	left := "not taken: number +862151860001: it belongs to another account of this server\nnot taken: telephone 1003: it belongs to another account of this server\n"
	for _, want := range []string{
		"numbers     3 new, 0 changed, 0 as they were\ngroups      1 new, 0 changed, 0 as they were\ntelephones  4 new, 0 changed, 0 as they were\n" + left,
		"numbers     0 new, 0 changed, 3 as they were\ngroups      0 new, 0 changed, 1 as they were\ntelephones  0 new, 0 changed, 4 as they were\n" + left,
	} {
		if out, err := run(app.SecretKey, "rides@example.com"); err != nil || !strings.HasSuffix(out, want) {
			t.Errorf("%s, %v, want %s", out, err, want)
		}
	}
	for _, c := range []struct{ secret, email, want string }{
		{"wrong", "rides@example.com", "it does not accept the key and the secret"}, {app.SecretKey, "nobody@example.com", "there is no account nobody@example.com"},
	} {
		if out, err := run(c.secret, c.email); err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s, %v, want %s", out, err, c.want)
		}
	}
	target := start(t, "--data", data)
	var theirs, ours moorPool
	var theirGroups, ourGroups []map[string]any
	source.moor(source.accounts[0], "number", &theirs)
	source.moor(source.accounts[0], "group", &theirGroups)
	target.moor(there.Accounts[0], "number", &ours)
	target.moor(there.Accounts[0], "group", &ourGroups)
	elsewhere := func(row map[string]any) bool { return row["number"] == "+862151860001" || row["number"] == "1003" }
	theirs.ServiceNumberList = slices.DeleteFunc(theirs.ServiceNumberList, elsewhere)
	theirs.SipNumberList = slices.DeleteFunc(theirs.SipNumberList, elsewhere)
	if a, b := comparable(theirs), comparable(ours); !reflect.DeepEqual(a, b) || len(a.DisplayNumberList) != 3 || len(a.SipNumberList) != 4 {
		t.Errorf("there\n%v\nhere\n%v", a, b)
	}
	if len(theirGroups) != 1 || len(ourGroups) != 1 || theirGroups[0]["name"] != ourGroups[0]["name"] {
		t.Errorf("there %v, here %v", theirGroups, ourGroups)
	}
}

// telephone is one that sends what a test writes.
type telephone struct {
	*testing.T
	conn           *net.UDPConn
	user, password string
	seq            int
}

var challenge = regexp.MustCompile(`(?m)^WWW-Authenticate: Digest (.*algorithm=MD5\b.*)\r$`)

// register sends a REGISTER and proves itself as it is asked to (RFC 3261 section 22, RFC 2617).
func (p *telephone) register(contact string, expires int) {
	p.Helper()
	answer := p.send(contact, expires, "")
	m := challenge.FindStringSubmatch(answer)
	if m == nil {
		p.Fatalf("no challenge: %s", answer)
	}
	word := func(name string) string {
		found := regexp.MustCompile(`\b` + name + `="([^"]*)"`).FindStringSubmatch(m[1])
		if found == nil {
			p.Fatalf("no %s: %s", name, answer)
		}
		return found[1]
	}
	hash := func(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }
	realm, nonce := word("realm"), word("nonce")
	response := hash(hash(p.user+":"+realm+":"+p.password) + ":" + nonce + ":00000001:c:auth:" + hash("REGISTER:sip:switchboard"))
	if answer = p.send(contact, expires, fmt.Sprintf(`Authorization: Digest username="%s", realm="%s", nonce="%s", uri="sip:switchboard", algorithm=MD5, `+
		`qop=auth, nc=00000001, cnonce="c", response="%s"`+"\r\n", p.user, realm, nonce, response)); !strings.HasPrefix(answer, "SIP/2.0 200 ") {
		p.Fatal(answer)
	}
}

func (p *telephone) send(contact string, expires int, more string) string {
	p.Helper()
	p.seq++
	_, err := fmt.Fprintf(p.conn, "REGISTER sip:switchboard SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%s@switchboard>;tag=a\r\nTo: <sip:%[3]s@switchboard>\r\nCall-ID: scripted\r\nCSeq: %[2]d REGISTER\r\nContact: <%[4]s>\r\nExpires: %[5]d\r\n"+
		"User-Agent: apple ar\r\n%[6]sContent-Length: 0\r\n\r\n", p.conn.LocalAddr(), p.seq, p.user, contact, expires, more)
	check(p.T, err)
	check(p.T, p.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	b := make([]byte, 64<<10)
	n, err := p.conn.Read(b)
	check(p.T, err)
	return string(b[:n])
}

// The SIP rows of the 7moor API follow a telephone's registration.
func TestMoorShowsRegistrations(t *testing.T) {
	x := startExchange(t)
	conn, err := net.Dial("udp", x.sip)
	check(t, err)
	defer conn.Close()
	p := &telephone{T: t, conn: conn.(*net.UDPConn), user: "2001", password: "pa55-word-2001"}
	row := func() string {
		var pool moorPool
		x.moor(x.accounts[0], "number", &pool)
		i := slices.IndexFunc(pool.SipNumberList, func(r map[string]any) bool { return r["number"] == p.user })
		r := pool.SipNumberList[i]
		if at, ok := r["registerTime"].(string); ok && at != "" {
			r["registerTime"] = "then"
			if when, err := time.ParseInLocation(time.DateTime, at, time.FixedZone("", 8*60*60)); err != nil || time.Since(when).Abs() > time.Minute {
				t.Errorf("registerTime %s: %v", at, err)
			}
		}
		return fmt.Sprintf("%v %q %q %q nat %v webrtc %v at %v", r["registerStatus"], r["registerDevice"], r["registerTime"], r["clientUrl"], r["isNAT"],
			r["isWebRtc"], r["serverUrl"])
	}
	here := conn.LocalAddr().String()
	steps := []struct {
		do   func()
		want string
	}{
		{func() {}, `0 "" "" "" nat false webrtc false`},
		{func() { p.register("sip:2001@"+here, 300) }, `1 "apple ar" "then" "` + here + `" nat false webrtc false`},
		{func() { p.register("sip:2001@"+here, 0) }, `0 "" "then" "" nat false webrtc false`},
		{func() { p.register("sip:2001@192.168.1.5:5060", 300) }, `1 "apple ar" "then" "` + here + `" nat true webrtc false`},
	}
	for i, step := range steps {
		step.do()
		if got := row(); got != step.want+" at "+x.sip {
			t.Errorf("%d: %s, want %s at %s", i, got, step.want, x.sip)
		}
	}
}
