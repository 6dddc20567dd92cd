package comms_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/idempotencykey"
	"switchboard/internal/clock"
	"switchboard/internal/house"
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

// What is unread is looked for behind a mark. Nothing may come to lie before it, wherever the clock stood when it was moved.
func TestNothingLiesBehindTheMark(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(2)
		first, second := b.numbers[0], b.numbers[1]
		take := func(n *comms.Number) (texts []string) {
			got, err := w.svc.TakeMessages(t.Context(), comms.TakeMessages{Numbers: []uuid.UUID{n.ID}})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range got {
				texts = append(texts, m.Text)
			}
			return texts
		}
		expect := func(n *comms.Number, want ...string) {
			t.Helper()
			if got := take(n); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		}
		w.send(a, first, "1")
		other := w.send(a, second, "2")
		expect(first, "1")
		expect(second, "2")
		w.send(a, second, "3")
		w.send(a, first, "4")
		expect(first, "4")
		expect(first)
		expect(second, "3")

		// The clock is put back by a year, and the program started again.
		ahead := other.ID + (365*24*time.Hour).Milliseconds()<<20
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Number.UpdateOneID(first.ID).SetReadTo(ahead).Exec(ctx)
		})
		if m := w.send(a, first, "5"); m.ID <= ahead {
			t.Errorf("the id %d is not above the mark %d", m.ID, ahead)
		}
		expect(first, "5")

		// A mark that stayed behind is moved by a get that finds nothing.
		if got := w.markOf(second.ID); got >= ahead {
			t.Fatalf("the mark %d is ahead already", got)
		}
		before := w.markOf(second.ID)
		w.change(func(ctx context.Context, tx *ent.Client) error {
			return tx.Number.UpdateOneID(second.ID).SetReadTo(1).Exec(ctx)
		})
		expect(second)
		if got := w.markOf(second.ID); w.store.Ordered() && got <= before {
			t.Errorf("the mark is still %d", got)
		}
	})
}

func (w *world) markOf(number uuid.UUID) int64 {
	n, err := w.store.Read().Number.Get(w.Context(), number)
	if err != nil {
		w.Fatal(err)
	}
	return n.ReadTo
}

// More than one call hands out are left for the next, in order.
func TestTakeMessagesInPieces(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		to := make([]string, 700)
		for i := range to {
			to[i] = b.numbers[0].Number
		}
		for range 3 {
			if _, err := w.svc.SendMessage(a.ctx, comms.SendMessage{From: a.numbers[0].ID, To: to, Text: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		last := int64(0)
		for _, want := range []int{2000, 100, 0} {
			got, err := w.svc.TakeMessages(t.Context(), comms.TakeMessages{Numbers: []uuid.UUID{b.numbers[0].ID}})
			if err != nil || len(got) != want {
				t.Fatalf("%d messages, want %d (%v)", len(got), want, err)
			}
			for _, m := range got {
				if m.ID <= last {
					t.Errorf("%d after %d", m.ID, last)
				}
				last = m.ID
			}
		}
	})
}

// What a lone message costs is the pages that its commit writes: an index more, or a longer row, would show here on any machine.
func TestPagesOfAMessage(t *testing.T) {
	w := newWorld(t, house.SQLite(t))
	a, b := w.side(1), w.side(1)
	before := w.logSize()
	const n = 200
	for range n {
		w.send(a, b.numbers[0], strings.Repeat("x", 100))
	}
	if pages := float64(w.logSize()-before) / 4120 / n; pages < 3 || pages > 7.6 {
		t.Errorf("%.2f pages a message", pages)
	}
}

// logSize is the length of SQLite's write-ahead log, a header of 24 bytes and a page of 4096 for each that was written.
func (w *world) logSize() int64 {
	w.Helper()
	rows, err := w.store.Read().QueryContext(w.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'")
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	var file string
	if !rows.Next() || rows.Scan(&file) != nil {
		w.Fatal("the database has no file", rows.Err())
	}
	info, err := os.Stat(file + "-wal")
	if err != nil {
		w.Fatal(err)
	}
	return info.Size()
}
