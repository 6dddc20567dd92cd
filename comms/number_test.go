package comms_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// captcha is a token for one number.
func (w *world) captcha() string {
	w.Helper()
	q, err := w.svc.AskCaptcha(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	token, _, err := w.svc.SolveCaptcha(w.Context(), comms.SolveCaptcha{A: q.A, B: q.B, Answer: q.A + q.B})
	if err != nil {
		w.Fatal(err)
	}
	return token.String()
}

func (w *world) number(ctx context.Context) *comms.Number {
	w.Helper()
	n, err := w.svc.CreateNumber(ctx, comms.CreateNumber{Alias: "desk", PIN: "1234", CaptchaToken: w.captcha()})
	if err != nil {
		w.Fatal(err)
	}
	return n.Number
}

// change writes to the store past the rules.
func (w *world) change(fn func(ctx context.Context, tx *ent.Client) error) {
	w.Helper()
	if err := w.store.Change(w.Context(), fn, nil); err != nil {
		w.Fatal(err)
	}
}

func TestCaptcha(t *testing.T) {
	onBoth(t, func(w *world) {
		solve := func(a, b, answer int) string {
			return refusal(third(w.svc.SolveCaptcha(t.Context(), comms.SolveCaptcha{A: a, B: b, Answer: answer})))
		}
		q, err := w.svc.AskCaptcha(t.Context())
		if err != nil || q.Text != fmt.Sprintf("%d + %d = ?", q.A, q.B) {
			t.Fatalf("%+v, %v", q, err)
		}
		if got := solve(q.A, q.B, q.A+q.B+1); got != "INVALID answer WRONG_ANSWER" {
			t.Errorf("wrong: %q", got)
		}
		if got := solve(q.A, q.B, q.A+q.B); got != "INVALID a CAPTCHA" {
			t.Errorf("a wrong answer did not spend the question: %q", got)
		}
		if got := solve(-1, 2, 1); got != "INVALID a CAPTCHA" {
			t.Errorf("never asked: %q", got)
		}
		if q, err = w.svc.AskCaptcha(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := race(6, func(int) error {
			return third(w.svc.SolveCaptcha(t.Context(), comms.SolveCaptcha{A: q.A, B: q.B, Answer: q.A + q.B}))
		})
		if got[""] != 1 || got["INVALID a CAPTCHA"] != 5 {
			t.Errorf("one question answered by many: %v", got)
		}
		asked := map[[2]int]bool{}
		for range 100 {
			q, err := w.svc.AskCaptcha(t.Context())
			if err != nil || asked[[2]int{q.A, q.B}] {
				t.Fatalf("%+v was asked twice: %v", q, err)
			}
			asked[[2]int{q.A, q.B}] = true
		}
	})
}

func TestCaptchasEnd(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		token := w.captcha()
		late, err := w.svc.AskCaptcha(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Captcha.Update().SetExpiresAt(clock.Now()).Exec(ctx)
		})
		_, _, err = w.svc.SolveCaptcha(t.Context(), comms.SolveCaptcha{A: late.A, B: late.B, Answer: late.A + late.B})
		if refusal(err) != "INVALID a CAPTCHA" {
			t.Errorf("an old question: %v", err)
		}
		_, err = w.svc.CreateNumber(c.ctx, comms.CreateNumber{PIN: "1234", CaptchaToken: token})
		if refusal(err) != "INVALID captchaToken CAPTCHA" {
			t.Errorf("an old token: %v", err)
		}
		if err := w.svc.Sweep(t.Context(), clock.Now()); err != nil {
			t.Fatal(err)
		}
		if n := w.count(func(db *ent.Client) (int, error) { return db.Captcha.Query().Count(t.Context()) }); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

func TestCreateNumber(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		token := w.captcha()
		good := comms.CreateNumber{Alias: "業務專線", PIN: "1234", CaptchaToken: token}
		with := func(change func(*comms.CreateNumber)) comms.CreateNumber { in := good; change(&in); return in }
		for name, r := range map[string]struct {
			in   comms.CreateNumber
			want string
		}{
			"short pin":   {with(func(in *comms.CreateNumber) { in.PIN = "123" }), "INVALID pin"},
			"long pin":    {with(func(in *comms.CreateNumber) { in.PIN = "123456789" }), "INVALID pin"},
			"letters":     {with(func(in *comms.CreateNumber) { in.PIN = "12a4" }), "INVALID pin"},
			"wide digits": {with(func(in *comms.CreateNumber) { in.PIN = "１２" }), "INVALID pin"},
			"long alias":  {with(func(in *comms.CreateNumber) { in.Alias = strings.Repeat("線", 65) }), "INVALID alias"},
			"bad alias":   {with(func(in *comms.CreateNumber) { in.Alias = "a\xff" }), "INVALID alias"},
			"no token":    {with(func(in *comms.CreateNumber) { in.CaptchaToken = "" }), "INVALID captchaToken CAPTCHA"},
			"odd token":   {with(func(in *comms.CreateNumber) { in.CaptchaToken = uuid.NewString() }), "INVALID captchaToken CAPTCHA"},
		} {
			if _, err := w.svc.CreateNumber(c.ctx, r.in); refusal(err) != r.want {
				t.Errorf("%s: %q, want %q", name, refusal(err), r.want)
			}
		}
		out, err := w.svc.CreateNumber(c.ctx, good) // the refusals did not spend the token
		if err != nil {
			t.Fatal(err)
		}
		n := out.Number
		if !regexp.MustCompile(`^\+999\d{9}$`).MatchString(n.Number) || strings.HasPrefix(n.Number, "+99900000") || n.Alias != good.Alias {
			t.Errorf("%+v", n)
		}
		if kinds, all := w.story(c.ctx); fmt.Sprint(kinds) != "[number.created]" || strings.Contains(all, "$2a$") || strings.Contains(all, token) {
			t.Errorf("%v: %s", kinds, all)
		}
		if _, err := w.svc.CreateNumber(c.ctx, good); refusal(err) != "INVALID captchaToken CAPTCHA" {
			t.Errorf("a token twice: %v", err)
		}
	})
}

func TestOneTokenIsGoodForOneNumber(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b, token := w.register("a@example.com"), w.register("b@example.com"), w.captcha()
		got := race(6, func(i int) error {
			ctx := []context.Context{a.ctx, b.ctx}[i%2]
			return second(w.svc.CreateNumber(ctx, comms.CreateNumber{PIN: "1234", CaptchaToken: token}))
		})
		if got[""] != 1 || got["INVALID captchaToken CAPTCHA"] != 5 {
			t.Error(got)
		}
	})
}

func TestFiveNumbers(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		tokens := make([]string, 8)
		for i := range tokens {
			tokens[i] = w.captcha()
		}
		made := make([]bool, len(tokens))
		got := race(len(tokens), func(i int) error {
			_, err := w.svc.CreateNumber(c.ctx, comms.CreateNumber{PIN: "1234", CaptchaToken: tokens[i]})
			made[i] = err == nil
			return err
		})
		if got[""] != 5 || got["CONFLICT input NUMBER_LIMIT"] != 3 {
			t.Fatal(got)
		}
		kept := tokens[slices.Index(made, false)]
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Account.UpdateOneID(c.Account.ID).SetPlan("business").Exec(ctx)
		})
		if _, err := w.svc.CreateNumber(c.ctx, comms.CreateNumber{PIN: "1234", CaptchaToken: kept}); err != nil {
			t.Errorf("the refused creation spent its token, or the plan has a limit: %v", err)
		}
		if all, err := w.svc.AllNumbers(c.ctx); err != nil || len(all) != 6 {
			t.Errorf("%d, %v", len(all), err)
		}
	})
}

func TestCreateNumberWithKey(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		in := comms.CreateNumber{PIN: "1234", CaptchaToken: w.captcha(), IdempotencyKey: "k"}
		got := race(5, func(int) error { return second(w.svc.CreateNumber(c.ctx, in)) })
		if got[""] != 5 {
			t.Errorf("the same request at once: %v", got)
		}
		out, err := w.svc.CreateNumber(c.ctx, in)
		all, err2 := w.svc.AllNumbers(c.ctx)
		if err != nil || err2 != nil || !out.Replayed || len(all) != 1 || out.Number.ID != all[0].ID || out.Number.Number != all[0].Number {
			t.Errorf("%+v %+v, %v, %v", out, all, err, err2)
		}
		if err := w.svc.ChangeNumberPIN(c.ctx, comms.ChangeNumberPIN{ID: all[0].ID, Current: "1234", New: "5678"}); err != nil {
			t.Fatal(err)
		}
		if out, err := w.svc.CreateNumber(c.ctx, in); err != nil || !out.Replayed {
			t.Errorf("after a change of the PIN it is still the same request: %v", err)
		}
		for name, change := range map[string]func(*comms.CreateNumber){
			"pin": func(in *comms.CreateNumber) { in.PIN = "4321" }, "alias": func(in *comms.CreateNumber) { in.Alias = "x" },
			"token": func(in *comms.CreateNumber) { in.CaptchaToken = uuid.NewString() },
		} {
			other := in
			change(&other)
			if _, err := w.svc.CreateNumber(c.ctx, other); refusal(err) != "CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED" {
				t.Errorf("another %s: %v", name, err)
			}
		}
		if _, err := w.svc.BlockNumber(c.ctx, comms.BlockNumber{Number: "+886912345678", IdempotencyKey: "k"}); refusal(err) != "CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("another verb: %v", err)
		}
		w.keysEnd(c, in)
	})
}

// keysEnd shows that a key is new again after 24 hours, whether it was swept away or not.
func (w *world) keysEnd(c *registered, in comms.CreateNumber) {
	w.Helper()
	for range 2 {
		w.change(func(ctx context.Context, tx *ent.Client) error {
			old := clock.Now().Add(-24 * time.Hour)
			return second(tx.ExecContext(ctx, fmt.Sprintf("UPDATE idempotency_keys SET created_at = %d", old)))
		})
		in.CaptchaToken = w.captcha()
		if out, err := w.svc.CreateNumber(c.ctx, in); err != nil || out.Replayed {
			w.Errorf("an old key: %v", err)
		}
	}
	if err := w.svc.Sweep(w.Context(), clock.Now().Add(24*time.Hour)); err != nil {
		w.Fatal(err)
	}
	if n := w.count(func(db *ent.Client) (int, error) { return db.IdempotencyKey.Query().Count(w.Context()) }); n != 0 {
		w.Errorf("%d keys are left", n)
	}
}

func TestNumbersOfOthersDoNotExist(t *testing.T) {
	onBoth(t, func(w *world) {
		owner, stranger := w.register("a@example.com"), w.register("b@example.com")
		n := w.number(owner.ctx)
		for id, ctx := range map[uuid.UUID]context.Context{n.ID: stranger.ctx, uuid.New(): owner.ctx} {
			for what, err := range map[string]error{
				"read": second(w.svc.Number(ctx, id)), "update": second(w.svc.UpdateNumber(ctx, id, "x")),
				"delete": second(w.svc.DeleteNumber(ctx, id)),
				"pin":    w.svc.ChangeNumberPIN(ctx, comms.ChangeNumberPIN{ID: id, Current: "1234", New: "5678"}),
			} {
				if refusal(err) != "NOT_FOUND id" {
					t.Errorf("%s: %v", what, err)
				}
			}
			if got, err := w.svc.NumbersByID(ctx, []uuid.UUID{id}); err != nil || len(got) != 0 {
				t.Errorf("%v, %v", got, err)
			}
		}
		mine, err := w.svc.NumbersByID(owner.ctx, []uuid.UUID{n.ID, n.ID, uuid.New()})
		if err != nil || len(mine) != 1 || mine[n.ID].Number != n.Number {
			t.Errorf("%v, %v", mine, err)
		}
		if got, err := w.svc.UpdateNumber(owner.ctx, n.ID, ""); err != nil || got.Alias != "" {
			t.Errorf("%+v, %v", got, err)
		}
		if kinds, _ := w.story(owner.ctx); fmt.Sprint(kinds) != "[number.created number.updated]" {
			t.Error(kinds)
		}
		if kinds, all := w.story(stranger.ctx); len(kinds) != 0 || strings.Contains(all, n.ID.String()) {
			t.Error(kinds)
		}
	})
}

func TestPINs(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		n := w.number(c.ctx)
		change := func(current, fresh string) string {
			return refusal(w.svc.ChangeNumberPIN(c.ctx, comms.ChangeNumberPIN{ID: n.ID, Current: current, New: fresh}))
		}
		for _, try := range [][3]string{{"1235", "5678", "FORBIDDEN currentPin WRONG_PIN"}, {"", "5678", "FORBIDDEN currentPin WRONG_PIN"},
			{"1234", "56", "INVALID newPin"}, {"1234", "5678", ""}, {"1234", "5678", "FORBIDDEN currentPin WRONG_PIN"}, {"5678", "12345678", ""}} {
			if got := change(try[0], try[1]); got != try[2] {
				t.Errorf("%v: %q", try, got)
			}
		}
		got := race(2, func(i int) error {
			return w.svc.ChangeNumberPIN(c.ctx, comms.ChangeNumberPIN{ID: n.ID, Current: "12345678", New: fmt.Sprint(1000 + i)})
		})
		if got[""] != 1 {
			t.Errorf("both knew the current PIN: %v", got)
		}
		stored, err := w.store.Read().Number.Get(t.Context(), n.ID)
		if err != nil || !strings.HasPrefix(stored.PinHash, "$2a$") {
			t.Errorf("stored as %q, %v", stored.PinHash, err)
		}
	})
}

func TestPINTriesAreCounted(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		n := w.number(c.ctx)
		svc := w.with(comms.Throttle{PIN: comms.Rate{N: 3, Per: time.Hour}})
		try := func(pin string) error {
			return svc.ChangeNumberPIN(c.ctx, comms.ChangeNumberPIN{ID: n.ID, Current: pin, New: "1234"})
		}
		for _, pin := range []string{"0000", "1111", "1234"} { // the right one clears the count
			if err := try(pin); (err == nil) != (pin == "1234") {
				t.Fatalf("%s: %v", pin, err)
			}
		}
		got := race(8, func(int) error { return try("9999") })
		if got["FORBIDDEN currentPin WRONG_PIN"] != 3 || got["LIMITED"] != 5 {
			t.Errorf("%v", got)
		}
		if err := try("1234"); refusal(err) != "LIMITED" {
			t.Errorf("after too many the right one is not looked at: %v", err)
		}
	})
}

func TestDeleteNumber(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		gone, kept := w.number(c.ctx), w.number(c.ctx)
		w.calls(gone, "answered", "missed")
		w.calls(kept, "blocked")
		got := race(4, func(int) error { return second(w.svc.DeleteNumber(c.ctx, gone.ID)) })
		if got[""] != 1 || got["NOT_FOUND id"] != 3 {
			t.Error(got)
		}
		left := w.count(func(db *ent.Client) (int, error) {
			return db.Call.Query().Where(call.NumberID(kept.ID)).Count(t.Context())
		})
		if all := w.count(func(db *ent.Client) (int, error) { return db.Call.Query().Count(t.Context()) }); left != 1 || all != 1 {
			t.Errorf("%d calls of the number that is left, %d in all", left, all)
		}
		if n := w.count(func(db *ent.Client) (int, error) { return db.RetiredNumber.Query().Count(t.Context()) }); n != 1 {
			t.Errorf("%d retired numbers", n)
		}
		if kinds, _ := w.story(c.ctx); fmt.Sprint(kinds) != "[number.created number.created number.deleted]" {
			t.Error(kinds)
		}
	})
}
