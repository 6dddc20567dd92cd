package carrier_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/ent/carrierlink"
	"switchboard/providers/ovh"
	"switchboard/providers/ovh/ovhtest"
)

// at breaks whatever is asked for under a path that ends so.
func at(end string, answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, end) {
			return false
		}
		answer(w, r)
		return true
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = w.Write([]byte(body)) }
}

func refuses(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { ovhtest.Refuse(w, status, code, message) }
}

func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func limits(after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		ovhtest.Refuse(w, 429, "TOO_MANY_REQUESTS", "Too many requests")
	}
}

const minute = time.Minute

// breaks are the ways in which OVH can fail, what the account sees of each, and when it is tried again: after that, and up to half as long again.
var breaks = map[string]struct {
	end     string
	answer  http.HandlerFunc
	problem carrier.Problem
	from    time.Duration
}{
	"no clock":               {"/auth/time", says(500, "oops"), carrier.ProblemUnreachable, minute},
	"a clock that is none":   {"/auth/time", says(200, `"noon"`), carrier.ProblemNonsense, minute},
	"a clock of nothing":     {"/auth/time", says(200, ``), carrier.ProblemNonsense, minute},
	"limited at once":        {"/auth/time", limits("100"), carrier.ProblemLimited, 100 * time.Second},
	"slow at once":           {"/auth/time", hangs, carrier.ProblemSlow, minute},
	"down":                   {"/telephony", says(503, "<html>maintenance"), carrier.ProblemUnreachable, minute},
	"limited":                {"/telephony", limits("120"), carrier.ProblemLimited, 2 * minute},
	"limited until":          {"/telephony", limits(time.Now().Add(10 * minute).UTC().Format(http.TimeFormat)), carrier.ProblemLimited, 10 * minute},
	"limited for ever":       {"/telephony", limits("9999999"), carrier.ProblemLimited, 24 * time.Hour},
	"limited without a time": {"/voiceConsumption", limits(""), carrier.ProblemLimited, minute},
	"slow":                   {"/voiceConsumption", hangs, carrier.ProblemSlow, minute},
	"html":                   {"/telephony", says(200, "<html>welcome"), carrier.ProblemNonsense, minute},
	"another type":           {"/telephony", says(200, `{"a":1}`), carrier.ProblemNonsense, minute},
	"names that are none":    {"/telephony", says(200, `["", null]`), carrier.ProblemNonsense, minute},
	"ids that are none":      {"/voiceConsumption", says(200, `["../me", {}, -1, 1.5]`), carrier.ProblemNonsense, minute},
	"no customer":            {"/me", says(200, `{}`), carrier.ProblemNonsense, minute},
	"no state":               {"/auth/currentCredential", says(200, `{"status":"fine"}`), carrier.ProblemNonsense, minute},
	"a redirection":          {"/telephony", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/1.0/me", http.StatusFound) }, carrier.ProblemNonsense, minute},
	"huge":                   {"/telephony", huge, carrier.ProblemNonsense, minute},
	"not granted":            {"/service", refuses(403, "NOT_GRANTED_CALL", "This call has not been granted"), carrier.ProblemRefused, minute},
	"unknown application":    {"/me", refuses(403, "INVALID_KEY", "This application key is invalid"), carrier.ProblemRefused, minute},
	"wrong signature":        {"/telephony", refuses(400, "INVALID_SIGNATURE", "Invalid signature"), carrier.ProblemRefused, minute},
	"late":                   {"/telephony", refuses(400, "QUERY_TIME_OUT", "Query out of time"), carrier.ProblemSlow, minute},
	"somebody else's key":    {"/me", says(200, `{"nichandle":"rr2-ovh"}`), carrier.ProblemWithdrawn, 0},
}

// The account sees a word for each, and when it is tried again; mended, all is well.
func TestTrouble(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 3)
		link := o.link(o.alice, "aa1-ovh")
		s, impatient := o.process(carrier.Options{}, ovh.Options{Patience: -1}), o.process(carrier.Options{}, ovh.Options{Timeout: 300 * time.Millisecond})
		for name, c := range breaks {
			o.Log(name)
			o.ovh.Break(at(c.end, c.answer))
			by := s
			if strings.HasPrefix(name, "slow") {
				by = impatient
			}
			if err := o.importNow(by); err == nil {
				o.Errorf("%s: imported", name)
			}
			row := o.reread(link)
			if row.Problem != string(c.problem) || carrier.Importing(row) || row.Tries != 1 {
				o.Errorf("%s: %q after %d tries", name, row.Problem, row.Tries)
			}
			if c.from > 0 {
				if wait := time.Until(row.NextAt.Time()); wait < c.from*9/10-10*time.Second || wait > c.from*3/2+time.Minute {
					o.Errorf("%s: again in %s", name, wait)
				}
			}
			o.ovh.Break(nil)
			o.link(o.alice, "aa1-ovh") // consenting anew begins anew
			o.must(o.importNow(s))
			if row := o.reread(link); row.Problem != "" || row.Tries != 0 || row.State != carrierlink.StateActive {
				o.Errorf("%s: mended, it is %+v", name, row)
			}
		}
		if n := len(o.records(o.alice)); n != 3 {
			o.Errorf("%d records", n)
		}
	})
}

func huge(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte(`["`))
	line := []byte(strings.Repeat("x", 1<<20))
	for range 5 {
		if _, err := w.Write(line); err != nil {
			return
		}
	}
}

func TestUnreachable(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		link := o.link(o.alice, "aa1-ovh")
		s := o.process(carrier.Options{}, ovh.Options{Endpoint: "http://127.0.0.1:1/1.0"})
		for tries := 1; tries <= 4; tries++ {
			if err := o.importNow(s); err == nil {
				o.Error("imported from nowhere")
			}
			row, least := o.reread(link), time.Minute<<(tries-1)
			wait := time.Until(row.NextAt.Time())
			if row.Problem != "UNREACHABLE" || row.Tries != tries || wait < least-5*time.Second || wait > least*3/2 {
				o.Errorf("after %d: %s, %d tries, again in %s", tries, row.Problem, row.Tries, wait)
			}
		}
	})
}

// Consent that was taken back: the link says so, the log tells of it once, and OVH is not asked again until there is a new one.
func TestWithdrawn(t *testing.T) {
	for name, forget := range map[string]bool{"expired": false, "forgotten": true} {
		t.Run(name, func(t *testing.T) {
			officesOnBoth(t, func(o *office) {
				o.calls("aa1-ovh", desk, 2)
				link := o.link(o.alice, "aa1-ovh")
				o.must(o.importNow(o.links))
				o.ovh.Withdraw("aa1-ovh", forget)
				_, err := o.links.ImportRecords(o.alice, link.ID)
				o.must(err)
				o.running(o.links)
				o.until("the link says so", func() bool { return o.reread(link).State == carrierlink.StateWithdrawn })
				row := o.reread(link)
				if row.Problem != "WITHDRAWN" || row.NextAt != nil || carrier.Importing(row) {
					o.Errorf("withdrawn: %+v", row)
				}
				kinds := o.kinds(o.alice)
				if n := slices.Index(kinds, "carrier.withdrawn"); n != len(kinds)-1 {
					o.Errorf("told %q", kinds)
				}
				asked := o.ovh.Asked("")
				_, err = o.links.ImportRecords(o.alice, link.ID)
				wants(o, err, comms.Conflict, comms.ReasonNotConsented)
				if err := o.importNow(o.links); err == nil || !strings.Contains(err.Error(), "linked again") || o.ovh.Asked("") != asked {
					o.Errorf("asked again: %v", err)
				}
				o.calls("aa1-ovh", desk, 5)
				if again := o.link(o.alice, "aa1-ovh"); again.ID != link.ID {
					o.Error("a link beside the one that was withdrawn")
				}
				o.until("it goes on", func() bool { return len(o.records(o.alice)) == 5 })
			})
		})
	}
}

// One record, one line or one billing account that makes no sense costs nothing else.
func TestNonsenseCostsNothingElse(t *testing.T) {
	when := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	good := `{"consumptionId":%d,"calling":"0033612345678","called":"0033972000001","creationDatetime":"` + when + `","duration":1,"wayType":"incoming"}`
	bad := []string{`{}`, `null`, `[]`, `"x"`, `<html>`, `{"consumptionId":1`, strings.Replace(good, `"duration":1`, `"duration":-1`, 1),
		strings.Replace(good, `"duration":1`, `"duration":99999999999999999999`, 1), strings.Replace(good, `"duration":1`, `"duration":864000`, 1),
		strings.Replace(good, `"duration":1`, `"duration":"long"`, 1), strings.Replace(good, `"duration":1`, `"duration":1.5`, 1),
		strings.Replace(good, `,"duration":1`, ``, 1), strings.Replace(good, `"duration":1`, `"duration":null`, 1),
		strings.Replace(good, `incoming`, `sideways`, 1), strings.Replace(good, `,"wayType":"incoming"`, ``, 1), strings.Replace(good, when, `yesterday`, 1),
		strings.Replace(good, when, `1970-01-01T00:00:00Z`, 1), strings.Replace(good, when, `2999-01-01T00:00:00Z`, 1), strings.Replace(good, `,"called":"0033972000001"`, ``, 1),
		strings.Replace(good, `"0033972000001"`, `{}`, 1), `{"consumptionId":99999` + good[len(`{"consumptionId":%d`):], strings.Repeat(" ", 1<<20) + good}
	officesOnBoth(t, func(o *office) {
		calls := map[int64]ovhtest.Consumption{}
		for i, raw := range append(bad, good, strings.Replace(good, "0033612345678", strings.Repeat("9", 300), 1)) {
			if strings.Contains(raw, "%d") {
				raw = fmt.Sprintf(raw, i)
			}
			calls[int64(i)] = ovhtest.Consumption{Raw: raw}
		}
		o.serve("aa1-ovh", desk, calls)
		o.calls("aa1-ovh", shop, 2)
		o.calls("aa1-ovh", "0033972000008", 1)
		o.calls("aa1-ovh", "0033972000009", 1)
		o.ovh.Change(func() {
			o.ovh.Customer("aa1-ovh").Accounts["broken-ovh-1"] = &ovhtest.BillingAccount{}
		})
		o.ovh.Break(func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case strings.Contains(r.URL.Path, "0033972000008"):
				says(200, "<html>welcome")(w, r)
			case strings.Contains(r.URL.Path, "0033972000009"):
				says(500, `{"message":"Internal server error"}`)(w, r)
			case strings.Contains(r.URL.Path, "broken-ovh-1"):
				says(200, `7`)(w, r)
			default:
				return false
			}
			return true
		})
		link := o.link(o.alice, "aa1-ovh")
		if err := o.importNow(o.links); err == nil {
			o.Error("nothing was wrong")
		}
		if row := o.reread(link); row.Problem != "NONSENSE" && row.Problem != "UNREACHABLE" || row.Added != 4 || row.Tries != 1 {
			o.Errorf("after it: %+v", row)
		}
		if got := o.records(o.alice); len(got) != 4 {
			o.Errorf("records %q", got)
		}
		o.ovh.Break(nil)
		o.must(o.importNow(o.links))
		if got := o.records(o.alice); len(got) != 6 {
			o.Errorf("mended: records %q", got)
		}
	})
}

// A wait that OVH asks for and that is short is waited out; nothing is lost by it.
func TestShortLimits(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 40)
		o.link(o.alice, "aa1-ovh")
		var n atomic.Int64
		o.ovh.Break(func(w http.ResponseWriter, r *http.Request) bool {
			if n.Add(1)%20 != 0 {
				return false
			}
			limits("1")(w, r)
			return true
		})
		o.must(o.importNow(o.links))
		if got := len(o.records(o.alice)); got != 40 {
			o.Errorf("%d records", got)
		}
	})
}

func TestAnotherClock(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		for _, skew := range []time.Duration{-3 * time.Hour, 26 * time.Hour} {
			o.ovh.Skew(skew)
			o.calls("aa1-ovh", desk, 2)
			o.link(o.alice, "aa1-ovh")
			o.must(o.importNow(o.links))
		}
	})
}

// One account's OVH hangs, on all of its links; another's import does not wait for it.
func TestSlowCustomer(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 3)
		o.calls("rr2-ovh", shop, 3)
		for i := range 5 {
			name := fmt.Sprintf("slow%d-ovh", i)
			o.ovh.Add(&ovhtest.Customer{Nichandle: name, Accounts: map[string]*ovhtest.BillingAccount{}})
			o.calls(name, desk, 3)
			o.link(o.alice, name)
		}
		o.ovh.Break(at("/"+desk+"/voiceConsumption", hangs))
		s := o.process(carrier.Options{AtOnce: 2}, ovh.Options{})
		o.running(s)
		o.until("the slow one is asked", func() bool { return o.ovh.Asked("/voiceConsumption") > 0 })
		link := o.link(o.robin, "rr2-ovh")
		o.until("the other is imported", func() bool { return o.reread(link).ImportedAt != nil })
		if n := len(o.records(o.alice)); n != 0 {
			o.Errorf("%d records of who hangs", n)
		}
	})
}
