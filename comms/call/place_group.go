package call

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// Groups is what the rules of calls ask of those of number groups (comms/pool).
type Groups interface {
	// Choose finds the number of a group that a call shows. An *comms.Error says why there is none.
	Choose(ctx context.Context, in ChooseNumber) (*Choice, error)
	// Take writes the choice down in the change that stores the call; false: it must be made again.
	Take(ctx context.Context, c *comms.Change, in ChooseNumber, chosen *Choice) (bool, error)
}

// ChooseNumber asks for a number of a group.
type ChooseNumber struct {
	Account, Group uuid.UUID
	Callee         string                   // who is going to see it, in one writing: a sticky group shows him the same again
	Full           func(*comms.Number) bool // as many calls of the number are going on as it can take: another is better
}

// Choice is the number that a call with a group shows, and what it was chosen by.
type Choice struct {
	Number *comms.Number
	Sticky bool         // the callee is to be shown it again
	Again  bool         // he was shown it before
	Seen   clock.Micros // when he was shown one last; 0: never
}

// errChosenAnew says that a choice does not hold any more.
var errChosenAnew = errors.New("the number was taken meanwhile")

// mostChoices bounds how often a number is chosen for one call: each time another call of the account was faster, of which there are at most
// so many in a minute.
const mostChoices = 100

// placeFromGroup places a call that shows a number of a group. The calls of one group take their turns: without that most of those that come
// at once would choose what the first of them takes, and choose again.
func (s *Service) placeFromGroup(ctx context.Context, a *comms.Actor, in PlaceCall) (*Placed, error) {
	if s.groups == nil {
		return nil, notFound("group", "there is no such group")
	}
	plan, err := s.accountPlan(ctx, a.AccountID)
	if err != nil {
		return nil, err
	}
	end, err := s.turns.take(ctx, in.Group)
	if err != nil {
		return nil, err
	}
	defer end()
	in.choose = ChooseNumber{Account: a.AccountID, Group: in.Group, Callee: s.callee(in.To), Full: s.live.full}
	for range mostChoices {
		if in.chosen, err = s.groups.Choose(ctx, in.choose); err != nil {
			return nil, err
		}
		out, err := s.placeAs(ctx, a, in, &caller{Account: a.AccountID, Plan: plan, Rings: []string{in.chosen.Number.Number}})
		if !errors.Is(err, errChosenAnew) {
			return out, err
		}
	}
	return nil, &comms.Error{Code: comms.Unavailable, Text: "too many calls choose from this group, try again", RetryAfter: time.Second}
}

// callee is who sees the number, in one writing however he is dialled. Behind an extension is somebody else than behind the number alone.
func (s *Service) callee(to string) string {
	d := readDialled(to, s.country)
	who := d.outside
	if who == "" {
		who = d.digits
	}
	if d.extension != "" {
		who += "*" + d.extension
	}
	return who
}

// full tells whether as many calls of the number go on here as it can take.
func (r *registry) full(n *comms.Number) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.load.numbers[n.ID] >= n.Concurrency
}

// turns lets those who come for one thing go one after the other.
type turns struct {
	mu    sync.Mutex
	lines map[uuid.UUID]*line
}

// line is who waits for one thing. It is forgotten with the last of them.
type line struct {
	place   chan struct{}
	waiting int
}

// take waits for a turn, which lasts until end is called.
func (t *turns) take(ctx context.Context, id uuid.UUID) (end func(), err error) {
	t.mu.Lock()
	if t.lines == nil {
		t.lines = map[uuid.UUID]*line{}
	}
	l := t.lines[id]
	if l == nil {
		l = &line{place: make(chan struct{}, 1)}
		t.lines[id] = l
	}
	l.waiting++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if l.waiting--; l.waiting == 0 {
			delete(t.lines, id)
		}
	}
	select {
	case l.place <- struct{}{}:
		return func() { <-l.place; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
