package graph

import (
	"context"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"switchboard/comms"
)

// group is one subscription with all its members.
type group struct {
	groups  *groups
	key     groupKey
	ctx     context.Context
	op      *graphql.OperationContext
	watcher *comms.Watcher
	users   int // members, live or not; under groups.mu
	past    past

	mu      sync.Mutex
	pos     int64 // up to it the live members were told
	floor   int64 // all wanted events behind it, up to pos, are in recent
	recent  []*delivery
	weight  int // bytes of recent
	members []*member
	shared  bool // members is being read: change a copy
	queue   []*comms.Event
	behind  bool // the queue doesn't hold everything: read the log
	running bool
	brisk   bool // the latest events took no time worth mentioning
}

const (
	// maxWaiting bounds the events that wait to be rendered; past it they are read from the log again.
	maxWaiting = 1024
	// recentKept and recentBytes bound what a group keeps to let members in without a look into the log.
	recentKept  = 32
	recentBytes = 16 << 10
	// manyMembers is from where on two goroutines share a delivery.
	manyMembers = 64
)

// newGroup opens a group with its first member's watch. groups.mu is held.
func newGroup(ctx context.Context, gs *groups, key groupKey, s subscription) *group {
	g := &group{groups: gs, key: key, ctx: everlasting(ctx), op: s.op, watcher: s.watcher}
	g.mu.Lock() // events that come at once wait until the position is known
	defer g.mu.Unlock()
	g.pos = s.watcher.Start(g.arrive)
	g.floor = g.pos
	return g
}

func (g *group) at() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pos
}

// admit makes a member live if it has, or can be given from memory, all that the live members have.
//
// Under the lock pos stands still. Events up to it are the member's (or were no part of its subscription: a cursor may lie beyond pos,
// and deliverTo leaves out what it covers); those behind it will find the member in the list. So there is no gap and no double.
func (g *group) admit(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.left {
		return true // nobody to admit
	}
	if m.after < g.floor {
		return false
	}
	for _, d := range g.recent {
		if d.id > m.after && !m.out.deliver(d) {
			return true // its sink ended, and will leave
		}
	}
	m.after = max(m.after, g.pos)
	g.own()
	m.index = len(g.members)
	g.members = append(g.members, m)
	return true
}

// own makes members safe to change. g.mu is held.
func (g *group) own() {
	if g.shared {
		g.members = append(make([]*member, 0, len(g.members)+1), g.members...)
		g.shared = false
	}
}

// arrive takes events from the account's feed, which waits for nobody: what is told at once to a few members took next to no time
// before, and all else has a goroutine.
func (g *group) arrive(events []*comms.Event) {
	g.mu.Lock()
	if !g.running && !g.behind { // all before these were told, or not wanted: what may be read again is no further back
		g.pos = max(g.pos, events[0].ID-1)
	}
	if g.behind || len(g.queue)+len(events) > maxWaiting {
		g.behind, g.queue = true, nil
	} else {
		g.queue = append(g.queue, events...)
	}
	if g.running {
		g.mu.Unlock()
		return
	}
	g.running = true
	here := g.brisk && !g.behind && len(g.queue) <= fewEvents && len(g.members) <= fewMembers
	g.mu.Unlock()
	if here && (!g.round() || g.rest()) {
		return
	}
	go g.run()
}

const (
	fewMembers = 4
	fewEvents  = 4
	// briskly is what a few events may take on the feed's goroutine, or on that of a sender (comms, feed.here): about as long as a commit.
	// It bounds what a subscription that is expensive to execute can cost somebody else: once.
	briskly = time.Millisecond
)

// run lives while there is something to deliver.
func (g *group) run() {
	for g.round() {
	}
}

// rest ends a run, unless there is more.
func (g *group) rest() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.behind || len(g.queue) > 0 {
		return false
	}
	g.running = false
	return true
}

// round delivers what waits; false: the run is over.
func (g *group) round() bool {
	g.mu.Lock()
	events, behind, pos := g.queue, g.behind, g.pos
	g.queue, g.behind = nil, false
	if len(events) == 0 && !behind {
		g.running = false
		g.mu.Unlock()
		return false
	}
	g.mu.Unlock()
	began := time.Now()
	if behind {
		var more bool
		var err error
		if events, more, err = g.watcher.Missed(g.ctx, pos, maxWaiting); err != nil || more {
			g.mu.Lock()
			g.behind = true
			if err != nil {
				g.running = false // the next event tries again
			}
			g.mu.Unlock()
		}
		if err != nil {
			g.groups.h.o.Logger.Error("read the log for subscribers", "error", err)
			return false
		}
	}
	for _, e := range events {
		g.tell(e)
	}
	g.mu.Lock()
	g.brisk = time.Since(began) < briskly
	g.mu.Unlock()
	return true
}

// tell renders an event and hands it to the live members.
func (g *group) tell(e *comms.Event) {
	if e.ID <= g.at() {
		return // it was read from the log already
	}
	d := g.render(e)
	g.mu.Lock()
	g.pos = e.ID
	if d == nil {
		g.mu.Unlock()
		return
	}
	g.remember(d)
	members := g.members
	g.shared = true
	g.mu.Unlock()
	if len(members) < manyMembers {
		deliverTo(members, d)
	} else {
		half := len(members) / 2
		var other sync.WaitGroup
		other.Go(func() { deliverTo(members[:half], d) })
		deliverTo(members[half:], d)
		other.Wait()
	}
	g.mu.Lock()
	if len(g.members) == len(members) && (len(members) == 0 || &g.members[0] == &members[0]) {
		g.shared = false // nobody came or went meanwhile: no copy is needed when somebody does
	}
	g.mu.Unlock()
}

func deliverTo(members []*member, d *delivery) {
	for _, m := range members {
		if d.id > m.after { // a cursor from beyond what was told when it came
			m.out.deliver(d)
		}
	}
}

// remember keeps a delivery for those who come next. g.mu is held.
func (g *group) remember(d *delivery) {
	g.recent = append(g.recent, d)
	g.weight += len(d.payload)
	for len(g.recent) > recentKept || g.weight > recentBytes {
		oldest := g.recent[0]
		g.floor = oldest.id
		g.weight -= len(oldest.payload)
		g.recent[0] = nil
		g.recent = g.recent[1:]
	}
}

// render executes the subscription for one event. Nil: it has nothing to show of it.
func (g *group) render(e *comms.Event) (d *delivery) {
	h := g.groups.h
	defer func() {
		if p := recover(); p != nil {
			d = g.delivery(e, &graphql.Response{Errors: h.errorList(g.ctx, recoverPanic(g.ctx, p))})
		}
	}()
	next, ctx := h.exec.DispatchOperation(withEvent(g.ctx, e), g.op)
	resp := next(ctx)
	if resp == nil {
		return nil
	}
	return g.delivery(e, resp)
}

func (g *group) delivery(e *comms.Event, resp *graphql.Response) *delivery {
	return &delivery{id: e.ID, cursor: e.Cursor(), payload: appendResponse(nil, resp), last: g.watcher.Last(e)}
}
