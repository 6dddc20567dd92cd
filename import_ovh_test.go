package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/house"
	"switchboard/providers/ovh/ovhtest"
)

// customer is the story of an OVH customer whose calls are imported by a program that is killed.
type customer struct {
	*testing.T
	ovh     *ovhtest.Server
	args    []string
	details atomic.Int64 // calls that OVH was asked for
}

const (
	imported  = 1200 // the customer's calls
	ovhLine   = "0033972000001"
	killedAt  = 450
	cutAt     = 900
	mostAgain = 2 * 104 // what was fetched and not stored when the program was cut off: a batch, and what was under way, each time
)

// An import that is killed, and another that is cut off: in the end each call is there once, and few were asked for twice.
func TestImportKilled(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { importKilled(t) })
	t.Run("postgres", func(t *testing.T) { importKilled(t, "--database", house.Postgres(t)) })
}

func importKilled(t *testing.T, args ...string) {
	c := &customer{T: t, ovh: ovhtest.New(t)}
	c.args = append(args, "--no-throttle", "--data", t.TempDir(), "--ovh-endpoint", c.ovh.Endpoint, "--ovh-application-key", ovhtest.ApplicationKey,
		"--ovh-application-secret", ovhtest.ApplicationSecret)
	c.furnish()
	p := start(t, c.args...)
	killed := c.breakAt(killedAt, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	session := c.link(p)
	<-killed
	p.kill()
	c.byHand("another process imports it now", true) // the dead one's lease has not ended

	p = start(t, c.args...)
	cut := c.breakAt(cutAt, func(w http.ResponseWriter, _ *http.Request) { ovhtest.Refuse(w, 503, "UNAVAILABLE", "Maintenance") })
	<-cut
	c.wait(p, session, "UNREACHABLE")
	c.ovh.Break(c.count)
	c.byHand(fmt.Sprintf("ovh aa1-ovh: %d new of", imported-c.there(p, session)), false)
	if n := c.there(p, session); n != imported {
		t.Errorf("%d records of %d", n, imported)
	}
	if n := c.details.Load(); n > imported+mostAgain+10 {
		t.Errorf("%d calls were asked for to import %d", n, imported)
	}
	c.ovh.Withdraw("aa1-ovh", true)
	c.byHand("WITHDRAWN", true)
	if code := p.stop(os.Interrupt); code != 0 || strings.Contains(p.log.String(), "DATA RACE") || strings.Contains(p.log.String(), "972000001") {
		t.Errorf("exit code %d\n%s", code, p.log)
	}
}

// furnish makes the account, and the customer with his calls.
func (c *customer) furnish() {
	file := filepath.Join(c.TempDir(), "accounts.yml")
	if err := os.WriteFile(file, []byte("accounts:\n  - email: alice@example.com\n    password: correct horse\n"), 0o600); err != nil {
		c.Fatal(err)
	}
	if out, err := command(c.T, append([]string{"provision", file}, c.args...)...).CombinedOutput(); err != nil {
		c.Fatalf("%v: %s", err, out)
	}
	calls := map[int64]ovhtest.Consumption{}
	for i := range int64(imported) {
		calls[i] = ovhtest.Consumption{ConsumptionID: i, Calling: "0033612345678", Called: ovhLine, Dialed: ovhLine, WayType: "incoming", HangupNature: "Normal call clearing",
			CreationDatetime: time.Now().Add(-time.Duration(i) * time.Minute), Duration: i}
	}
	c.ovh.Add(&ovhtest.Customer{Nichandle: "aa1-ovh", Accounts: map[string]*ovhtest.BillingAccount{
		"nr7-ovh-1": {Services: map[string]map[int64]ovhtest.Consumption{ovhLine: calls}}}})
}

func (c *customer) count(_ http.ResponseWriter, r *http.Request) bool {
	if strings.Contains(r.URL.Path, "/voiceConsumption/") {
		c.details.Add(1)
	}
	return false
}

// breakAt has OVH stop answering at so many calls that were asked for in all; what it answered before counts. Once it has, reached is closed.
func (c *customer) breakAt(n int64, answer http.HandlerFunc) (reached chan struct{}) {
	reached = make(chan struct{})
	var once atomic.Bool
	c.ovh.Break(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/voiceConsumption/") || c.details.Add(1) < n {
			return false
		}
		if once.CompareAndSwap(false, true) {
			close(reached)
		}
		answer(w, r)
		return true
	})
	return reached
}

// link links the account as the document does, and answers the header that configures it.
func (c *customer) link(p *process) (session []string) {
	_, text := p.do("POST", "/auth/login", `{"user":"alice@example.com","password":"correct horse"}`)
	jwt := regexp.MustCompile(`"accessToken":"([^"]+)"`).FindStringSubmatch(text)
	if jwt == nil {
		c.Fatal("no login: ", text)
	}
	session = []string{"Authorization", "Bearer " + jwt[1]}
	status, text := p.do("POST", "/ovh/add", "", session...)
	page := regexp.MustCompile(`^{"goto":"([^"]+)"}$`).FindStringSubmatch(strings.TrimSpace(text))
	if page == nil {
		c.Fatal(status, text)
	}
	if status, text := p.do("GET", strings.TrimPrefix(c.ovh.Credential(page[1]).Redirection, p.url), ""); status != 403 {
		c.Errorf("before the consent: %d %s", status, text)
	}
	back := c.ovh.Consent(page[1], "aa1-ovh")
	if status, text := p.do("GET", strings.TrimPrefix(back, p.url), ""); status != 200 {
		c.Errorf("after the consent: %d %s", status, text)
	}
	return session
}

// byHand runs `switchboard import ovh` and looks for what it prints.
func (c *customer) byHand(want string, fails bool) {
	c.Helper()
	out, err := command(c.T, append([]string{"import", "ovh", "--account", "alice@example.com"}, c.args...)...).CombinedOutput()
	if (err != nil) != fails || !strings.Contains(string(out), want) || strings.Contains(string(out), "972000001") {
		c.Errorf("import ovh: %v\n%s\nwant %s", err, out, want)
	}
}

// there is how many records the account has.
func (c *customer) there(p *process, session []string) int {
	c.Helper()
	var answer struct {
		Data struct {
			CallRecords struct{ TotalCount int }
		}
	}
	p.ask(strings.TrimPrefix(session[1], "Bearer "), `{ callRecords(first: 1) { totalCount } }`, &answer)
	return answer.Data.CallRecords.TotalCount
}

// wait waits until the account's link has a problem.
func (c *customer) wait(p *process, session []string, problem string) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var answer struct {
			Data struct {
				CarrierLinks struct{ Nodes []struct{ Problem string } }
			}
		}
		p.ask(strings.TrimPrefix(session[1], "Bearer "), `{ carrierLinks { nodes { problem } } }`, &answer)
		if nodes := answer.Data.CarrierLinks.Nodes; len(nodes) == 1 && nodes[0].Problem == problem {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.Fatalf("the link does not say %s\n%s", problem, p.log)
		}
	}
}

// On a terminal there is a bar and then the result; where lines are kept, lines.
func TestProgressOfImports(t *testing.T) {
	link := func(node string, done, added int, problem string) *comms.CarrierLink {
		return &comms.CarrierLink{Carrier: "ovh", Identity: "aa1-ovh", Node: node, Done: done, Total: 200, Added: added, Problem: problem}
	}
	steps := []*comms.CarrierLink{link("n", 0, 0, ""), link("n", 100, 90, ""), link("n", 200, 180, ""), link("", 200, 180, "")}
	for terminal, want := range map[bool]string{true: `(?s)^.*\rovh aa1-ovh .*\(0/200, .*\rovh aa1-ovh: 180 new of 200 records\n$`,
		false: `^ovh aa1-ovh: 0 of 200 records\novh aa1-ovh: 180 new of 200 records\n$`} {
		var out strings.Builder
		p := progress{out: &out, terminal: terminal}
		for _, step := range steps {
			p.show(step) // so fast that the bar, which is drawn ten times a second, is drawn once
		}
		p.close()
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("terminal %v: %q", terminal, out.String())
		}
	}
	var out strings.Builder
	p := progress{out: &out}
	p.show(link("", 150, 140, "LIMITED"))
	if got := out.String(); got != "ovh aa1-ovh: 140 new of 150 records, then LIMITED\n" {
		t.Errorf("%q", got)
	}
}
