package comms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/db"
)

// registered is an account that came by the front door.
type registered struct {
	*comms.Credentials
	ctx context.Context
}

func (w *world) register(email string) *registered {
	w.Helper()
	c, err := w.svc.Register(w.Context(), comms.Register{Email: email, Password: "correct horse"})
	if err != nil {
		w.Fatal(err)
	}
	return &registered{c, w.as(c.Token)}
}

// as is the context of who shows this credential.
func (w *world) as(bearer string) context.Context {
	w.Helper()
	a, err := w.svc.Authenticate(w.Context(), comms.Presented{Bearer: bearer})
	if err != nil {
		w.Fatal(err)
	}
	return comms.WithActor(w.Context(), a)
}

// story is the kinds of the account's events, oldest first, and what they say as JSON.
func (w *world) story(ctx context.Context) (kinds []string, all string) {
	w.Helper()
	watch, err := w.svc.OpenWatch(ctx, comms.Watch{After: "e0"})
	if err != nil {
		w.Fatal(err)
	}
	defer watch.Close()
	events, _, err := watch.Missed(ctx, 0, 1000)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range events {
		kinds = append(kinds, string(e.Kind))
	}
	b, err := json.Marshal(events)
	if err != nil {
		w.Fatal(err)
	}
	return kinds, string(b)
}

// race runs fn n times at once and counts the outcomes by their refusal.
func race(n int, fn func(i int) error) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	outcomes, start := map[string]int{}, make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			err := fn(i)
			mu.Lock()
			outcomes[refusal(err)]++
			mu.Unlock()
		})
	}
	close(start)
	wg.Wait()
	return outcomes
}

func TestRegisterAndLogin(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("User@Example.com")
		if c.Account.Email != "user@example.com" || string(c.Account.Plan) != "free" || !strings.HasPrefix(c.ApiKey, "occ_") || c.Replayed {
			t.Errorf("%+v", c.Credentials)
		}
		in, err := w.svc.Login(t.Context(), "uSER@example.com", "correct horse")
		if err != nil || in.Account.ID != c.Account.ID || in.ApiKey != c.ApiKey {
			t.Fatalf("%+v, %v", in, err)
		}
		for _, shown := range []comms.Presented{{Bearer: c.Token}, {Bearer: in.Token}, {Bearer: c.ApiKey}, {ApiKey: c.ApiKey}} {
			a, err := w.svc.Authenticate(t.Context(), shown)
			if err != nil || a.AccountID != c.Account.ID {
				t.Errorf("%+v, %v", a, err)
			}
		}
		for name, try := range map[string][2]string{
			"wrong": {"user@example.com", "correct horsf"}, "empty": {"user@example.com", ""}, "unknown": {"nobody@example.com", "correct horse"},
			"no email": {"nobody", "correct horse"}, "long": {"user@example.com", strings.Repeat("x", 1<<20)},
		} {
			if _, err := w.svc.Login(t.Context(), try[0], try[1]); refusal(err) != "UNAUTHENTICATED password" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestRegisterRefusals(t *testing.T) {
	onBoth(t, func(w *world) {
		w.register("taken@example.com")
		for name, c := range map[string]struct {
			in   comms.Register
			want string
		}{
			"taken":      {comms.Register{Email: "TAKEN@example.com", Password: "12345678"}, "CONFLICT email EMAIL_TAKEN"},
			"no email":   {comms.Register{Email: "taken", Password: "12345678"}, "INVALID email"},
			"short":      {comms.Register{Email: "a@example.com", Password: "1234567"}, "INVALID password"},
			"characters": {comms.Register{Email: "a@example.com", Password: "éééé"}, "INVALID password"},
			"long":       {comms.Register{Email: "a@example.com", Password: strings.Repeat("x", 1025)}, "INVALID password"},
			"not UTF-8":  {comms.Register{Email: "a@example.com", Password: "12345678\xff"}, "INVALID password"},
			"long key":   {comms.Register{Email: "a@example.com", Password: "12345678", IdempotencyKey: strings.Repeat("x", 256)}, "INVALID idempotencyKey"},
			"odd key":    {comms.Register{Email: "a@example.com", Password: "12345678", IdempotencyKey: "a\nb"}, "INVALID idempotencyKey"},
		} {
			if _, err := w.svc.Register(t.Context(), c.in); refusal(err) != c.want {
				t.Errorf("%s: %q, want %q", name, refusal(err), c.want)
			}
		}
		if n := w.count(func(db *ent.Client) (int, error) { return db.Account.Query().Count(t.Context()) }); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

func (w *world) count(fn func(*ent.Client) (int, error)) int {
	w.Helper()
	n, err := fn(w.store.Read())
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func TestOneOfManyRegistrationsWins(t *testing.T) {
	onBoth(t, func(w *world) {
		got := race(8, func(i int) error {
			email := []string{"race@example.com", "RACE@example.com"}[i%2]
			_, err := w.svc.Register(t.Context(), comms.Register{Email: email, Password: "correct horse"})
			return err
		})
		if got[""] != 1 || got["CONFLICT email EMAIL_TAKEN"] != 7 {
			t.Error(got)
		}
	})
}

func TestRegisterWithKey(t *testing.T) {
	onBoth(t, func(w *world) {
		var mu sync.Mutex
		ids, replays := map[uuid.UUID]int{}, 0
		in := comms.Register{Email: "a@example.com", Password: "correct horse", IdempotencyKey: "k1"}
		got := race(6, func(int) error {
			c, err := w.svc.Register(t.Context(), in)
			if err == nil {
				mu.Lock()
				ids[c.Account.ID]++
				if c.Replayed {
					replays++
				}
				mu.Unlock()
			}
			return err
		})
		if got[""] != 6 || len(ids) != 1 || replays != 5 {
			t.Errorf("%v, %d accounts, %d replays", got, len(ids), replays)
		}
		c, err := w.svc.Register(t.Context(), in)
		if err != nil || !c.Replayed {
			t.Fatal(err)
		}
		if _, err := w.svc.Me(w.as(c.Token)); err != nil {
			t.Errorf("a replay's token: %v", err)
		}
		in.Password = "another horse"
		if _, err := w.svc.Register(t.Context(), in); refusal(err) != "CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("another password under the key: %v", err)
		}
		in.Email = "b@example.com" // another email is another scope: nobody else's keys are in the way
		if c, err := w.svc.Register(t.Context(), in); err != nil || c.Replayed {
			t.Errorf("another email: %v", err)
		}
	})
}

func TestApiKeyEndsAtOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		w.as(c.ApiKey) // remembered, where keys are
		fresh, _, err := w.svc.RegenerateApiKey(c.ctx, "")
		if err != nil || fresh == c.ApiKey {
			t.Fatal(err)
		}
		if _, err := w.svc.Authenticate(t.Context(), comms.Presented{ApiKey: c.ApiKey}); refusal(err) != "UNAUTHENTICATED" {
			t.Errorf("the old key: %v", err)
		}
		if got, err := w.svc.ApiKey(w.as(fresh)); err != nil || got != fresh {
			t.Errorf("%v", err)
		}
		kinds, all := w.story(c.ctx)
		if fmt.Sprint(kinds) != "[apikey.regenerated]" || strings.Contains(all, "occ_") {
			t.Errorf("%v: %s", kinds, all)
		}
		// Another program on the same database ends a key: on PostgreSQL this one must not go by what it remembers.
		if w.store.Ordered() {
			return
		}
		w.as(fresh)
		if _, _, err := w.node("other").RegenerateApiKey(c.ctx, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := w.svc.Authenticate(t.Context(), comms.Presented{ApiKey: fresh}); refusal(err) != "UNAUTHENTICATED" {
			t.Errorf("a key that another node ended: %v", err)
		}
	})
}

func TestAuthenticateBySessionTokenAsksNothing(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		ctx, statements := db.CountStatements(t.Context())
		for range 3 {
			if _, err := w.svc.Authenticate(ctx, comms.Presented{Bearer: c.Token}); err != nil {
				t.Fatal(err)
			}
		}
		if n := statements.Load(); n != 0 {
			t.Errorf("%d statements", n)
		}
		other := newWorld(t, w.store) // has the same secret, but another database might have been put back
		err := w.store.Change(t.Context(), func(ctx context.Context, tx *ent.Client) error {
			return tx.Account.DeleteOneID(c.Account.ID).Exec(ctx)
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.svc.Authenticate(t.Context(), comms.Presented{Bearer: c.Token}); refusal(err) != "UNAUTHENTICATED" {
			t.Errorf("the token of an account that is gone: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }

func TestMatrixIDs(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		for _, id := range []string{"@yourname:matrix.example.com", "@a:localhost:8448", "@a/b=+-._:[2001:db8::1]:1", "@Upper:Example.org"} {
			if acc, err := w.svc.SetMatrixID(c.ctx, id); err != nil || acc.MatrixID == nil || *acc.MatrixID != id {
				t.Errorf("%q: %v", id, err)
			}
		}
		for _, id := range []string{"", "name:server", "@:server", "@name:", "@name", "@na me:server", "@name:ser ver", "@name:server\n",
			"@" + strings.Repeat("a", 255) + ":b", "@a\xff:b"} {
			if _, err := w.svc.SetMatrixID(c.ctx, id); refusal(err) != "INVALID matrixId" {
				t.Errorf("%q: %v", id, err)
			}
		}
		if kinds, _ := w.story(c.ctx); len(kinds) != 4 || kinds[0] != "account.updated" {
			t.Errorf("%v", kinds)
		}
	})
}

func TestOperator(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.register("a@example.com"), w.register("b@example.com")
		stale, err := w.svc.OperatorToken(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		token, err := w.svc.OperatorToken(t.Context()) // the next start
		if err != nil || token == "" || token == stale {
			t.Fatalf("%v", err)
		}
		if _, err := w.svc.Accounts(a.ctx, comms.Page{}); refusal(err) != "FORBIDDEN" {
			t.Errorf("not yet: %v", err)
		}
		for _, wrong := range []string{"", stale, token + "x"} {
			if _, err := w.svc.ClaimOperator(a.ctx, wrong); refusal(err) != "FORBIDDEN token" {
				t.Errorf("a wrong token: %v", err)
			}
		}
		both := []*registered{a, b}
		got := race(2, func(i int) error { return second(w.svc.ClaimOperator(both[i].ctx, token)) })
		if got[""] != 1 || got["FORBIDDEN token"] != 1 {
			t.Fatal(got)
		}
		if acc, err := w.svc.Me(a.ctx); err != nil {
			t.Fatal(err)
		} else if !acc.Operator {
			a, b = b, a
		}
		if again, err := w.svc.OperatorToken(t.Context()); again != "" || err != nil {
			t.Errorf("a token where there is an operator: %v", err)
		}
		page, err := w.svc.Accounts(a.ctx, comms.Page{})
		if err != nil || len(page.Items) != 2 {
			t.Fatalf("%+v, %v", page, err)
		}
		plan := comms.SetAccountPlan{AccountID: b.Account.ID, Plan: "business"}
		if _, err := w.svc.SetAccountPlan(b.ctx, plan); refusal(err) != "FORBIDDEN" {
			t.Errorf("somebody sets his own plan: %v", err)
		}
		if acc, err := w.svc.SetAccountPlan(a.ctx, plan); err != nil || acc.Plan != "business" {
			t.Errorf("%+v, %v", acc, err)
		}
		if _, err := w.svc.SetAccountPlan(a.ctx, comms.SetAccountPlan{AccountID: b.Account.ID, Plan: "gold"}); refusal(err) != "INVALID plan" {
			t.Errorf("no such plan: %v", err)
		}
		if _, err := w.svc.SetAccountPlan(a.ctx, comms.SetAccountPlan{AccountID: uuid.New(), Plan: "free"}); refusal(err) != "NOT_FOUND accountId" {
			t.Errorf("no such account: %v", err)
		}
	})
}
