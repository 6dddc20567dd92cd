package mail

import (
	"context"
	"strings"
	"sync"
	"testing"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/internal/clock"
)

func TestAnAccountWaitsForItsOwner(t *testing.T) {
	onBoth(t, func(w *world) {
		acc := w.register("User@Domain.com")
		if acc.Active || acc.Email != "user@domain.com" {
			t.Errorf("%+v", acc)
		}
		login := func(password string) error {
			_, err := w.svc.Login(t.Context(), "user@domain.com", password)
			return err
		}
		w.wantRefusal(login("secretPassword"), "FORBIDDEN NOT_ACTIVATED")
		w.wantRefusal(login("another password"), "UNAUTHENTICATED")
		_, err := w.mails.RegisterByMail(t.Context(), RegisterByMail{Email: "user@domain.com", Password: "secretPassword", Base: "https://rec.example"})
		w.wantRefusal(err, "CONFLICT EMAIL_TAKEN")
		_, err = w.svc.Register(t.Context(), comms.Register{Email: "USER@domain.com", Password: "secretPassword"})
		w.wantRefusal(err, "CONFLICT EMAIL_TAKEN")

		w.run(w.mails)
		w.until("the letter", w.mails, func() bool { return len(w.post.all()) == 1 })
		letter := w.post.all()[0]
		token := tokenIn(letter.Text)
		if letter.To != "user@domain.com" || letter.Subject != "Activate your account" || token == "" {
			t.Fatalf("%+v", letter)
		}
		for _, odd := range []string{"", "x", token + "x", token[1:], strings.ToLower(token), acc.ID.String()} {
			_, err := w.mails.Activate(t.Context(), odd)
			w.wantRefusal(err, "NOT_FOUND LINK_EXPIRED")
		}
		outcomes := map[string]int{}
		var all sync.WaitGroup
		var mu sync.Mutex
		for range 6 {
			all.Go(func() {
				_, err := w.mails.Activate(t.Context(), token)
				mu.Lock()
				defer mu.Unlock()
				outcomes[refusal(err)]++
			})
		}
		all.Wait()
		if outcomes[""] != 1 || outcomes["CONFLICT"] != 5 {
			t.Errorf("six at once: %v", outcomes)
		}
		if err := login("secretPassword"); err != nil {
			t.Error(err)
		}
		for _, secret := range []string{token, "user@domain.com", "secretPassword"} {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

// expire lets the link of every account run out.
func (w *world) expire() {
	w.change(func(ctx context.Context, tx *ent.Client) error {
		return tx.Account.Update().Where(account.Active(false)).SetActivationUntil(clock.Now()).Exec(ctx)
	})
}

func TestAnAccountThatNobodyActivates(t *testing.T) {
	for name, again := range map[string]func(w *world) error{
		"registers by mail": func(w *world) error {
			_, err := w.mails.RegisterByMail(w.Context(), RegisterByMail{Email: "user@domain.com", Password: "another password", Base: "http://x"})
			return err
		},
		"registers": func(w *world) error {
			_, err := w.svc.Register(w.Context(), comms.Register{Email: "user@domain.com", Password: "another password"})
			return err
		},
		"is provisioned": func(w *world) error {
			_, err := w.svc.Provision(w.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{{Email: "user@domain.com", Password: "another password"}}})
			return err
		},
		"is swept": func(w *world) error { return w.svc.Sweep(w.Context(), clock.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(w *world) {
				first := w.register("user@domain.com")
				text, err := w.mails.in.Open(sealedAs(w.rows()[0].ID), w.rows()[0].TextSealed)
				if err != nil {
					t.Fatal(err)
				}
				w.expire()
				_, err = w.svc.Login(t.Context(), "user@domain.com", "secretPassword")
				w.wantRefusal(err, "UNAUTHENTICATED")
				_, err = w.mails.Activate(t.Context(), tokenIn(string(text)))
				w.wantRefusal(err, "NOT_FOUND LINK_EXPIRED")
				if err := again(w); err != nil {
					t.Fatal(err)
				}
				if there, err := w.store.Read().Account.Query().Where(account.ID(first.ID)).Exist(t.Context()); there || err != nil {
					t.Errorf("the old account is there: %t, %v", there, err)
				}
				for _, row := range w.rows() {
					if row.AccountID == first.ID {
						t.Error("its letter is still there")
					}
				}
				_, err = w.mails.Activate(t.Context(), tokenIn(string(text)))
				w.wantRefusal(err, "NOT_FOUND LINK_EXPIRED")
			})
		})
	}
}

// Whoever provisions an account chooses its password, also where somebody registered that email first and has not shown that it is his.
func TestProvisioningTakesThePlaceOfAnInactiveAccount(t *testing.T) {
	onBoth(t, func(w *world) {
		w.register("user@domain.com")
		_, err := w.svc.Provision(t.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{{Email: "user@domain.com", Password: "another password"}}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.svc.Login(t.Context(), "user@domain.com", "secretPassword")
		w.wantRefusal(err, "UNAUTHENTICATED")
		if _, err = w.svc.Login(t.Context(), "user@domain.com", "another password"); err != nil {
			t.Error(err)
		}
	})
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	onBoth(t, func(w *world) {
		for name, in := range map[string]RegisterByMail{
			"no email":       {Email: "nobody", Password: "secretPassword", Base: "http://x"},
			"short password": {Email: "a@example.com", Password: "1234567", Base: "http://x"},
			"no address":     {Email: "a@example.com", Password: "secretPassword", Base: ""},
			"no host":        {Email: "a@example.com", Password: "secretPassword", Base: "http://"},
			"no web":         {Email: "a@example.com", Password: "secretPassword", Base: "javascript://x"},
		} {
			if _, err := w.mails.RegisterByMail(t.Context(), in); refusal(err) != "INVALID" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(w.rows()) != 0 {
			t.Error("there are letters")
		}
		once := RegisterByMail{Email: "a@example.com", Password: "secretPassword", Base: "http://x", IdempotencyKey: "k"}
		a, err := w.mails.RegisterByMail(t.Context(), once)
		if err != nil || a.Replayed {
			t.Fatal(err)
		}
		b, err := w.mails.RegisterByMail(t.Context(), once)
		if err != nil || !b.Replayed || b.Account.ID != a.Account.ID || len(w.rows()) != 1 {
			t.Errorf("again: %+v, %v, %d letters", b, err, len(w.rows()))
		}
		w.expire()
		if err := w.svc.Sweep(t.Context(), clock.Now()); err != nil {
			t.Fatal(err)
		}
		_, err = w.mails.RegisterByMail(t.Context(), once)
		w.wantRefusal(err, "CONFLICT IDEMPOTENCY_KEY_REUSED")
	})
}
