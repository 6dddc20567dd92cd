package call

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// office is an account with a number, a stranger's, and the operator's, over a real database and a real archive.
type office struct {
	*testing.T
	svc                   *comms.Service
	calls                 *Service
	store                 *db.Store
	archive               *content.Archive
	folder                string
	ctx, stranger, master context.Context
	account               uuid.UUID
	number                *comms.Number
}

func officesOnBoth(t *testing.T, fn func(o *office)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		o := &office{T: t, store: open(t), folder: t.TempDir()}
		var err error
		if o.archive, err = content.OpenArchive(content.Options{Data: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		o.restart()
		o.ctx, o.stranger, o.master = o.join("owner"), o.join("stranger"), o.join("master")
		o.account = comms.ActorOf(o.ctx).AccountID
		token, err := o.svc.OperatorToken(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.svc.ClaimOperator(o.master, token); err != nil {
			t.Fatal(err)
		}
		there, err := o.svc.Provision(t.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{
			{Email: "owner@example.com", Numbers: []comms.ProvisionNumber{{Number: "+862151860000"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		o.number = there.Accounts[0].Numbers[0]
		fn(o)
	})
}

// restart is another process over what the last one left.
func (o *office) restart() {
	o.Helper()
	var err error
	if o.svc, err = comms.New(comms.Options{Store: o.store, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4}); err != nil {
		o.Fatal(err)
	}
	o.calls = New(o.svc, Options{Archive: o.archive, Recordings: o.folder})
}

func (o *office) join(name string) context.Context {
	o.Helper()
	in, err := o.svc.Register(o.Context(), comms.Register{Email: name + "@example.com", Password: "a password"})
	if err != nil {
		o.Fatal(err)
	}
	return comms.WithActor(o.Context(), &comms.Actor{AccountID: in.Account.ID, Scopes: 1<<16 - 1})
}

// phone is a new telephone of the owner's.
func (o *office) phone(rings ...string) *comms.SipNumber {
	o.Helper()
	p, err := o.calls.CreateSipNumber(o.ctx, CreateSipNumber{Rings: rings})
	if err != nil {
		o.Fatal(err)
	}
	return p.SipNumber
}

// told are the owner's events of that noun, oldest first, and checks that none of them holds a secret.
func (o *office) told(noun string) string {
	o.Helper()
	var kinds []comms.Kind
	for _, k := range comms.Kinds() {
		if strings.HasPrefix(string(k), noun+".") {
			kinds = append(kinds, k)
		}
	}
	watch, err := o.svc.OpenWatch(o.ctx, comms.Watch{After: "e0", Kinds: kinds})
	if err != nil {
		o.Fatal(err)
	}
	defer watch.Close()
	events, _, err := watch.Missed(o.ctx, 0, 1000)
	if err != nil {
		o.Fatal(err)
	}
	var words []string
	for _, e := range events {
		words = append(words, strings.TrimPrefix(string(e.Kind), noun+"."))
		if b, err := json.Marshal(e); err != nil || bytes.Contains(b, []byte("assword")) || bytes.Contains(b, []byte("192.0.2.")) {
			o.Errorf("%s holds what it should not: %s, %v", e.Kind, b, err)
		}
	}
	return strings.Join(words, " ")
}

// is fails unless err is that refusal: its code, its field.
func (o *office) is(what string, err error, want string) {
	o.Helper()
	got := ""
	if e := comms.AsError(err); e != nil {
		got = strings.TrimSpace(fmt.Sprint(e.Code, " ", e.Field))
	}
	if got != want {
		o.Errorf("%s: %q (%v) instead of %q", what, got, err, want)
	}
}

// there tells whether a file is.
func there(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
