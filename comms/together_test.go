package comms_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
)

// Whatever is done at once, no two changes ever wait for each other in a circle: on PostgreSQL that costs a second, and then one of them
// runs again. And nobody is turned away for what somebody else does.
func TestNoChangeRunsTwice(t *testing.T) {
	spied(t, func(w *world, s *spy) {
		accounts := make([]*side, 4)
		for i := range accounts {
			accounts[i] = w.owner(fmt.Sprintf("together%d@example.com", i))
		}
		var wg sync.WaitGroup
		for client := range 16 {
			wg.Go(func() {
				dice := rand.New(rand.NewPCG(1, uint64(client)))
				for i := range 40 {
					me, other := accounts[dice.IntN(len(accounts))], accounts[dice.IntN(len(accounts))]
					verb := verbs[dice.IntN(len(verbs))]
					err := verb.do(w, turn{me: me, other: other, dice: dice, word: fmt.Sprint(client, " ", i)})
					if err != nil && !comms.IsCode(err, comms.NotFound) {
						t.Errorf("%s: %v", verb.name, err)
					}
				}
			})
		}
		wg.Wait()
		// On SQLite nobody waits for a lock, and what runs again stood in one transaction before a change that failed.
		if changes, runs := s.changes.Load(), s.runs.Load(); changes != runs && !w.store.Ordered() {
			t.Errorf("%d changes ran %d times", changes, runs)
		}
	})
}

// A login writes the rows of several accounts' numbers, and so does whoever fetches messages: one waits for the other, never both.
func TestLoginsAndFetchesDoNotCross(t *testing.T) {
	spied(t, func(w *world, s *spy) {
		a, b := w.owner("a@example.com"), w.owner("b@example.com")
		var wg sync.WaitGroup
		for client := range 8 {
			wg.Go(func() {
				dice := rand.New(rand.NewPCG(2, uint64(client)))
				for i := range 40 {
					for _, verb := range verbs {
						if !slices.Contains([]string{"send", "take", "device"}, verb.name) {
							continue
						}
						c := turn{me: a, other: b, dice: dice, word: fmt.Sprint(client, i, verb.name)}
						if dice.IntN(2) == 0 {
							c.me, c.other = b, a
						}
						if err := verb.do(w, c); err != nil {
							t.Errorf("%s: %v", verb.name, err)
						}
					}
				}
			})
		}
		wg.Wait()
		if changes, runs := s.changes.Load(), s.runs.Load(); changes != runs && !w.store.Ordered() {
			t.Errorf("%d changes ran %d times", changes, runs)
		}
	})
}

// owner is a registered account with two numbers.
func (w *world) owner(email string) *side {
	w.Helper()
	c := w.register(email)
	s := &side{ctx: comms.WithActor(w.Context(), &comms.Actor{AccountID: c.Account.ID, Scopes: 1<<16 - 1}), account: c.Account.ID}
	for range 2 {
		s.numbers = append(s.numbers, w.number(s.ctx))
	}
	return s
}

// turn is one verb's turn.
type turn struct {
	me, other *side
	dice      *rand.Rand
	word      string
}

func (c turn) key() string {
	if c.dice.IntN(2) == 0 {
		return ""
	}
	return c.word
}

var verbs = []struct {
	name string
	do   func(w *world, c turn) error
}{
	{"send", sendAcross}, {"send", sendAcross}, {"send", sendAcross}, {"mark", markUnread}, {"mark", markUnread},
	{"take", func(w *world, c turn) error {
		return second(w.svc.TakeMessages(w.Context(), comms.TakeMessages{Numbers: append(ids(c.me), ids(c.other)[0])}))
	}},
	{"take the past", func(w *world, c turn) error {
		return second(w.svc.TakeMessages(w.Context(), comms.TakeMessages{Numbers: append(ids(c.other), ids(c.me)[1]), After: new(int64)}))
	}},
	{"rename", func(w *world, c turn) error { return second(w.svc.UpdateNumber(c.me.ctx, c.me.numbers[1].ID, c.word)) }},
	{"create and delete", func(w *world, c turn) error {
		n, err := w.svc.CreateNumber(c.me.ctx, comms.CreateNumber{PIN: "1234", CaptchaToken: w.captcha(), IdempotencyKey: c.key()})
		if err != nil {
			if comms.IsCode(err, comms.Conflict) {
				return nil // five at once
			}
			return err
		}
		var wg sync.WaitGroup
		wg.Go(func() { _ = second(w.svc.UpdateNumber(c.me.ctx, n.Number.ID, "x")) }) // there, or gone
		defer wg.Wait()
		return second(w.svc.DeleteNumber(c.me.ctx, n.Number.ID))
	}},
	{"matrix", func(w *world, c turn) error { return second(w.svc.SetMatrixID(c.me.ctx, "@a:b")) }},
	{"key", func(w *world, c turn) error { return third(w.svc.RegenerateApiKey(c.me.ctx, c.key())) }},
	{"token", func(w *world, c turn) error {
		in := comms.CreateApiToken{Scopes: comms.ReadAccount, Comment: c.word, IdempotencyKey: c.key()}
		return errors.Join(second(w.svc.CreateApiToken(c.me.ctx, in)), second(w.svc.RevokeApiTokens(c.me.ctx, c.word)))
	}},
	{"block", func(w *world, c turn) error {
		return errors.Join(second(w.svc.BlockNumber(c.me.ctx, comms.BlockNumber{Number: "+33123456789", IdempotencyKey: c.key()})),
			second(w.svc.UnblockNumber(c.me.ctx, "+33123456789")))
	}},
	{"device", func(w *world, c turn) error {
		return second(w.svc.RegisterDevice(w.Context(), comms.RegisterDevice{AppID: "app", Build: "b1", Name: "phone", Locale: "en",
			Token: fmt.Sprint("push token ", c.dice.IntN(3)), Numbers: []uuid.UUID{c.me.numbers[1].ID, c.other.numbers[0].ID}}))
	}},
	{"session", func(w *world, c turn) error {
		l, err := w.svc.OpenSession(c.me.ctx, "graphql")
		if err != nil {
			return err
		}
		return l.Close(w.Context())
	}},
	{"provision", func(w *world, c turn) error {
		wish := comms.Provision{}
		for _, i := range c.dice.Perm(4) {
			wish.Accounts = append(wish.Accounts, comms.ProvisionAccount{Email: fmt.Sprintf("together%d@example.com", i),
				Plan:    []string{"free", "business"}[c.dice.IntN(2)],
				Numbers: []comms.ProvisionNumber{{Number: fmt.Sprintf("+3312345678%d", i), Alias: &c.word}}})
		}
		return second(w.svc.Provision(w.Context(), wish))
	}},
	{"sweep", func(w *world, c turn) error { return w.svc.Sweep(w.Context(), clock.Now()) }},
}

func sendAcross(w *world, c turn) error {
	to := []string{c.other.numbers[0].Number, c.me.numbers[1].Number, c.other.numbers[1].Number}
	return second(w.svc.SendMessage(c.me.ctx, comms.SendMessage{From: c.me.numbers[0].ID, To: to, Text: c.word, IdempotencyKey: c.key()}))
}

func markUnread(w *world, c turn) error {
	p, err := w.svc.Messages(c.me.ctx, comms.MessageFilter{Direction: comms.Received, Delivered: new(bool)}, comms.Page{Last: new(20)})
	if err != nil || len(p.Items) == 0 {
		return err
	}
	var ids []int64
	for _, m := range p.Items {
		ids = append(ids, m.ID)
	}
	return second(w.svc.MarkDelivered(c.me.ctx, ids))
}

// A message is delivered once, also when it is marked and taken at one time, and both sides are told once.
func TestDeliveredOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		const n = 60
		all := make([]int64, n)
		for i := range all {
			all[i] = w.send(a, b.numbers[0], fmt.Sprint(i)).ID
		}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = w.svc.TakeMessages(t.Context(), comms.TakeMessages{Numbers: ids(b)})
				} else {
					_, err = w.svc.MarkDelivered(b.ctx, all)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for name, s := range map[string]*side{"sender": a, "receiver": b} {
			times := map[int64]int{}
			for _, e := range w.log(s) {
				if e.Kind == comms.MessageDelivered {
					times[e.Message.ID]++
				}
			}
			for _, id := range all {
				if times[id] != 1 {
					t.Errorf("the %s was told %d times that %d is delivered", name, times[id], id)
				}
			}
		}
		if n := w.count(func(db *ent.Client) (int, error) { return db.Message.Query().Count(context.Background()) }); n != len(all) {
			t.Errorf("%d messages", n)
		}
	})
}
