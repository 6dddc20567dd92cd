package carrier_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/comms/record"
	"switchboard/ent/account"
	"switchboard/ent/callrecord"
	"switchboard/ent/event"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/providers/ovh"
	"switchboard/providers/ovh/ovhtest"
)

// office is two accounts over a real database, and an OVH at which they are customers.
type office struct {
	testing.TB
	store        *db.Store
	contents     *content.Store
	ovh          *ovhtest.Server
	log          *kept
	links        *carrier.Service
	alice, robin context.Context
	nodes        int
}

const (
	ours = "https://calls.example.org"
	desk = "0033972000001" // alice's services at OVH
	shop = "0033972000002"
)

func officesOnBoth(t *testing.T, fn func(o *office)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newOffice(t, open(t))) })
}

func newOffice(t testing.TB, store *db.Store) *office {
	t.Helper()
	o := &office{TB: t, store: store, ovh: ovhtest.New(t), log: &kept{}}
	var err error
	if o.contents, err = content.Open(content.Options{Data: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	o.links = o.process(carrier.Options{}, ovh.Options{})
	o.alice, o.robin = o.account("alice@example.com"), o.account("robin@example.com")
	for _, name := range []string{"aa1-ovh", "rr2-ovh"} {
		o.ovh.Add(&ovhtest.Customer{Nichandle: name, Accounts: map[string]*ovhtest.BillingAccount{}})
	}
	return o
}

// kept is what was logged.
type kept struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(p)
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

// process is another process on the same database.
func (o *office) process(c carrier.Options, at ovh.Options) *carrier.Service {
	o.Helper()
	o.nodes++
	svc, err := comms.New(comms.Options{Store: o.store, Contents: o.contents, Secret: bytes.Repeat([]byte{7}, 32), Node: fmt.Sprint("test", o.nodes), HashCost: 4,
		Log: slog.New(slog.NewTextHandler(io.MultiWriter(o.Output(), o.log), nil))})
	if err != nil {
		o.Fatal(err)
	}
	at.Key, at.Secret = ovhtest.ApplicationKey, ovhtest.ApplicationSecret
	if at.Endpoint == "" {
		at.Endpoint = o.ovh.Endpoint
	}
	room, err := ovh.New(at)
	if err != nil {
		o.Fatal(err)
	}
	c.Carriers = map[string]carrier.Carrier{"ovh": room}
	return carrier.New(svc, record.New(svc, record.Options{Contents: o.contents}), c)
}

func (o *office) account(email string) context.Context {
	o.Helper()
	svc, err := comms.New(comms.Options{Store: o.store, Secret: bytes.Repeat([]byte{7}, 32), HashCost: 4})
	if err != nil {
		o.Fatal(err)
	}
	if _, err := svc.Register(o.Context(), comms.Register{Email: email, Password: "correct horse"}); err != nil {
		o.Fatal(err)
	}
	id := o.store.Read().Account.Query().Where(account.Email(email)).OnlyIDX(o.Context())
	return as(o.Context(), id, 1<<16-1)
}

func as(ctx context.Context, id uuid.UUID, scopes comms.Scope) context.Context {
	return comms.WithActor(ctx, &comms.Actor{AccountID: id, Scopes: scopes})
}

// id is whose context that is.
func id(ctx context.Context) uuid.UUID { return comms.ActorOf(ctx).AccountID }

// ask begins a link; it answers where OVH sends the customer back: the id in that address.
func (o *office) ask(who context.Context) (page, check string) {
	o.Helper()
	linked, err := o.links.LinkCarrier(who, carrier.LinkCarrier{Carrier: "ovh", Base: ours})
	if err != nil {
		o.Fatal(err)
	}
	return linked.Page, o.ovh.Credential(linked.Page).Redirection[len(ours+"/ovh/check/"):]
}

// link links an account with a customer's, to the end.
func (o *office) link(who context.Context, customer string) *comms.CarrierLink {
	o.Helper()
	page, check := o.ask(who)
	o.ovh.Consent(page, customer)
	link, err := o.links.CheckCarrier(o.Context(), check)
	if err != nil {
		o.Fatal(err)
	}
	return link
}

// reread is the link as it is stored.
func (o *office) reread(link *comms.CarrierLink) *comms.CarrierLink {
	o.Helper()
	row, err := o.store.Read().CarrierLink.Get(context.WithoutCancel(o.Context()), link.ID)
	if err != nil {
		o.Fatal(err)
	}
	return row
}

// records are an account's, oldest first, each as a line.
func (o *office) records(who context.Context) (out []string) {
	o.Helper()
	rows := o.store.Read().CallRecord.Query().Where(callrecord.AccountID(id(who))).Order(callrecord.ByStartedAt(), callrecord.ByID()).AllX(o.Context())
	for _, r := range rows {
		out = append(out, fmt.Sprintf("%s %s>%s(%s) %s/%s %ds %s", *r.ForeignID, r.Calling, r.Called, r.Dialed, r.Direction, r.Way, r.Duration, r.Hangup))
	}
	return out
}

// kinds is what happened in an account, in order.
func (o *office) kinds(who context.Context) (out []string) {
	o.Helper()
	for _, e := range o.store.Read().Event.Query().Where(event.AccountID(id(who))).Order(event.ByID()).AllX(o.Context()) {
		out = append(out, e.Kind)
	}
	return out
}

// calls gives a customer so many calls on a service, an hour apart, the newest an hour ago.
func (o *office) calls(customer, service string, n int) map[int64]ovhtest.Consumption {
	out := map[int64]ovhtest.Consumption{}
	for i := range n {
		key := int64(1000 + i)
		out[key] = ovhtest.Consumption{ConsumptionID: key, Calling: "0033612345678", Called: service, Dialed: service, WayType: "incoming", HangupNature: "Normal call clearing",
			CreationDatetime: time.Now().Add(-time.Duration(n-i) * time.Hour).Truncate(time.Second), Duration: int64(i)}
	}
	o.serve(customer, service, out)
	return out
}

// serve gives a customer a service.
func (o *office) serve(customer, service string, calls map[int64]ovhtest.Consumption) {
	o.ovh.Change(func() {
		c := o.ovh.Customer(customer)
		if c.Accounts["nr7-ovh-1"] == nil {
			c.Accounts["nr7-ovh-1"] = &ovhtest.BillingAccount{Services: map[string]map[int64]ovhtest.Consumption{}}
		}
		c.Accounts["nr7-ovh-1"].Services[service] = calls
	})
}

// until waits for what another goroutine does.
func (o *office) until(what string, good func() bool) {
	o.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !good() {
		select {
		case <-deadline:
			o.Fatal("waited in vain until ", what)
		case <-tick.C:
		}
	}
}

// running runs a process's imports until the test ends, or until it is told to stop.
func (o *office) running(s *carrier.Service) (stop func()) {
	ctx, cancel := context.WithCancel(o.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	o.Cleanup(stop)
	return stop
}

func (o *office) importNow(s *carrier.Service) error {
	return s.Import(o.Context(), carrier.ImportNow{})
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

func wants(t testing.TB, err error, code comms.Code, reason comms.Reason) {
	t.Helper()
	if e := comms.AsError(err); e == nil || e.Code != code || e.Reason != reason {
		t.Errorf("got %v, want %s %s", err, code, reason)
	}
}

func same(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
