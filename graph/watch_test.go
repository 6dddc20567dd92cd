package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"switchboard/comms"
	"switchboard/internal/house"
)

// listener is a subscriber's end that keeps what it gets.
type listener struct {
	mu   sync.Mutex
	got  []int64
	body map[int64]string
	wake chan struct{}
	stop bool
}

func newListener() *listener {
	return &listener{wake: make(chan struct{}, 1), body: map[int64]string{}}
}

func (l *listener) deliver(d *delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop {
		return false
	}
	l.got = append(l.got, d.id)
	l.body[d.id] = string(d.payload)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

func (l *listener) room(ctx context.Context) error { return ctx.Err() }

// until waits for the event with this id.
func (l *listener) until(ctx context.Context, id int64) error {
	for {
		l.mu.Lock()
		n := len(l.got)
		last := int64(0)
		if n > 0 {
			last = l.got[n-1]
		}
		l.mu.Unlock()
		if last >= id {
			return nil
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return fmt.Errorf("got %d events, the last is %d, not %d: %w", n, last, id, ctx.Err())
		}
	}
}

// hang stops the listener and tells the last id that it has.
func (l *listener) hang() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop = true
	if len(l.got) == 0 {
		return 0
	}
	return l.got[len(l.got)-1]
}

// watching plans a subscription as a transport does, and joins it.
func watching(ctx context.Context, h *Handler, query, after string, out sink) (*member, error) {
	p := &graphql.RawParams{Query: query, Variables: map[string]any{}}
	if after != "" {
		p.Variables["after"] = after
	}
	op, errs := h.prepare(ctx, p)
	if errs != nil {
		return nil, errs
	}
	w, errs := h.plan(ctx, op)
	if errs != nil {
		return nil, errs
	}
	return h.groups.join(ctx, subscription{op: op, watcher: w, out: out}), nil
}

const (
	watchAll     = `subscription($after: String) { events(after: $after) { cursor kind } }`
	watchBlocked = `subscription($after: String) { events(after: $after, kinds: [NUMBER_BLOCKED, NUMBER_UNBLOCKED]) { cursor ... on BlockEvent { number } } }`
)

func cursorOf(id int64) string { return (&comms.Event{ID: id}).Cursor() }

// allEvents is the log as it is in the end.
func (k *kit) allEvents(p *person, kinds ...comms.Kind) []int64 {
	k.Helper()
	w := must(k.svc.OpenWatch(p.ctx, comms.Watch{Kinds: kinds, After: cursorOf(0)}))(k)
	defer w.Close()
	events, more, err := w.Missed(p.ctx, 0, 100_000)
	if err != nil || more {
		k.Fatal(more, err)
	}
	ids := make([]int64, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}

// TestSharedExecution: subscribers come, go and come back at random places of the log, while several writers write. Whatever the
// interleaving, each gets every event behind its cursor once, in order.
func TestSharedExecution(t *testing.T) {
	onBoth(t, func(k *kit) {
		const writers, subscribers = 4, 24
		h := NewHandler(k.svc, Options{Calls: k.calls})
		p := k.person(1)
		ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
		defer cancel()
		busy, done := context.WithCancel(ctx) // while there is more to come
		defer done()
		first := slices.Max(k.allEvents(p))
		var writing, visiting sync.WaitGroup
		for i := range writers {
			writing.Go(func() { k.change(ctx, p, i) })
		}
		all := make([]*visitor, subscribers)
		for i := range all {
			all[i] = &visitor{h: h, query: []string{watchAll, watchBlocked}[i%2], kinds: kindsOf(i), at: first}
			visiting.Go(func() {
				if err := all[i].visit(ctx, busy); err != nil {
					k.Error(err)
				}
			})
		}
		writing.Wait()
		done()
		visiting.Wait()
		for i, v := range all {
			want := slices.DeleteFunc(k.allEvents(p, v.kinds...), func(id int64) bool { return id <= first })
			if err := v.finish(ctx, want[len(want)-1]); err != nil {
				k.Fatal(err)
			}
			if !slices.Equal(v.seen, want) {
				k.Errorf("subscriber %d got\n%v, not\n%v", i, v.seen, want)
			}
		}
		h.groups.mu.Lock()
		defer h.groups.mu.Unlock()
		if len(h.groups.open) != 0 {
			k.Errorf("%d groups are open with nobody in them", len(h.groups.open))
		}
	})
}

// change writes sixty events to a person's log; each writer has numbers of its own.
func (k *kit) change(ctx context.Context, p *person, writer int) {
	for i := range 60 {
		var err error
		switch number := fmt.Sprintf("+9991%02d%06d", writer, i/2); {
		case writer == 0:
			_, err = k.svc.UpdateNumber(ctx, p.numbers[0].ID, fmt.Sprint("alias ", i))
		case i%2 == 0:
			_, err = k.svc.BlockNumber(ctx, comms.BlockNumber{Number: number})
		default:
			_, err = k.svc.UnblockNumber(ctx, number)
		}
		if err != nil {
			k.Error(err)
			return
		}
	}
}

// visitor is a subscriber that comes and goes: each visit goes on from what the one before it saw last.
type visitor struct {
	h     *Handler
	query string
	kinds []comms.Kind
	at    int64
	seen  []int64
	last  *listener // of the visit that lasts
	m     *member
}

// visit comes and goes four times, and comes once more.
func (v *visitor) visit(ctx, busy context.Context) (err error) {
	for range 4 {
		l := newListener()
		m, err := watching(ctx, v.h, v.query, cursorOf(v.at), l)
		if err != nil {
			return err
		}
		if n := rand.Int64N(12); n > 0 {
			_ = l.until(busy, v.at+n) // there may be no such event; the last visit waits for all that there are
		}
		v.at = max(v.at, l.hang())
		m.leave()
		v.seen = append(v.seen, l.got...)
	}
	v.last = newListener()
	v.m, err = watching(ctx, v.h, v.query, cursorOf(v.at), v.last)
	return err
}

// finish waits for the last event, and leaves.
func (v *visitor) finish(ctx context.Context, last int64) error {
	if v.at < last {
		if err := v.last.until(ctx, last); err != nil {
			return err
		}
	}
	v.last.hang()
	v.m.leave()
	v.seen = append(v.seen, v.last.got...)
	return nil
}

func kindsOf(subscriber int) []comms.Kind {
	if subscriber%2 == 0 {
		return nil
	}
	return []comms.Kind{comms.NumberBlocked, comms.NumberUnblocked}
}

// TestGroups: who asks the same shares one execution, who asks something else or is somebody else does not.
func TestGroups(t *testing.T) {
	k := newKit(t, house.SQLite(t))
	h := NewHandler(k.svc, Options{Calls: k.calls})
	p, other := k.person(1), k.person(1)
	reader := k.with(p, comms.ReadEvents|comms.ReadMessages)
	const messages = `subscription($after: String, $numbers: [ID!]) { messageReceived(after: $after, numberIds: $numbers) { cursor } }`
	for _, c := range []struct {
		name         string
		ctx          context.Context
		query, after string
		groups       int
	}{
		{"the first", p.ctx, watchAll, "", 1},
		{"the same", p.ctx, watchAll, "", 1},
		{"with a cursor", p.ctx, watchAll, cursorOf(0), 1},
		{"another document", p.ctx, watchAll + " ", "", 2},
		{"another account", other.ctx, watchAll, "", 3},
		{"other scopes", reader, watchAll, "", 4},
		{"another field", p.ctx, messages, "", 5},
		{"another field with a cursor", p.ctx, messages, cursorOf(0), 5},
	} {
		if _, err := watching(c.ctx, h, c.query, c.after, newListener()); err != nil {
			t.Fatal(c.name, err)
		}
		if n := len(h.groups.open); n != c.groups {
			t.Errorf("%s: %d groups, not %d", c.name, n, c.groups)
		}
	}
	// A variable that is used for more than the cursor makes a group of its own.
	const twice = `subscription($after: String) { messageReceived(after: $after) { cursor message { number { messages(first: 1, after: $after) { nodes { id } } } } } }`
	for _, after := range []string{cursorOf(1), cursorOf(2)} {
		if _, err := watching(p.ctx, h, twice, after, newListener()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(h.groups.open); n != 7 {
		t.Errorf("%d groups, not 7", n)
	}
}

// TestWatchPayload: live, from memory and from the log, an event is the same bytes.
func TestWatchPayload(t *testing.T) {
	k := newKit(t, house.SQLite(t))
	h := NewHandler(k.svc, Options{Calls: k.calls})
	us, them := k.person(1), k.person(1)
	const query = `subscription($after: String) { messageReceived(after: $after) { cursor kind at message { id text status from to number { id alias } } } }`
	live := newListener()
	if _, err := watching(us.ctx, h, query, "", live); err != nil {
		t.Fatal(err)
	}
	before := slices.Max(k.allEvents(us))
	for i := range recentKept + 10 {
		k.send(them, us.numbers[0], fmt.Sprint("text ", i))
	}
	all := k.allEvents(us, comms.MessageReceived)
	last := all[len(all)-1]
	for _, after := range []int64{before, all[2], last - 5} {
		l := newListener()
		if _, err := watching(us.ctx, h, query, cursorOf(after), l); err != nil {
			t.Fatal(err)
		}
		for _, other := range []*listener{l, live} {
			if err := other.until(t.Context(), last); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range l.got {
			if l.body[id] != live.body[id] {
				t.Errorf("event %d from %d: %s, not %s", id, after, l.body[id], live.body[id])
			}
		}
	}
	var shown struct {
		Data struct {
			MessageReceived struct {
				Cursor  string
				Message struct{ Text string }
			}
		}
	}
	if err := json.Unmarshal([]byte(live.body[last]), &shown); err != nil {
		t.Fatal(err)
	}
	if m := shown.Data.MessageReceived; m.Cursor != cursorOf(last) || m.Message.Text != fmt.Sprint("text ", recentKept+9) {
		t.Errorf("the last event is %s", live.body[last])
	}
}

// TestWatchRefused: what keeps a watch from opening is told as the resolver says it.
func TestWatchRefused(t *testing.T) {
	k := newKit(t, house.SQLite(t))
	h := NewHandler(k.svc, Options{Calls: k.calls})
	p := k.person(0)
	for _, c := range []struct {
		name  string
		ctx   context.Context
		after string
		code  string
	}{
		{"a stranger", t.Context(), "", "UNAUTHENTICATED"},
		{"without the scope", k.with(p, comms.ReadNumbers), "", "FORBIDDEN"},
		{"no cursor", p.ctx, "nonsense", "BAD_CURSOR"},
		{"a cursor from the future", p.ctx, cursorOf(1 << 40), "BAD_CURSOR"},
	} {
		op, errs := h.prepare(c.ctx, &graphql.RawParams{Query: watchAll, Variables: map[string]any{"after": c.after}})
		if c.after == "" {
			op, errs = h.prepare(c.ctx, &graphql.RawParams{Query: watchAll})
		}
		if errs != nil {
			t.Fatal(errs)
		}
		w, errs := h.plan(c.ctx, op)
		if w != nil || len(errs) != 1 || errs[0].Extensions["code"] != c.code {
			t.Errorf("%s: %v", c.name, errs)
		}
	}
}
