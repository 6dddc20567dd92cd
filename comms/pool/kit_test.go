package pool_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/pool"
	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// firm is an account with five numbers and a stranger with one, over a real database and an engine that dials nobody.
type firm struct {
	*testing.T
	store           *db.Store
	svc             *comms.Service
	pools           *pool.Service
	calls           *call.Service
	owner, stranger context.Context
	number          map[string]uuid.UUID
}

// The numbers. All but one may be shown.
const (
	one   = "+862151860001"
	two   = "+862151860002"
	three = "+862151860003"
	never = "+862151860004" // for service alone
	other = "+8657151860001"
)

func onBoth(t *testing.T, fn func(f *firm)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newFirm(t, open(t))) })
}

func newFirm(t *testing.T, store *db.Store) *firm {
	t.Helper()
	f := &firm{T: t, store: store, number: map[string]uuid.UUID{}}
	f.start()
	there, err := f.svc.Provision(t.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{
		{Email: "owner@example.com", Password: "correct horse", Plan: "business", Applications: []comms.ProvisionApplication{{Name: "app"}},
			Numbers: []comms.ProvisionNumber{{Number: one, Concurrency: new(100)}, {Number: two, Concurrency: new(100)}, {Number: three, Concurrency: new(100)},
				{Number: never, Ability: "service"}},
			SipNumbers: []comms.ProvisionSipNumber{{Number: "2000"}, {Number: "2001", Password: "pa55-word"}}},
		{Email: "stranger@example.com", Password: "correct horse", Numbers: []comms.ProvisionNumber{{Number: other}}},
	}})
	f.must(err)
	for _, a := range there.Accounts {
		for _, n := range a.Numbers {
			f.number[n.Number] = n.ID
		}
	}
	f.owner, f.stranger = f.as("owner"), f.as("stranger")
	return f
}

// start is a process over the store.
func (f *firm) start() {
	f.Helper()
	var err error
	f.svc, err = comms.New(comms.Options{Store: f.store, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4})
	f.must(err)
	f.pools = pool.New(f.svc, pool.Options{})
	f.calls = call.New(f.svc, call.Options{Groups: f.pools, Recordings: f.TempDir(), Limits: call.Limits{AtOnce: 1000, PerMinute: 1000}})
	f.calls.Attach(engine{})
}

// engine dials nobody: what is placed goes on as if it rang for ever.
type engine struct{}

func (engine) Dial(context.Context, *call.Verdict) error          { return nil }
func (engine) Order(context.Context, uuid.UUID, call.Order) error { return nil }

func (f *firm) as(name string) context.Context {
	f.Helper()
	id, err := f.store.Read().Account.Query().Where(account.Email(name + "@example.com")).OnlyID(f.Context())
	f.must(err)
	return comms.WithActor(f.Context(), &comms.Actor{AccountID: id, Scopes: 1<<16 - 1})
}

func (f *firm) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// change writes past the rules.
func (f *firm) change(fn func(ctx context.Context, tx *ent.Client) error) {
	f.Helper()
	f.must(f.store.Change(f.Context(), fn, nil))
}

// group is a new group of the owner's.
func (f *firm) group(name, policy string, numbers ...string) *comms.NumberGroup {
	f.Helper()
	out, err := f.pools.CreateNumberGroup(f.owner, pool.CreateNumberGroup{Name: name, Policy: policy, NumberIDs: f.ids(numbers...)})
	f.must(err)
	return out.Group
}

func (f *firm) ids(numbers ...string) (out []uuid.UUID) {
	for _, n := range numbers {
		out = append(out, f.number[n])
	}
	return out
}

// members are a group's numbers.
func (f *firm) members(g *comms.NumberGroup) string {
	f.Helper()
	all, err := f.pools.NumbersOfGroups(f.owner, []uuid.UUID{g.ID})
	f.must(err)
	var out []string
	for _, n := range all[g.ID] {
		out = append(out, n.Number)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// told are an account's events of those nouns, oldest first.
func (f *firm) told(who context.Context, nouns ...string) string {
	f.Helper()
	watch, err := f.svc.OpenWatch(who, comms.Watch{After: "e0"})
	f.must(err)
	defer watch.Close()
	events, _, err := watch.Missed(who, 0, 1000)
	f.must(err)
	var out []string
	for _, e := range events {
		noun, _, _ := strings.Cut(string(e.Kind), ".")
		if slices.Contains(nouns, noun) {
			out = append(out, string(e.Kind))
		}
	}
	return strings.Join(out, " ")
}

// refusal is an error in words: its code, field and reason.
func refusal(err error) string {
	e := comms.AsError(err)
	if e == nil {
		return "none"
	}
	return strings.TrimSpace(fmt.Sprint(e.Code, " ", e.Field, " ", e.Reason))
}
