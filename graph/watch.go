package graph

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"switchboard/comms"
)

// Subscriptions are executed once for all who ask the same: subscribers with one document, one set of variables and one authority form a
// group, which watches the log once, renders each event once and hands the bytes to its members. A delivery then costs one system call.
//
// A member that asks for what it missed reads the log on a goroutine of its own, rendering through the group, and joins the live members
// at a moment when it has all that they have (group.admit).

// groupKey is what makes subscribers see the same bytes.
type groupKey struct {
	document  string
	operation string
	variables string // as JSON, without the cursor
	account   uuid.UUID
	scopes    comms.Scope
	token     uuid.UUID
	base      string // links in answers begin with it
}

// groups are the groups that have members.
type groups struct {
	h    *Handler
	mu   sync.Mutex
	open map[groupKey]*group
}

// sink is a subscriber's end of the line. deliver must not wait; room waits until a reader of the past may go on.
type sink interface {
	deliver(*delivery) bool
	room(context.Context) error
}

// member is one subscriber in a group.
type member struct {
	group *group
	out   sink
	after int64              // the events up to it are the member's own already
	stop  context.CancelFunc // ends its reading of the past
	index int                // where it stands among the live members; under group.mu
	left  bool               // under group.mu
}

// delivery is an event as a group's members get it.
type delivery struct {
	id      int64
	cursor  string
	payload []byte // the execution result as JSON
	last    bool   // nothing follows: the subscription is complete
}

// plan runs a subscription's resolver so that it opens its watch, or says why not.
func (h *Handler) plan(ctx context.Context, op *graphql.OperationContext) (w *comms.Watcher, errs gqlerror.List) {
	defer func() {
		if p := recover(); p != nil {
			w, errs = nil, h.errorList(ctx, recoverPanic(ctx, p))
		}
	}()
	var opened plan
	next, ctx := h.exec.DispatchOperation(withPlan(ctx, &opened), op)
	if opened.watcher != nil {
		return opened.watcher, nil
	}
	if resp := next(ctx); resp != nil && len(resp.Errors) > 0 {
		return nil, resp.Errors
	}
	return nil, h.errorList(ctx, errNoPlan)
}

// subscription is a planned subscription and who gets it.
type subscription struct {
	op      *graphql.OperationContext
	watcher *comms.Watcher
	out     sink
}

// join makes a subscriber a member of its group. leave must be called.
func (gs *groups) join(ctx context.Context, s subscription) *member {
	key := keyOf(ctx, s.op)
	m := &member{out: s.out, after: s.watcher.After(), index: -1}
	gs.mu.Lock()
	g := gs.open[key]
	if g == nil {
		g = newGroup(ctx, gs, key, s)
		gs.open[key] = g
	} else {
		s.watcher.Close()
	}
	g.users++
	gs.mu.Unlock()
	m.group = g
	if !g.admit(m) {
		ctx, stop := context.WithCancel(ctx)
		m.stop = stop
		go g.catchUp(ctx, m)
	}
	return m
}

func keyOf(ctx context.Context, op *graphql.OperationContext) groupKey {
	key := groupKey{document: op.RawQuery, operation: op.Operation.Name, base: baseURL(ctx)}
	if a := comms.ActorOf(ctx); a != nil {
		key.account, key.scopes, key.token = a.AccountID, a.Scopes, a.TokenID
	}
	variables := op.Variables
	if name := after(op.Operation); name != "" && onlyAfter(op.RawQuery, name) {
		variables = make(map[string]any, len(op.Variables))
		for k, v := range op.Variables {
			if k != name {
				variables[k] = v
			}
		}
	}
	if len(variables) > 0 {
		b, err := json.Marshal(variables) // map keys are sorted: equal variables are equal text
		if err != nil {
			b = []byte(uuid.NewString()) // what can't be compared is shared with nobody
		}
		key.variables = string(b)
	}
	return key
}

// leave ends a membership. What is on its way to the member is for its sink to drop.
func (m *member) leave() {
	g := m.group
	g.mu.Lock()
	if m.left {
		g.mu.Unlock()
		return
	}
	m.left = true
	if m.index >= 0 {
		g.own()
		last := len(g.members) - 1
		g.members[m.index] = g.members[last]
		g.members[m.index].index = m.index
		g.members[last] = nil
		g.members = g.members[:last]
		m.index = -1
	}
	g.mu.Unlock()
	if m.stop != nil {
		m.stop()
	}
	gs := g.groups
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if g.users--; g.users == 0 {
		delete(gs.open, g.key)
		g.watcher.Close()
	}
}

// catchUp hands a member what it missed until it is where the live members are.
func (g *group) catchUp(ctx context.Context, m *member) {
	defer m.stop()
	g.past.enter()
	defer g.past.leave()
	for !g.admit(m) {
		// All wanted events up to here are in the log when it is read below, whether or not there are any.
		position := g.at()
		for more := true; more; {
			var events []*comms.Event
			var err error
			if events, more, err = g.watcher.Missed(ctx, m.after, pastBatch); err != nil {
				g.lost(ctx, m, err)
				return
			}
			for _, e := range events {
				d := g.past.rendered(e.ID, func() *delivery { return g.render(e) })
				if d != nil {
					if m.out.room(ctx) != nil || !m.out.deliver(d) {
						return // the sink ended, or its peer was too slow: it says so itself
					}
				}
				m.after = e.ID
			}
		}
		m.after = max(m.after, position)
	}
}

// lost tells a member that its past can't be read. A subscription with a hole in it would be worse than none.
func (g *group) lost(ctx context.Context, m *member, err error) {
	if ctx.Err() != nil {
		return
	}
	g.groups.h.o.Logger.Error("read what a subscriber missed", "error", err)
	if f, ok := m.out.(interface{ fail(gqlerror.List) }); ok {
		f.fail(g.groups.h.errorList(ctx, err))
	}
}

// pastBatch is how many events are read at a time for a member that missed some.
const pastBatch = 100

// past shares the rendering of old events among the members that read them at one time.
type past struct {
	mu      sync.Mutex
	readers int
	known   map[int64]*sharedDelivery
	order   []int64
}

type sharedDelivery struct {
	once sync.Once
	d    *delivery
}

// pastKept is how many old events stay rendered while somebody reads the past.
const pastKept = 256

func (p *past) enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readers++
}

func (p *past) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readers--; p.readers == 0 {
		p.known, p.order = nil, nil
	}
}

func (p *past) rendered(id int64, render func() *delivery) *delivery {
	p.mu.Lock()
	s := p.known[id]
	if s == nil {
		s = &sharedDelivery{}
		if p.known == nil {
			p.known = map[int64]*sharedDelivery{}
		}
		if len(p.order) == pastKept {
			delete(p.known, p.order[0])
			p.order = p.order[1:]
		}
		p.known[id] = s
		p.order = append(p.order, id)
	}
	p.mu.Unlock()
	s.once.Do(func() { s.d = render() })
	return s.d
}

// everlasting is an actor as a group has it: each member's own end of credentials is watched where the member is (live.go).
func everlasting(ctx context.Context) context.Context {
	ctx = context.WithoutCancel(ctx)
	a := comms.ActorOf(ctx)
	if a == nil {
		return ctx
	}
	timeless := *a
	timeless.ExpiresAt = time.Time{}
	return comms.WithActor(ctx, &timeless)
}
