package record

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/account"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// office is two accounts over a real database.
type office struct {
	testing.TB
	store           *db.Store
	svc             *comms.Service
	records         *Service
	contents        *content.Store
	alice, robin    context.Context
	own             *comms.Number // alice's
	carrier         uuid.UUID
	aliceID, robins uuid.UUID
}

const desk = "+33972000001"

func officesOnBoth(t *testing.T, fn func(o *office)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newOffice(t, open(t))) })
}

func newOffice(t testing.TB, store *db.Store) *office {
	t.Helper()
	o := &office{TB: t, store: store, carrier: uuid.New()}
	var err error
	if o.contents, err = content.Open(content.Options{Data: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if o.svc, err = comms.New(comms.Options{Store: store, Contents: o.contents, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4,
		Limits: comms.Limits{PageSize: 1000}}); err != nil {
		t.Fatal(err)
	}
	o.records = o.process()
	got, err := o.svc.Provision(t.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{
		{Email: "alice@example.com", Password: "correct horse", Numbers: []comms.ProvisionNumber{{Number: desk}}},
		{Email: "robin@example.com", Password: "correct horse"}}})
	if err != nil {
		t.Fatal(err)
	}
	o.own = got.Accounts[0].Numbers[0]
	o.aliceID, o.robins = o.own.AccountID, o.idOf("robin@example.com")
	o.alice, o.robin = as(t.Context(), o.aliceID), as(t.Context(), o.robins)
	return o
}

func (o *office) idOf(email string) uuid.UUID {
	o.Helper()
	id, err := o.store.Read().Account.Query().Where(account.Email(email)).OnlyID(o.Context())
	if err != nil {
		o.Fatal(err)
	}
	return id
}

// process is another process on the same database.
func (o *office) process() *Service {
	return New(o.svc, Options{Contents: o.contents, RecordingLink: func(r *comms.Recording) string { return "/recordings/" + r.ID.String() }})
}

func as(ctx context.Context, account uuid.UUID) context.Context {
	return comms.WithActor(ctx, &comms.Actor{AccountID: account, Scopes: 1<<16 - 1})
}

// add imports records for an account, and tells how many of them were new.
func (o *office) add(account uuid.UUID, records ...NewRecord) (added int) {
	o.Helper()
	err := o.svc.Inside().Change(o.Context(), func(ctx context.Context, c *comms.Change) (err error) {
		added, err = o.records.Add(ctx, c, account, o.carrier, records)
		return err
	})
	if err != nil {
		o.Fatal(err)
	}
	return added
}

// block has alice block numbers.
func (o *office) block(numbers ...string) {
	o.Helper()
	for _, n := range numbers {
		if _, err := o.svc.BlockNumber(o.alice, comms.BlockNumber{Number: n}); err != nil {
			o.Fatal(err)
		}
	}
}
