package call

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/ent/call"
	"switchboard/ent/message"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// exchange is two firms with telephones, numbers and a trunk, over a real database and an engine that only notes what is asked of it.
type exchange struct {
	testing.TB
	svc          *comms.Service
	calls        *Service
	store        *db.Store
	engine       *fakeEngine
	alice, robin context.Context // the firms, with every scope
	number       map[string]*comms.Number
	phone        map[string]uuid.UUID
	trunk        uuid.UUID
}

// The numbers of the exchange. Alice's telephones: 2000 and 2001 ring for desk, 2002 for desk and then mobile, 2003 for nothing, 2004 stands
// for ann, an outside number. Robin's 3000 rings for shop.
const (
	desk     = "+862151860000"
	mobile   = "+8617118230000" // no phone of its own before 2002's second
	hotline  = "+8617118230001" // for service: not shown
	shown    = "+8617118230002" // for display: not called
	quiet    = "+8617118230003" // no telephone rings for it
	shop     = "+8657151860001"
	outsider = "+8613900000009"
)

func exchangesOnBoth(t *testing.T, fn func(x *exchange)) { exchangesWith(t, Options{}, fn) }

func exchangesWith(t *testing.T, o Options, fn func(x *exchange)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		fn(newExchange(t, open(t), o))
	})
}

func newExchange(t testing.TB, store *db.Store, o Options) *exchange {
	x := &exchange{TB: t, store: store, number: map[string]*comms.Number{}, phone: map[string]uuid.UUID{}}
	x.start(o)
	x.furnish()
	return x
}

// start is a process over the store.
func (x *exchange) start(o Options) {
	x.Helper()
	var err error
	if x.svc, err = comms.New(comms.Options{Store: x.store, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4}); err != nil {
		x.Fatal(err)
	}
	if o.Archive, err = content.OpenArchive(content.Options{Data: x.TempDir()}); err != nil {
		x.Fatal(err)
	}
	o.Recordings = x.TempDir()
	x.calls, x.engine = New(x.svc, o), &fakeEngine{refuse: map[string]error{}}
	x.calls.Attach(x.engine)
	x.Cleanup(x.calls.orders.Wait)
}

func (x *exchange) furnish() {
	x.Helper()
	number := func(e164, ability string) comms.ProvisionNumber {
		return comms.ProvisionNumber{Number: e164, Ability: ability, Concurrency: new(2)}
	}
	wish := comms.Provision{
		Trunks: []comms.ProvisionTrunk{{Name: "carrier", TrunkWish: comms.TrunkWish{Address: new("carrier.invalid"), Prefixes: []string{"86", "49"}}}},
		Accounts: []comms.ProvisionAccount{
			{Email: "alice@example.com", Password: "correct horse", Plan: "business", Numbers: []comms.ProvisionNumber{number(desk, "both"),
				number(mobile, "both"), number(hotline, "service"), number(shown, "display"), number(quiet, "both")},
				SipNumbers: []comms.ProvisionSipNumber{{Number: "2000", Rings: []string{desk}}, {Number: "2001", Rings: []string{desk}},
					{Number: "2002", Rings: []string{mobile, desk}}, {Number: "2003"}, {Number: "2004", Rings: []string{ann}}}},
			{Email: "robin@example.com", Password: "correct horse", Numbers: []comms.ProvisionNumber{number(shop, "both")},
				SipNumbers: []comms.ProvisionSipNumber{{Number: "3000", Rings: []string{shop}}}},
		}}
	got, err := x.svc.Provision(x.Context(), wish)
	if err != nil {
		x.Fatal(err)
	}
	for _, a := range got.Accounts {
		for _, n := range a.Numbers {
			x.number[n.Number] = n
		}
	}
	for _, p := range x.store.Read().SipNumber.Query().AllX(x.Context()) {
		x.phone[p.Number] = p.ID
	}
	x.trunk = x.store.Read().Trunk.Query().OnlyX(x.Context()).ID
	x.alice, x.robin = x.as("alice"), x.as("robin")
}

func (x *exchange) as(name string) context.Context {
	x.Helper()
	id, err := x.store.Read().Account.Query().Where(account.Email(name + "@example.com")).OnlyID(x.Context())
	if err != nil {
		x.Fatal(err)
	}
	return comms.WithActor(x.Context(), &comms.Actor{AccountID: id, Scopes: 1<<16 - 1})
}

// route asks what to do with a call from a telephone, or from the trunk where from is a number with +.
func (x *exchange) route(from, dialled string) *Verdict {
	x.Helper()
	in := RouteCall{Phone: x.phone[from], Dialled: dialled}
	if in.Phone == uuid.Nil {
		in.Trunk, in.From = x.trunk, from
	}
	v, err := x.calls.RouteCall(x.Context(), in)
	if err != nil {
		x.Fatalf("%s calls %s: %v", from, dialled, err)
	}
	return v
}

// words tell a verdict: "refused blocked", "ask 8", or whom it dials, first to last, as what.
func (x *exchange) words(v *Verdict) string {
	var out []string
	leg := func(l *Leg) {
		var targets []string
		for _, t := range l.Targets {
			switch {
			case t.Phone != uuid.Nil:
				for number, id := range x.phone {
					if id == t.Phone {
						targets = append(targets, number)
					}
				}
			case t.Trunk != uuid.Nil:
				targets = append(targets, "trunk:"+t.Number)
			default:
				targets = append(targets, "world:"+t.World)
			}
		}
		slices.Sort(targets)
		out = append(out, fmt.Sprintf("%s as %q", strings.Join(targets, ","), l.ShownAs))
	}
	switch {
	case v.Refuse != nil:
		return "refused " + string(v.Refuse.Why)
	case v.Ask != nil:
		return fmt.Sprint("ask ", v.Ask.Most)
	case v.First != nil:
		leg(v.First)
	case v.Hold:
		out = append(out, "nobody")
	}
	if leg(v.Second); v.Speak != nil {
		out = append(out, fmt.Sprintf("hears %q", v.Speak.Text))
	}
	return strings.Join(out, ", ")
}

// records are the rows of a conversation in words, in the order of their ids' making: first the conversation's own.
func (x *exchange) records(conversation uuid.UUID) string {
	x.Helper()
	rows := x.store.Read().Call.Query().Where(call.ConversationID(conversation)).WithVirtual().AllX(x.Context())
	var out []string
	for _, r := range rows {
		number, outcome := "-", ""
		if r.Edges.Virtual != nil {
			number = r.Edges.Virtual.Number
		}
		if r.Outcome != nil {
			outcome = " " + string(*r.Outcome) + " " + r.Reason
		}
		if r.Second != "" {
			outcome = " then " + r.Second + outcome
		}
		out = append(out, fmt.Sprintf("%s %s %q%s %s", number, r.Direction, r.Peer, outcome, r.Status))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// told are a firm's events of calls and missed calls, oldest first.
func (x *exchange) told(firm context.Context) (kinds []string) {
	x.Helper()
	watch, err := x.svc.OpenWatch(firm, comms.Watch{After: "e0"})
	if err != nil {
		x.Fatal(err)
	}
	defer watch.Close()
	events, _, err := watch.Missed(firm, 0, 1000)
	if err != nil {
		x.Fatal(err)
	}
	for _, e := range events {
		switch {
		case e.Call != nil && e.Kind == comms.CallEnded:
			kinds = append(kinds, "ended:"+string(*e.Call.Outcome))
		case e.Call != nil:
			kinds = append(kinds, strings.TrimPrefix(string(e.Kind), "call."))
		case e.Message != nil && e.Message.Kind == message.KindMissedCall:
			kinds = append(kinds, "missed from "+e.Message.FromNumber)
		}
	}
	return kinds
}

// must fails on an error.
func (x *exchange) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

// change writes to the store past the rules.
func (x *exchange) change(fn func(ctx context.Context, tx *ent.Client) error) {
	x.Helper()
	x.must(x.store.Change(x.Context(), fn, nil))
}

// ends are how often each conversation's records were told to have ended, by record.
func (x *exchange) ends() map[uuid.UUID]int {
	x.Helper()
	out := map[uuid.UUID]int{}
	for _, firm := range []context.Context{x.alice, x.robin} {
		watch, err := x.svc.OpenWatch(firm, comms.Watch{After: "e0", Kinds: []comms.Kind{comms.CallEnded}})
		x.must(err)
		events, _, err := watch.Missed(firm, 0, 1000)
		watch.Close()
		x.must(err)
		for _, e := range events {
			out[e.Call.ID]++
		}
	}
	return out
}

// fakeEngine notes what is asked of it. That the real one does what is asked is shown where it is.
type fakeEngine struct {
	mu      sync.Mutex
	dialled []*Verdict
	orders  []string
	refuse  map[string]error // by the order's word
}

func (e *fakeEngine) Dial(_ context.Context, v *Verdict) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dialled = append(e.dialled, v)
	return e.refuse["dial"]
}

func (e *fakeEngine) Order(_ context.Context, _ uuid.UUID, o Order) error {
	word := ""
	switch {
	case o.HangUp != nil:
		word = "hang up " + string(o.HangUp.Why)
	case o.SendDigits != nil:
		word = "digits " + o.SendDigits.Digits
	case o.StartRecord != nil:
		word = "record"
	case o.StopRecord:
		word = "stop"
	case o.Transfer != nil:
		word = "transfer " + o.Transfer.Number + " as " + o.Transfer.ShownAs
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.orders = append(e.orders, word)
	first, _, _ := strings.Cut(word, " ")
	return e.refuse[first]
}

// asked are the orders so far, which it then forgets.
func (e *fakeEngine) asked() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := strings.Join(e.orders, "; ")
	e.orders = nil
	return out
}

// check notes an error; for other goroutines than the test's.
func (x *exchange) check(err error) {
	x.Helper()
	if err != nil {
		x.Error(err)
	}
}

// unlimited lets each number take any number of calls.
func (x *exchange) unlimited() {
	x.Helper()
	x.change(func(ctx context.Context, tx *ent.Client) error {
		return tx.Number.Update().SetConcurrency(1000).Exec(ctx)
	})
}
