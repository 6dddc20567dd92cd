package ovh_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"switchboard/comms/carrier"
	"switchboard/internal/clock"
	"switchboard/providers/ovh"
	"switchboard/providers/ovh/ovhtest"
)

func open(t *testing.T, at *ovhtest.Server, o ovh.Options) *ovh.OVH {
	t.Helper()
	o.Endpoint, o.Key, o.Secret = at.Endpoint, ovhtest.ApplicationKey, ovhtest.ApplicationSecret
	room, err := ovh.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return room
}

func problem(t *testing.T, err error) carrier.Problem {
	t.Helper()
	var trouble *carrier.Trouble
	if !errors.As(err, &trouble) {
		t.Fatalf("%v says nothing", err)
	}
	return trouble.Problem
}

func TestOptions(t *testing.T) {
	for _, o := range []ovh.Options{{Endpoint: "ovh-mars", Key: "k", Secret: "s"}, {Endpoint: "ftp://x", Key: "k", Secret: "s"}, {Key: "k"}, {Secret: "s"}} {
		if _, err := ovh.New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	for _, endpoint := range []string{"", "ovh-eu", "ovh-ca", "ovh-us", "https://api.example.org/1.0/"} {
		if _, err := ovh.New(ovh.Options{Endpoint: endpoint, Key: "k", Secret: "s"}); err != nil {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// The example of OVH's own guide, so that the server that checks signatures is itself checked: it is no mirror of the client.
func TestSignature(t *testing.T) {
	got := ovhtest.Signature("EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF", "MtSwSrPpNjqfVSmJhLbPyr2i45lSwPU1", "GET", "https://eu.api.ovh.com/1.0/domains/", "", 1366560945)
	if want := "$1$d3705e8afb27a0d2970a322b96550abfc67bb798"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

// Keys that OVH's tools find in the environment are not ours.
func TestForeignSettings(t *testing.T) {
	at := ovhtest.New(t)
	t.Setenv("OVH_ENDPOINT", "ovh-ca")
	t.Setenv("OVH_APPLICATION_KEY", "foreign")
	t.Setenv("OVH_CONSUMER_KEY", "foreign")
	if _, err := open(t, at, ovh.Options{}).Ask(t.Context(), "https://example.org/back"); err != nil {
		t.Error(err)
	}
}

func TestConsumerKeys(t *testing.T) {
	at := ovhtest.New(t)
	at.Add(&ovhtest.Customer{Nichandle: "aa1-ovh"})
	room := open(t, at, ovh.Options{})
	asked, err := room.Ask(t.Context(), "https://example.org/back")
	if err != nil {
		t.Fatal(err)
	}
	try := func(key string, want carrier.Problem) {
		t.Helper()
		customer, err := room.Open(t.Context(), key)
		if want == "" {
			if err != nil || customer.Identity != "aa1-ovh" {
				t.Errorf("%v, %+v", err, customer)
			}
			return
		}
		if got := problem(t, err); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	try(asked.Key, carrier.ProblemPending)
	try("forged", carrier.ProblemWithdrawn)
	if back := at.Consent(asked.Page, "aa1-ovh"); back != "https://example.org/back" {
		t.Errorf("sent back to %s", back)
	}
	try(asked.Key, "")
	states := map[string]carrier.Problem{"pendingValidation": carrier.ProblemPending, "expired": carrier.ProblemWithdrawn, "refused": carrier.ProblemWithdrawn,
		"forbidden": carrier.ProblemWithdrawn, "validated": "", "": carrier.ProblemNonsense}
	for state, want := range states {
		at.Break(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/auth/currentCredential") {
				return false
			}
			_, _ = io.WriteString(w, `{"status":"`+state+`"}`)
			return true
		})
		try(asked.Key, want)
	}
	at.Break(nil)
	at.Withdraw("aa1-ovh", false)
	try(asked.Key, carrier.ProblemPending) // "This credential is not valid": the rules know whether it ever was
	at.Withdraw("aa1-ovh", true)
	try(asked.Key, carrier.ProblemWithdrawn)
}

// Where our rights don't reach whose the key is, the customer is known by his first billing account.
func TestCustomerWithoutName(t *testing.T) {
	at := ovhtest.New(t)
	at.Add(&ovhtest.Customer{Nichandle: "aa1-ovh", Accounts: map[string]*ovhtest.BillingAccount{"b-2": {}, "a-1": {}}})
	room := open(t, at, ovh.Options{})
	asked, err := room.Ask(t.Context(), "https://example.org/back")
	if err != nil {
		t.Fatal(err)
	}
	at.Consent(asked.Page, "aa1-ovh")
	at.Change(func() { at.Granted(asked.Key, "/telephony", "/telephony/*") })
	customer, err := room.Open(t.Context(), asked.Key)
	if err != nil || customer.Identity != "telephony:a-1" {
		t.Errorf("%v, %+v", err, customer)
	}
}

// A signed request is never sent on to where an answer says.
func TestNoRedirection(t *testing.T) {
	at := ovhtest.New(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s came with %v", r.URL, r.Header) }))
	defer elsewhere.Close()
	at.Break(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		return true
	})
	if got := problem(t, err2(open(t, at, ovh.Options{}).Open(t.Context(), "key"))); got != carrier.ProblemNonsense {
		t.Error(got)
	}
}

func err2(_ *carrier.Customer, err error) error { return err }

// What stands beside the server is not reached by an address that a recording is said to have.
func TestFilesComeFromTheOpenInternet(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was reached", r.URL) }))
	defer inside.Close()
	// OVH's own address is public here, so it must be stood in for by one that is not asked: the download alone is.
	room, err := ovh.New(ovh.Options{Endpoint: "ovh-eu", Key: "k", Secret: "s", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	port := inside.URL[strings.LastIndexByte(inside.URL, ':'):]
	for _, address := range []string{inside.URL, "http://localhost" + port, "http://[::ffff:127.0.0.1]" + port, "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/",
		"http://[fe80::1]/", "http://[fd00::1]/", "http://0.0.0.0" + port, "http://100.64.0.1/", "http://[64:ff9b::7f00:1]/"} {
		data, err := ovh.Download(room, t.Context(), address)
		if err == nil || !strings.Contains(err.Error(), "open Internet") {
			t.Errorf("%s: %v", address, err)
		}
		if data != nil {
			_ = data.Close()
		}
	}
}

// A wait that OVH asks for ends with the import that it is part of.
func TestPatienceEnds(t *testing.T) {
	at := ovhtest.New(t)
	at.Add(&ovhtest.Customer{Nichandle: "aa1-ovh"})
	room := open(t, at, ovh.Options{})
	asked, err := room.Ask(t.Context(), "https://example.org/back")
	if err != nil {
		t.Fatal(err)
	}
	at.Consent(asked.Page, "aa1-ovh")
	ctx, cancel := context.WithCancel(t.Context())
	at.Break(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/me") {
			return false
		}
		w.Header().Set("Retry-After", "14")
		w.WriteHeader(http.StatusTooManyRequests)
		time.AfterFunc(50*time.Millisecond, cancel)
		return true
	})
	began := time.Now()
	if _, err := room.Open(ctx, asked.Key); !errors.Is(err, context.Canceled) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// Names of services stand in paths, whatever is in them.
func TestStrangeNames(t *testing.T) {
	at := ovhtest.New(t)
	when := time.Now().Add(-time.Hour).Truncate(time.Second)
	at.Add(&ovhtest.Customer{Nichandle: "aa1-ovh", Accounts: map[string]*ovhtest.BillingAccount{"é/?#": {Services: map[string]map[int64]ovhtest.Consumption{
		"a b/../c%2F": {7: {ConsumptionID: 7, Called: "x", CreationDatetime: when, WayType: "incoming"}}}}}})
	room := open(t, at, ovh.Options{})
	asked, err := room.Ask(t.Context(), "https://example.org/back")
	if err != nil {
		t.Fatal(err)
	}
	at.Consent(asked.Page, "aa1-ovh")
	customer, err := room.Open(t.Context(), asked.Key)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := customer.Lines.Lines(t.Context())
	if err != nil || len(lines) != 1 || lines[0].Name != "a b/../c%2F" {
		t.Fatalf("%v, %+v", err, lines)
	}
	ids, err := lines[0].Calls.Since(t.Context(), clock.From(when))
	if err != nil || len(ids) != 1 {
		t.Fatalf("%v, %v", err, ids)
	}
	call, err := lines[0].Calls.Call(t.Context(), ids[0])
	if err != nil || !call.StartedAt.Equal(when) {
		t.Errorf("%v, %+v", err, call)
	}
}

// A name that could not be stored as it is costs the lines of its account, and no import.
func TestNamesThatCanNotBeStored(t *testing.T) {
	at := ovhtest.New(t)
	at.Add(&ovhtest.Customer{Nichandle: "aa1-ovh", Accounts: map[string]*ovhtest.BillingAccount{
		"one": {Services: map[string]map[int64]ovhtest.Consumption{"0033\ufffd": {}}}, "two": {Services: map[string]map[int64]ovhtest.Consumption{"0033": {}}}}})
	room := open(t, at, ovh.Options{})
	asked, err := room.Ask(t.Context(), "https://example.org/back")
	if err != nil {
		t.Fatal(err)
	}
	at.Consent(asked.Page, "aa1-ovh")
	customer, err := room.Open(t.Context(), asked.Key)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := customer.Lines.Lines(t.Context())
	if err != nil || len(lines) != 2 || lines[0].Name != "one" || lines[1].Name != "0033" {
		t.Fatalf("%v, %+v", err, lines)
	}
	if _, err = lines[0].Calls.Since(t.Context(), clock.Now()); problem(t, err) != carrier.ProblemNonsense {
		t.Error(err)
	}
}
