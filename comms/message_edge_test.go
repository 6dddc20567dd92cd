package comms_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect/sql"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/idempotencykey"
	"switchboard/internal/clock"
)

// The same key answers the first result also for data, whatever has become of the receiver.
func TestDataSentOnceToWhoBlockedMeanwhile(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		send := func(key string) (*comms.Sent, error) {
			return w.svc.SendMessage(a.ctx, comms.SendMessage{From: a.numbers[0].ID, To: []string{b.numbers[0].Number},
				Data: strings.NewReader("data"), Length: 4, FileName: "a.txt", IdempotencyKey: key})
		}
		first, err := send("k")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.svc.BlockNumber(b.ctx, comms.BlockNumber{Number: a.numbers[0].Number}); err != nil {
			t.Fatal(err)
		}
		again, err := send("k")
		if err != nil || !again.Replayed || again.Messages[0].ID != first.Messages[0].ID {
			t.Errorf("%+v, %v", again, err)
		}
		if _, err := send("another"); refusal(err) != "FORBIDDEN to BLOCKED" {
			t.Error(err)
		}
	})
}

// An id holds 278 years: the border of a filter may lie anywhere.
func TestMessagesUntilAnyTime(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.side(1)
		w.send(a, a.numbers[0], "x")
		born := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, c := range []struct {
			since, until clock.Micros
			want         int
		}{
			{0, clock.From(born.Add(time.Duration(1<<43) * time.Millisecond)), 1},
			{0, clock.From(time.UnixMilli(born.UnixMilli() + 1<<44 + 3600_000)), 1},
			{0, clock.From(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)), 1},
			{0, 1<<63 - 1, 1},
			{-1 << 63, 0, 1},
			{clock.From(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)), 0, 0},
			{1<<63 - 1, 1<<63 - 1, 0},
			{0, clock.From(born.Add(-time.Hour)), 0},
			{0, -1 << 63, 0},
		} {
			p, err := w.svc.Messages(a.ctx, comms.MessageFilter{Since: c.since, Until: c.until}, comms.Page{})
			if err != nil || len(p.Items) != c.want {
				t.Errorf("from %d until %d: %d messages, want %d (%v)", c.since, c.until, len(p.Items), c.want, err)
			}
		}
	})
}

// What could not be opened says what it was, but not whose: a number's id is its credential, and the error is logged.
func TestSealedErrorsNameNobody(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.side(1)
		ctx := comms.AsNumber(t.Context(), a.numbers[0].ID)
		in := comms.SendMessage{From: a.numbers[0].ID, To: []string{a.numbers[0].Number}, Text: "x", IdempotencyKey: "the client's word"}
		if _, err := w.svc.SendMessage(ctx, in); err != nil {
			t.Fatal(err)
		}
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.IdempotencyKey.Update().Modify(func(u *sql.UpdateBuilder) { u.Set(idempotencykey.FieldResult, []byte("spoiled")) }).Exec(ctx)
		})
		_, err := w.svc.SendMessage(ctx, in)
		if refusal(err) != "INTERNAL" {
			t.Fatal(err)
		}
		for _, secret := range []string{a.numbers[0].ID.String(), in.IdempotencyKey} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q is in %q", secret, err)
			}
		}
	})
}
