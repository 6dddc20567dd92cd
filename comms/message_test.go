package comms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// world is a Service with accounts that were put straight into the store: how accounts are made is tested elsewhere.
type world struct {
	testing.TB
	svc   *comms.Service
	store *db.Store
	drawn int
}

// side is an account with its numbers.
type side struct {
	ctx     context.Context
	account uuid.UUID
	numbers []*comms.Number
}

func newWorld(t testing.TB, store *db.Store) *world {
	t.Helper()
	contents, err := content.Open(content.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := comms.New(comms.Options{Store: store, Contents: contents, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	return &world{TB: t, svc: svc, store: store}
}

func onBoth(t *testing.T, fn func(w *world)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newWorld(t, open(t))) })
}

func (w *world) side(numbers int) *side {
	w.Helper()
	s := &side{}
	err := w.store.Change(w.Context(), func(ctx context.Context, tx *ent.Client) error {
		w.drawn++
		a, err := tx.Account.Create().SetEmail(fmt.Sprintf("a%d@example.com", w.drawn)).SetPasswordHash("x").
			SetAPIKeyHash([]byte{byte(w.drawn)}).SetAPIKeySealed([]byte("x")).Save(ctx)
		if err != nil {
			return err
		}
		s.account = a.ID
		for range numbers {
			w.drawn++
			n, err := tx.Number.Create().SetAccountID(a.ID).SetNumber(fmt.Sprintf("+999%09d", 100000+w.drawn)).
				SetAlias(fmt.Sprint("alias ", w.drawn)).Save(ctx)
			if err != nil {
				return err
			}
			s.numbers = append(s.numbers, n)
		}
		return nil
	}, func() {})
	if err != nil {
		w.Fatal(err)
	}
	s.ctx = comms.WithActor(w.Context(), &comms.Actor{AccountID: s.account, Scopes: 1<<16 - 1})
	return s
}

func (w *world) send(from *side, to *comms.Number, text string) *comms.Message {
	w.Helper()
	sent, err := w.svc.SendMessage(from.ctx, comms.SendMessage{From: from.numbers[0].ID, To: []string{to.Number}, Text: text})
	if err != nil {
		w.Fatal(err)
	}
	return sent.Messages[0]
}

// refusal names an error as "CODE field REASON".
func refusal(err error) string {
	if err == nil {
		return ""
	}
	e := comms.AsError(err)
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Code, e.Field, e.Reason))
}

func TestSendMessage(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(2)
		sent, err := w.svc.SendMessage(a.ctx, comms.SendMessage{From: a.numbers[0].ID,
			To: []string{b.numbers[0].Number, strings.TrimPrefix(b.numbers[1].Number, "+"), b.numbers[0].Number}, Text: "grüß\x00dich"})
		if err != nil {
			t.Fatal(err)
		}
		if len(sent.Messages) != 3 {
			t.Fatalf("%d messages, want one for each receiver, twice for one named twice", len(sent.Messages))
		}
		for i, to := range []int{0, 1, 0} {
			m, err := w.svc.Message(b.ctx, sent.Messages[i].ID)
			if err != nil {
				t.Fatal(err)
			}
			text, inline := comms.InlineText(m)
			if m.ToNumber != b.numbers[to].Number || m.FromName != a.numbers[0].Alias || text != "grüß\x00dich" || !inline ||
				m.DataID != sent.Messages[0].ID || m.Length != 11 {
				t.Errorf("message %d: %+v", i, m)
			}
		}
		_, err = w.svc.Message(w.side(0).ctx, sent.Messages[0].ID)
		if got := refusal(err); got != "NOT_FOUND id" {
			t.Errorf("a stranger reads it: %q", got)
		}
	})
}

func TestSendMessageRefusals(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		to := b.numbers[0].Number
		blocker := w.side(1)
		if _, err := w.svc.BlockNumber(blocker.ctx, comms.BlockNumber{Number: a.numbers[0].Number}); err != nil {
			t.Fatal(err)
		}
		readOnly := comms.WithActor(t.Context(), &comms.Actor{AccountID: a.account, Scopes: comms.ReadMessages})
		from := a.numbers[0].ID
		for name, c := range map[string]struct {
			ctx  context.Context
			in   comms.SendMessage
			want string
		}{
			"nobody":             {t.Context(), comms.SendMessage{From: from, To: []string{to}}, "UNAUTHENTICATED"},
			"no scope":           {readOnly, comms.SendMessage{From: from, To: []string{to}}, "FORBIDDEN  SCOPE"},
			"another's number":   {b.ctx, comms.SendMessage{From: from, To: []string{to}}, "NOT_FOUND from"},
			"no number":          {a.ctx, comms.SendMessage{From: uuid.New(), To: []string{to}}, "NOT_FOUND from"},
			"another credential": {comms.AsNumber(t.Context(), b.numbers[0].ID), comms.SendMessage{From: from, To: []string{to}}, "NOT_FOUND from"},
			"nobody to get it":   {a.ctx, comms.SendMessage{From: from}, "INVALID to"},
			"no phone number":    {a.ctx, comms.SendMessage{From: from, To: []string{"yes"}}, "INVALID to"},
			"unknown receiver":   {a.ctx, comms.SendMessage{From: from, To: []string{to, "+999555555555"}}, "NOT_FOUND to"},
			"blocked":            {a.ctx, comms.SendMessage{From: from, To: []string{to, blocker.numbers[0].Number}}, "FORBIDDEN to BLOCKED"},
			"not UTF-8":          {a.ctx, comms.SendMessage{From: from, To: []string{to}, Text: "\xff"}, "INVALID text"},
			"short name":         {a.ctx, comms.SendMessage{From: from, To: []string{to}, CallerName: "x"}, "INVALID callerName"},
			"line in file name":  {a.ctx, comms.SendMessage{From: from, To: []string{to}, FileName: "a\nb"}, "INVALID fileName"},
			"too few bytes":      {a.ctx, comms.SendMessage{From: from, To: []string{to}, Data: strings.NewReader("ab"), Length: 3}, "INVALID length"},
			"no bytes":           {a.ctx, comms.SendMessage{From: from, To: []string{to}, Data: strings.NewReader(""), Length: 3}, "INVALID length"},
			"too many bytes":     {a.ctx, comms.SendMessage{From: from, To: []string{to}, Data: strings.NewReader("abcd"), Length: 3}, "INVALID length"},
			"file too short":     {a.ctx, comms.SendMessage{From: from, To: []string{to}, FileName: "ab", Data: strings.NewReader("ab"), Length: 3}, "INVALID length"},
			"broken text":        {a.ctx, comms.SendMessage{From: from, To: []string{to}, Data: strings.NewReader("\xc3"), Length: 1}, "INVALID text"},
			"broken long text": {a.ctx, comms.SendMessage{From: from, To: []string{to}, Length: 5001,
				Data: strings.NewReader(strings.Repeat("x", 5000) + "\xc3")}, "INVALID text"},
		} {
			_, err := w.svc.SendMessage(c.ctx, c.in)
			if got := refusal(err); got != c.want {
				t.Errorf("%s: %q, want %q (%v)", name, got, c.want, err)
			}
		}
		for _, s := range []*side{a, b, blocker} {
			page, err := w.svc.Messages(s.ctx, comms.MessageFilter{}, comms.Page{})
			if err != nil || len(page.Items) != 0 {
				t.Errorf("after refusals only: %d messages, %v", len(page.Items), err)
			}
		}
		if n, err := w.store.Read().Event.Query().Count(t.Context()); err != nil || n != 1 { // the block
			t.Errorf("%d events, %v", n, err)
		}
	})
}

func TestSendMessageLongTextInPieces(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		text := strings.Repeat("ü€😀", 1500) // characters of 2, 3 and 4 bytes fall across every border of reads
		sent, err := w.svc.SendMessage(a.ctx, comms.SendMessage{From: a.numbers[0].ID, To: []string{b.numbers[0].Number},
			Data: smallReads{strings.NewReader(text)}, Length: int64(len(text))})
		if err != nil {
			t.Fatal(err)
		}
		d, err := w.svc.OpenData(t.Context(), comms.OpenData{Number: b.numbers[0].ID, DataID: sent.Messages[0].DataID})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Reader.Close()
		got, err := io.ReadAll(d.Reader)
		if err != nil || string(got) != text || d.FileName != "" {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if _, err := w.svc.OpenData(t.Context(), comms.OpenData{Number: w.side(1).numbers[0].ID, DataID: sent.Messages[0].DataID}); refusal(err) != "NOT_FOUND uri" {
			t.Errorf("a stranger's number: %v", err)
		}
	})
}

type smallReads struct{ r io.Reader }

func (s smallReads) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), 5)]) }

func TestSendMessageOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		in := comms.SendMessage{From: a.numbers[0].ID, To: []string{b.numbers[0].Number}, Text: "once", IdempotencyKey: "k1"}
		ids := make([]int64, 8)
		var replayed, wg = make([]bool, len(ids)), sync.WaitGroup{}
		for i := range ids {
			wg.Go(func() {
				sent, err := w.svc.SendMessage(a.ctx, in)
				if err != nil {
					t.Error(err)
					return
				}
				ids[i], replayed[i] = sent.Messages[0].ID, sent.Replayed
			})
		}
		wg.Wait()
		first := 0
		for i := range ids {
			if ids[i] != ids[0] {
				t.Errorf("two messages: %v", ids)
			}
			if !replayed[i] {
				first++
			}
		}
		if first != 1 {
			t.Errorf("%d answers say that they are the first", first)
		}
		in.Text = "other"
		if _, err := w.svc.SendMessage(a.ctx, in); refusal(err) != "CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("another request with the key: %v", err)
		}
	})
}

func TestTakeMessagesHandsOutOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(2)
		want := map[int64]bool{}
		for i := range 60 {
			want[w.send(a, b.numbers[i%2], fmt.Sprint(i)).ID] = true
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				got, err := w.svc.TakeMessages(t.Context(), comms.TakeMessages{Numbers: []uuid.UUID{b.numbers[1].ID, b.numbers[0].ID, b.numbers[1].ID}})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, m := range got {
					if !want[m.ID] {
						t.Errorf("message %d was handed out twice", m.ID)
					}
					delete(want, m.ID)
				}
			})
		}
		wg.Wait()
		if len(want) != 0 {
			t.Errorf("%d messages were handed out to nobody", len(want))
		}
		past := time.Now().Add(-time.Hour).Unix()
		again, err := w.svc.TakeMessages(t.Context(), comms.TakeMessages{Numbers: []uuid.UUID{b.numbers[0].ID}, After: &past})
		if err != nil || len(again) != 30 {
			t.Errorf("the past: %d messages, %v", len(again), err)
		}
		_, err = w.svc.TakeMessages(t.Context(), comms.TakeMessages{Numbers: []uuid.UUID{b.numbers[0].ID, uuid.New()}})
		if refusal(err) != "NOT_FOUND uuid" {
			t.Error(err)
		}
	})
}

func TestMarkDelivered(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(1), w.side(1)
		one, two := w.send(a, b.numbers[0], "1"), w.send(a, b.numbers[0], "2")
		if _, err := w.svc.MarkDelivered(a.ctx, []int64{one.ID}); refusal(err) != "NOT_FOUND messageIds" {
			t.Errorf("the sender marks it: %v", err)
		}
		for range 2 { // the second time it stays as it is
			got, err := w.svc.MarkDelivered(b.ctx, []int64{two.ID, one.ID, two.ID})
			if err != nil || len(got) != 3 || got[0].ID != two.ID || got[1].ID != one.ID || got[2].DeliveredAt == nil {
				t.Fatalf("%v %v", got, err)
			}
		}
		n := 0
		for _, e := range w.log(a) {
			if e.Kind == comms.MessageDelivered {
				n++
			}
		}
		if n != 2 {
			t.Errorf("the sender was told %d times of two deliveries", n)
		}
	})
}

// log is all of an account's log.
func (w *world) log(s *side) []*comms.Event {
	w.Helper()
	watch, err := w.svc.OpenWatch(s.ctx, comms.Watch{})
	if err != nil {
		w.Fatal(err)
	}
	defer watch.Close()
	events, more, err := watch.Missed(s.ctx, 0, 10000)
	if err != nil || more {
		w.Fatal(more, err)
	}
	return events
}

func TestMessagesPages(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.side(2), w.side(1)
		var all []int64 // newest first, as a sees them
		for i := range 30 {
			var m *comms.Message
			switch i % 3 {
			case 0:
				m = w.send(a, b.numbers[0], "out")
			case 1:
				m = w.send(b, a.numbers[1], "in")
			case 2:
				m = w.send(a, a.numbers[1], "own")
			}
			all = append([]int64{m.ID}, all...)
		}
		var got []int64
		page := comms.Page{First: new(7)}
		for {
			p, err := w.svc.Messages(a.ctx, comms.MessageFilter{}, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range p.Items {
				got = append(got, m.ID)
			}
			if !p.HasNext {
				break
			}
			page.After = &p.Cursors[len(p.Cursors)-1]
		}
		if fmt.Sprint(got) != fmt.Sprint(all) {
			t.Errorf("pages give\n%v, want\n%v", got, all)
		}
		for name, c := range map[string]struct {
			f    comms.MessageFilter
			want int
		}{
			"all":      {comms.MessageFilter{}, 30},
			"received": {comms.MessageFilter{Direction: comms.Received}, 20},
			"sent":     {comms.MessageFilter{Direction: comms.SentOut}, 20},
			"number":   {comms.MessageFilter{NumberIDs: []uuid.UUID{a.numbers[1].ID}}, 20},
			"peer":     {comms.MessageFilter{Peer: b.numbers[0].Number}, 20},
			"until":    {comms.MessageFilter{Until: clock.From(time.Now().Add(-time.Hour))}, 0},
			"since":    {comms.MessageFilter{Since: clock.From(time.Now().Add(-time.Hour)), Until: clock.From(time.Now().Add(time.Hour))}, 30},
			"read":     {comms.MessageFilter{Delivered: new(true)}, 0},
		} {
			n, err := w.svc.CountMessages(a.ctx, c.f)
			p, err2 := w.svc.Messages(a.ctx, c.f, comms.Page{Last: new(100)})
			if err := errors.Join(err, err2); err != nil || n != c.want || len(p.Items) != c.want {
				t.Errorf("%s: count %d, list %d, want %d (%v)", name, n, len(p.Items), c.want, err)
			}
		}
	})
}
