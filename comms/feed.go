package comms

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

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
	svc   *Service
	mu    sync.Mutex
	last  int64            // the newest event that this process knows of
	stale bool             // last says nothing: nobody watched
	marks [pollReach]int64 // last as it was at each of the latest polls, oldest first
	open  map[uuid.UUID]*feed
}

func newHub(s *Service) *hub { return &hub{svc: s, stale: true, open: map[uuid.UUID]*feed{}} }

// publish is called after a commit with the events that it stored. It answers the feeds that now have something to bring while nobody
// brings it: the caller sees to that, with run or here.
func (h *hub) publish(events []*Event) (idle []*feed) {
	if len(events) == 0 {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.last
	h.last = max(h.last, events[len(events)-1].ID)
	if len(h.open) == 0 {
		return nil
	}
	push := func(f *feed, events []*Event) {
		if f.push(events) {
			idle = append(idle, f)
		}
	}
	ordered := h.svc.store.Ordered()
	if ordered && events[0].ID > known+1 { // another process wrote in between
		for _, f := range h.open {
			push(f, nil)
		}
		return idle
	}
	inOrder := ordered && events[0].ID == known+1 // no poll has seen it already
	for i := 0; i < len(events); {
		j := i + 1
		for j < len(events) && events[j].AccountID == events[i].AccountID {
			j++
		}
		if f := h.open[events[i].AccountID]; f != nil {
			if inOrder {
				push(f, events[i:j])
			} else {
				push(f, nil)
			}
		}
		i = j
	}
	return idle
}

const (
	pollEvery = time.Second
	// pollReach is how many polls an event may take from its id to its commit and still be noticed by other processes.
	pollReach = 10
	// pollOverlap is the same in ids, for the time before there were polls.
	pollOverlap = 1000
)

// pollQuery reads a range of the primary key in its order. Grouped without the inner query, SQLite would go through an index of all events.
const pollQuery = `SELECT account_id, MAX(id) FROM
 (SELECT id, account_id FROM events WHERE id > $1 ORDER BY id LIMIT 100000) AS news GROUP BY account_id`

// poll notices what other processes committed, and has feeds that could not read the log try again.
func (h *hub) poll(ctx context.Context) error {
	since, watched := h.since()
	if !watched {
		return nil
	}
	newest := map[uuid.UUID]int64{}
	rows, err := h.svc.store.Read().QueryContext(ctx, pollQuery, since)
	if err != nil {
		return fmt.Errorf("look for new events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var account uuid.UUID
		var id int64
		if err := rows.Scan(&account, &id); err != nil {
			return fmt.Errorf("look for new events: %w", err)
		}
		newest[account] = id
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("look for new events: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for account, id := range newest {
		h.last = max(h.last, id)
		if f := h.open[account]; f != nil && id > f.position() && f.push(nil) {
			go f.run()
		}
	}
	for _, f := range h.open {
		if f.retry() {
			go f.run()
		}
	}
	return nil
}

// since is where the next poll begins, if anybody watches. Where transactions run in parallel an id can become visible after a greater one:
// there it looks back at what was the newest some polls ago.
func (h *hub) since() (since int64, watched bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	since = h.last
	if !h.svc.store.Ordered() {
		since = h.marks[0]
		copy(h.marks[:], h.marks[1:])
		h.marks[pollReach-1] = max(0, h.last-pollOverlap)
	}
	return since, len(h.open) > 0
}

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
	// The feed is known to publish before its head is read, and the end of the whole log is read before that: nothing falls in between.
	f.once.Do(func() {
		ctx := context.WithoutCancel(ctx)
		if f.err = h.catchUp(ctx); f.err != nil {
			return
		}
		var ends logEnds
		if ends, f.err = h.svc.logEnds(ctx, account, 0); f.err == nil {
			f.mu.Lock()
			f.head = max(f.head, ends.newest)
			f.mu.Unlock()
		}
	})
	if f.err != nil {
		h.release(f)
		return nil, f.err
	}
	return f, nil
}

// catchUp learns how far the log as a whole has come since somebody watched, for poll to look only at what is new.
func (h *hub) catchUp(ctx context.Context) error {
	h.mu.Lock()
	stale := h.stale
	h.mu.Unlock()
	if !stale {
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
	if h.stale {
		for i := range h.marks {
			h.marks[i] = max(0, h.last-pollOverlap)
		}
	}
	h.stale = false
	return nil
}

func (h *hub) release(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.users--; f.users == 0 {
		delete(h.open, f.account)
		h.stale = h.stale || len(h.open) == 0
	}
}

// feed brings one account's events to those who watch it, on a goroutine that lives only while there is something to bring, or on that of
// the change that told of it.
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

// push adds events; nil says that there are some to be read. It tells whether the feed was idle: then the caller has it run.
func (f *feed) push(events []*Event) (idle bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if events == nil || f.behind || len(f.queue)+len(events) > maxQueue {
		f.behind, f.queue = true, nil
	} else {
		f.queue = append(f.queue, events...)
	}
	return f.start()
}

// retry tells whether to look again into a log that could not be read.
func (f *feed) retry() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.behind && f.start()
}

// start is true for the one who is to run the feed. f.mu is held.
func (f *feed) start() bool {
	was := f.running
	f.running = true
	return !was
}

// run brings what there is to bring.
func (f *feed) run() {
	for f.round() {
	}
}

// fewWatchers is how many are told on somebody else's goroutine.
const fewWatchers = 4

// here is run for a goroutine that has something else to do, and holds no lock: it brings one batch to a few watchers, and leaves all
// else to another goroutine. To wake that one takes longer than to tell a few.
func (f *feed) here() {
	f.mu.Lock()
	few := !f.behind && len(f.watchers) <= fewWatchers
	f.mu.Unlock()
	if few && (!f.round() || f.rest()) {
		return
	}
	go f.run()
}

// rest ends a run, unless there is more.
func (f *feed) rest() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.behind || len(f.queue) > 0 {
		return false
	}
	f.running = false
	return true
}

// round brings one batch; false: there was nothing left, and the run is over.
func (f *feed) round() bool {
	events, watchers, ok := f.next()
	for _, w := range watchers {
		f.tell(w, events)
	}
	return ok
}

// next is the next batch and who is to get it; false: there is nothing left, and the run is over.
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
				f.running, f.behind = false, true // the next event or poll tries again
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
