package mail

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"switchboard/ent"
	"switchboard/ent/mail"
	"switchboard/internal/clock"
)

func TestLettersAreTriedUntilTheyAreTaken(t *testing.T) {
	onBoth(t, func(w *world) {
		n := 0
		w.post.says(func(context.Context, Envelope) error {
			if n++; n <= 3 {
				return []error{nil, &Failure{Later, errNo}, &Failure{Away, errNo}, errors.New("something else")}[n]
			}
			return nil
		})
		w.register("user@domain.com")
		if row := w.rows()[0]; bytes.Contains(row.TextSealed, []byte("rec.example")) {
			t.Error("the letter is stored as it is")
		}
		w.run(w.mails)
		w.until("the letter", w.mails, func() bool { return len(w.post.all()) == 1 && len(w.rows()) == 0 })
		if n != 4 {
			t.Errorf("%d tries", n)
		}
		for _, word := range []string{"problem=later", "problem=away", "u...@domain.com", "a letter was sent"} {
			if !strings.Contains(w.log.String(), word) {
				t.Errorf("the log says nothing of %q: %s", word, w.log)
			}
		}
	})
}

func TestLettersThatAreGivenUp(t *testing.T) {
	for problem, prepare := range map[Problem]func(w *world){
		Refused: func(w *world) {
			w.post.says(func(context.Context, Envelope) error { return &Failure{Refused, errNo} })
		},
		Tired: func(w *world) {
			w.post.says(func(context.Context, Envelope) error { return &Failure{Later, errNo} })
			_, w.mails = w.start("one", Patience{First: time.Millisecond, Longest: time.Millisecond, Days: time.Nanosecond, Rest: time.Millisecond})
		},
		Unread: func(w *world) {
			w.change(func(ctx context.Context, tx *ent.Client) error {
				row := w.rows()[0]
				if err := tx.Mail.DeleteOne(row).Exec(ctx); err != nil {
					return err
				}
				return tx.Mail.Create().SetID(row.ID).SetAccountID(row.AccountID).SetAddress(row.Address).SetSubject(row.Subject).
					SetTextSealed([]byte("of another key")).SetNextAt(row.NextAt).SetCreatedAt(row.CreatedAt).Exec(ctx)
			})
		},
	} {
		t.Run(string(problem), func(t *testing.T) {
			onBoth(t, func(w *world) {
				w.register("user@domain.com")
				prepare(w)
				w.run(w.mails)
				w.until("the end", w.mails, func() bool { return w.rows()[0].RefusedAt != nil && strings.Contains(w.log.String(), "given up") })
				row := w.rows()[0]
				if row.Problem != string(problem) || row.Tries != 1 || strings.Contains(w.log.String(), "user@domain") {
					t.Errorf("%+v, %s", row, w.log)
				}
				if err := w.mails.Sweep(t.Context(), clock.Now()); err != nil || len(w.rows()) != 1 {
					t.Errorf("swept at once: %v", err)
				}
				if err := w.mails.Sweep(t.Context(), clock.Now().Add(31*24*time.Hour)); err != nil || len(w.rows()) != 0 {
					t.Errorf("not swept: %v", err)
				}
			})
		})
	}
}

// Whoever dies with a letter in hand, before or after the server took it, leaves it to the next, who sends the same letter.
func TestALetterInDeadHands(t *testing.T) {
	onBoth(t, func(w *world) {
		w.register("user@domain.com")
		first, err := w.mails.take(t.Context())
		if err != nil || first == nil {
			t.Fatal(first, err)
		}
		if again, err := w.mails.take(t.Context()); again != nil || err != nil {
			t.Fatalf("taken twice: %v, %v", again, err)
		}
		if err := w.post.Send(t.Context(), Envelope{ID: first.ID}); err != nil { // and then it was killed
			t.Fatal(err)
		}
		w.change(func(ctx context.Context, tx *ent.Client) error { // its lease ends
			return tx.Mail.Update().SetLeaseUntil(clock.Now()).SetNextAt(clock.Now()).Exec(ctx)
		})
		_, next := w.start("two", quick())
		w.run(next)
		w.until("the letter", next, func() bool { return len(w.rows()) == 0 })
		if sent := w.post.all(); len(sent) != 2 || sent[1].ID != first.ID {
			t.Errorf("%+v", sent)
		}
		// What the dead one would still write down about it changes nothing.
		w.mails.postpone(t.Context(), w.mails.in.Log(), first, failed{err: &Failure{Refused, errNo}})
	})
}

func TestTwoProcessesSendEachLetterOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		const letters = 20
		for i := range letters {
			w.register("user" + string(rune('a'+i)) + "@domain.com")
		}
		_, other := w.start("two", quick())
		w.run(w.mails)
		w.run(other)
		w.until("all letters", other, func() bool { return len(w.rows()) == 0 })
		seen := map[string]bool{}
		for _, e := range w.post.all() {
			if seen[e.ID.String()] {
				t.Errorf("%s was sent twice", e.ID)
			}
			seen[e.ID.String()] = true
		}
		if len(seen) != letters {
			t.Errorf("%d letters", len(seen))
		}
	})
}

// A server that takes the connection and says nothing holds neither a registration nor the end of the program, and the letter is free at once.
func TestAServerThatFallsSilent(t *testing.T) {
	onBoth(t, func(w *world) {
		asked := make(chan struct{}, 100)
		w.post.says(func(ctx context.Context, _ Envelope) error {
			asked <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		w.register("a@domain.com")
		stop := w.run(w.mails)
		<-asked
		w.register("b@domain.com") // nobody waits
		stop()
		for _, row := range w.rows() {
			if row.LeaseUntil != nil || row.NextAt > clock.Now() || row.Tries != 0 {
				t.Errorf("%+v", row)
			}
		}
		w.post.says(nil)
		_, next := w.start("one", quick())
		w.run(next)
		w.until("both letters", next, func() bool { return len(w.post.all()) == 2 })
	})
}

// While nobody answers, letters are not tried one after the other as fast as it goes.
func TestAServerThatIsAwayIsLeftAlone(t *testing.T) {
	onBoth(t, func(w *world) {
		for i := range 12 {
			w.register("user" + string(rune('a'+i)) + "@domain.com")
		}
		_, slow := w.start("one", Patience{First: time.Hour, Longest: time.Hour, Rest: time.Hour})
		w.post.says(func(context.Context, Envelope) error { return &Failure{Away, errNo} })
		stop := w.run(slow)
		w.until("a try", slow, func() bool { return strings.Contains(w.log.String(), "problem=away") })
		stop()
		if tried, err := w.store.Read().Mail.Query().Where(mail.TriesGT(0)).Count(t.Context()); err != nil || tried == 0 || tried > 2*desks {
			t.Errorf("%d were tried, %v", tried, err)
		}
	})
}

func TestAddressesInTheLog(t *testing.T) {
	for address, want := range map[string]string{"user@domain.com": "u...@domain.com", "é@x": "é...@x", "": "...", "@x": "...", "nobody": "..."} {
		if got := Shortened(address); got != want {
			t.Errorf("%q is %q", address, got)
		}
	}
}
