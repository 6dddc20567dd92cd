package call

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/ent/application"
	"switchboard/ent/mask"
	"switchboard/ent/maskparty"
	"switchboard/internal/clock"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// Two parties and more, as everybody knows them.
const (
	ann  = "+8613800000001"
	bob  = "+8613800000002"
	cleo = "+8613800000003"
	dan  = "+8613800000004"
)

// masking is an account with an application and its pool, over a real database.
type masking struct {
	*testing.T
	svc   *comms.Service
	calls *Service
	store *db.Store
	ctx   context.Context // the account's, with every scope
	app   *comms.Application
	token string
	x     map[string]*comms.Number
}

// pool is what the account has; the first four are the application's.
var pool = []comms.ProvisionNumber{
	{Number: "+8617118230000", Ability: "both"}, {Number: "+8617118230001", Ability: "both"},
	{Number: "+862151860000", Ability: "both"}, {Number: "+8657151860001", Ability: "both"},
	{Number: "+8617118230009", Ability: "both"},
}

func masksOnBoth(t *testing.T, fn func(w *masking)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		w := &masking{T: t, store: open(t), x: map[string]*comms.Number{}}
		var err error
		if w.svc, err = comms.New(comms.Options{Store: w.store, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4}); err != nil {
			t.Fatal(err)
		}
		w.calls = New(w.svc, Options{})
		w.provision()
		fn(w)
	})
}

func (w *masking) provision() {
	w.Helper()
	names := make([]string, len(pool))
	for i, n := range pool {
		names[i] = n.Number
	}
	got, err := w.svc.Provision(w.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{
		{Email: "rides@example.com", Password: "correct horse", Plan: "business", Numbers: pool,
			Applications: []comms.ProvisionApplication{{Name: "rides", Pool: names[:4], Record: new(true)}, {Name: "other", Pool: names[:1]}}},
		{Email: "stranger@example.com", Password: "correct horse", Numbers: []comms.ProvisionNumber{{Number: "+8617118239000"}},
			Applications: []comms.ProvisionApplication{{Name: "theirs", Pool: []string{"+8617118239000"}}}},
	}})
	if err != nil {
		w.Fatal(err)
	}
	for _, a := range got.Accounts {
		for _, n := range a.Numbers {
			w.x[n.Number] = n
		}
	}
	w.token = got.Accounts[0].Applications[0].AccountToken
	w.app = w.application("rides")
	w.ctx = w.as("rides@example.com")
}

func (w *masking) application(name string) *comms.Application {
	w.Helper()
	app, err := w.store.Read().Application.Query().Where(application.Name(name)).Only(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return app
}

func (w *masking) as(email string) context.Context {
	w.Helper()
	id, err := w.store.Read().Account.Query().Where(account.Email(email)).OnlyID(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return comms.WithActor(w.Context(), &comms.Actor{AccountID: id, Scopes: 1<<16 - 1})
}

// mask makes one, which must work.
func (w *masking) mask(in MaskNumbers) *comms.Mask {
	w.Helper()
	m, err := w.calls.MaskNumbers(w.ctx, in)
	if err != nil {
		w.Fatalf("%+v: %v", in, err)
	}
	return m.Mask
}

// at is what the masks on a number say of a caller.
func (w *masking) at(x *comms.Number, caller string, at clock.Micros) *maskHit {
	w.Helper()
	hit, err := w.calls.maskAt(w.Context(), x, caller, at)
	if err != nil {
		w.Fatal(err)
	}
	return hit
}

// change writes to the store past the rules.
func (w *masking) change(fn func(ctx context.Context, tx *ent.Client) error) {
	w.Helper()
	if err := w.store.Change(w.Context(), fn, nil); err != nil {
		w.Fatal(err)
	}
}

// expire moves a mask's end into the past, without anybody noticing.
func (w *masking) expire(m *comms.Mask, ago time.Duration) {
	w.Helper()
	w.change(func(ctx context.Context, tx *ent.Client) error {
		return tx.Mask.UpdateOneID(m.ID).SetExpiresAt(clock.Now().Add(-ago)).Exec(ctx)
	})
}

// freedAgo moves the time at which a mask's numbers were freed.
func (w *masking) freedAgo(m *comms.Mask, ago time.Duration) {
	w.Helper()
	at := clock.Now().Add(-ago)
	w.change(func(ctx context.Context, tx *ent.Client) error {
		if err := tx.Mask.UpdateOneID(m.ID).SetEndedAt(at).Exec(ctx); err != nil {
			return err
		}
		return tx.MaskParty.Update().Where(maskparty.MaskID(m.ID)).SetFreedAt(at).Exec(ctx)
	})
}

func (w *masking) unmask(m *comms.Mask) *comms.Mask {
	w.Helper()
	out, err := w.calls.UnmaskNumbers(w.ctx, m.ID)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func (w *masking) reread(m *comms.Mask) *comms.Mask {
	w.Helper()
	out, err := w.store.Read().Mask.Query().Where(mask.ID(m.ID)).Only(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// story is the kinds of the account's events of masks, oldest first, with the last one.
func (w *masking) story() (kinds string, last *comms.Event) {
	w.Helper()
	watch, err := w.svc.OpenWatch(w.ctx, comms.Watch{After: "e0", Kinds: []comms.Kind{comms.MaskCreated, comms.MaskUpdated, comms.MaskEnded}})
	if err != nil {
		w.Fatal(err)
	}
	defer watch.Close()
	events, _, err := watch.Missed(w.ctx, 0, 1000)
	if err != nil {
		w.Fatal(err)
	}
	var words []string
	for _, e := range events {
		words, last = append(words, strings.TrimPrefix(string(e.Kind), "mask.")), e
	}
	return strings.Join(words, " "), last
}

// refusal is what an error says in a word or three.
func refusal(err error) string {
	e := comms.AsError(err)
	if e == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(e.Code, " ", e.Field, " ", e.Reason))
}

func ids(numbers ...*comms.Number) []uuid.UUID {
	out := make([]uuid.UUID, len(numbers))
	for i, n := range numbers {
		out[i] = n.ID
	}
	return out
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
