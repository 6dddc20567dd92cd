package comms

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/ent/event"
)

// desc orders newest first.
var desc = sql.OrderDesc()

func compareUUID(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// hub knows the accounts that somebody watches, and brings committed events to them. The database is the truth and the hub only the
// fast way: whenever it can't be sure that it saw every event in order, it reads the log from where the feed stands.
type hub struct {
	svc  *Service
	mu   sync.Mutex
	last int64 // the newest event that this process knows of
	open map[uuid.UUID]*feed
}

func newHub(s *Service) *hub { return &hub{svc: s, open: map[uuid.UUID]*feed{}} }

// publish is called after a commit with the events that it stored.
func (h *hub) publish(events []*Event) {
	if len(events) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	inOrder := h.svc.store.Ordered() && events[0].ID == h.last+1
	foreign := h.svc.store.Ordered() && !inOrder && h.last != 0 // another process wrote in between
	h.last = max(h.last, events[len(events)-1].ID)
	if len(h.open) == 0 {
		return
	}
	if foreign {
		for _, f := range h.open {
			f.push(nil)
		}
		return
	}
	for i := 0; i < len(events); {
		j := i + 1
		for j < len(events) && events[j].AccountID == events[i].AccountID {
			j++
		}
		if f := h.open[events[i].AccountID]; f != nil {
			if inOrder {
				f.push(events[i:j])
			} else {
				f.push(nil)
			}
		}
		i = j
	}
}

// poll notices what other processes committed.
func (h *hub) poll(ctx context.Context) error {
	h.mu.Lock()
	watched, last := len(h.open), h.last
	h.mu.Unlock()
	if watched == 0 {
		return nil
	}
	// Where transactions run in parallel an id can become visible after a greater one: look back a little.
	since := last
	if !h.svc.store.Ordered() {
		since = max(0, last-pollOverlap)
	}
	var rows []struct {
		AccountID uuid.UUID `json:"account_id"`
		Max       int64     `json:"max"`
	}
	err := h.svc.store.Read().Event.Query().Where(event.IDGT(since)).Limit(pollOverlap*10).
		GroupBy(event.FieldAccountID).Aggregate(maxID).Scan(ctx, &rows)
	if err != nil {
		return fmt.Errorf("look for new events: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range rows {
		h.last = max(h.last, r.Max)
		if f := h.open[r.AccountID]; f != nil && r.Max > f.position() {
			f.push(nil)
		}
	}
	return nil
}

const pollOverlap = 1000

func maxID(s *sql.Selector) string { return sql.As(sql.Max(s.C(event.FieldID)), "max") }

// acquire opens the account's feed, or joins it.
func (h *hub) acquire(ctx context.Context, account uuid.UUID) (*feed, error) {
	h.mu.Lock()
	f := h.open[account]
	if f == nil {
		f = &feed{hub: h, account: account}
		h.open[account] = f
	}
	f.users++
	h.mu.Unlock()
	// The feed is known to publish before its head is read, so nothing falls between the two.
	f.once.Do(func() {
		ctx := context.WithoutCancel(ctx)
		newest, err := h.svc.newestEvent(ctx, account)
		f.mu.Lock()
		f.head, f.err = max(f.head, newest), err
		f.mu.Unlock()
		if f.err == nil {
			f.err = h.catchUp(ctx)
		}
	})
	if f.err != nil {
		h.release(f)
		return nil, f.err
	}
	return f, nil
}

// catchUp learns how far the log as a whole has come, for poll to look only at what is new.
func (h *hub) catchUp(ctx context.Context) error {
	h.mu.Lock()
	known := h.last != 0
	h.mu.Unlock()
	if known {
		return nil
	}
	ids, err := h.svc.store.Read().Event.Query().Order(event.ByID(desc)).Limit(1).IDs(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(ids) > 0 {
		h.last = max(h.last, ids[0])
	}
	return nil
}

func (h *hub) release(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.users--; f.users == 0 {
		delete(h.open, f.account)
	}
}

// feed brings one account's events to those who watch it, on a goroutine that lives only while there is something to bring.
type feed struct {
	hub     *hub
	account uuid.UUID
	users   int // under hub.mu
	once    sync.Once
	err     error

	mu       sync.Mutex
	head     int64 // all up to it were delivered
	queue    []*Event
	behind   bool // the queue does not hold everything: read the log
	running  bool
	watchers []*Watcher // replaced, never changed in place
}

// maxQueue bounds what a feed holds in memory; past it the log is read instead.
const maxQueue = 1024

// push adds events; nil says that there are some to be read.
func (f *feed) push(events []*Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if events == nil || f.behind || len(f.queue)+len(events) > maxQueue {
		f.behind, f.queue = true, nil
	} else {
		f.queue = append(f.queue, events...)
	}
	if !f.running {
		f.running = true
		go f.run()
	}
}

func (f *feed) run() {
	for {
		events, watchers, ok := f.next()
		if !ok {
			return
		}
		for _, w := range watchers {
			f.tell(w, events)
		}
	}
}

// next is the next batch and who is to get it; false: there is nothing left, and the goroutine ends.
func (f *feed) next() ([]*Event, []*Watcher, bool) {
	for {
		f.mu.Lock()
		behind, events, head := f.behind, f.queue, f.head
		f.queue, f.behind = nil, false
		if !behind && len(events) == 0 {
			f.running = false
			f.mu.Unlock()
			return nil, nil, false
		}
		f.mu.Unlock()
		if behind {
			var err error
			if events, err = f.hub.svc.readEvents(context.Background(), f.account, head, maxQueue, nil); err != nil {
				f.hub.svc.log.Error("read the log for its watchers", "error", err)
				f.mu.Lock()
				f.running, f.behind = false, true // the next push or poll tries again
				f.mu.Unlock()
				return nil, nil, false
			}
		}
		f.mu.Lock()
		if behind && len(events) == maxQueue {
			f.behind = true
		}
		for len(events) > 0 && events[0].ID <= f.head {
			events = events[1:]
		}
		if len(events) > 0 {
			f.head = events[len(events)-1].ID
		}
		watchers := f.watchers
		f.mu.Unlock()
		if len(events) > 0 {
			return events, watchers, true
		}
	}
}

func (f *feed) tell(w *Watcher, events []*Event) {
	defer func() {
		if p := recover(); p != nil {
			f.hub.svc.log.Error("panic in a watcher", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	wanted := events
	for i, e := range events {
		if !w.wants(e) {
			wanted = slices.Clone(events[:i])
			for _, e := range events[i+1:] {
				if w.wants(e) {
					wanted = append(wanted, e)
				}
			}
			break
		}
	}
	if len(wanted) > 0 {
		w.deliver(wanted)
	}
}

func (f *feed) position() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head
}

func (f *feed) attach(w *Watcher, deliver func([]*Event)) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.deliver = deliver
	f.watchers = append(slices.Clip(f.watchers), w)
	return f.head
}

func (f *feed) detach(w *Watcher) {
	f.mu.Lock()
	f.watchers = slices.DeleteFunc(slices.Clone(f.watchers), func(o *Watcher) bool { return o == w })
	f.mu.Unlock()
	f.hub.release(f)
}
