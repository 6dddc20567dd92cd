package notice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/follower"
	"switchboard/ent/number"
	"switchboard/internal/clock"
)

// mostAtOnce is how many events one turn tells before others get theirs.
const mostAtOnce = 10

// turn is one follower's: nobody else tells for it meanwhile, here or in another process.
type turn struct {
	*Service
	f       *comms.Follower
	lease   clock.Micros
	verify  bool // what became of the latest attempt is not known
	spoke   bool // the service did what it was asked
	numbers map[uuid.UUID]*comms.Number
}

var errLeaseLost = errors.New("another process tells now, or the follower is gone")

// turn tells a follower what it has not been told. more: not all of it.
func (s *Service) turn(ctx context.Context, id uuid.UUID) (o outcome, more bool) {
	t := &turn{Service: s}
	free, err := t.take(ctx, id)
	if err == nil && free {
		more, err = t.tell(ctx)
		err = t.end(ctx, err)
	}
	if f, ok := failure(err); ok {
		s.in.Log().WarnContext(ctx, "an account could not be told", "follower", id, "problem", f.Problem, "error", f.Err)
		if o.spoke = !f.Service; f.Service {
			o.failed = f
		}
		return o, false
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, errLeaseLost) {
		s.in.Log().ErrorContext(ctx, "tell an account", "follower", id, "error", err)
	}
	return outcome{spoke: t.spoke}, more && err == nil
}

// take takes the lease. One that this node holds already is from before it died: within one process a follower has one turn at a time.
func (t *turn) take(ctx context.Context, id uuid.UUID) (free bool, err error) {
	err = t.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		free = false
		now := clock.Now()
		t.lease = now.Add(t.Lease)
		f, err := c.Tx().Follower.Query().Where(follower.ID(id)).WithDevice().Only(ctx)
		if ent.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a follower: %w", err)
		}
		if parked(f) || f.NextAt != nil && *f.NextAt > now {
			return nil
		}
		if f.Node != "" && f.Node != t.in.Node() && f.LeaseUntil != nil && *f.LeaseUntil > now {
			return nil
		}
		// As it was read: whoever held the lease until then may have told some more, or another may have taken it.
		n, err := c.Tx().Follower.Update().SetNode(t.in.Node()).SetLeaseUntil(t.lease).
			Where(follower.ID(id), follower.Node(f.Node), follower.Cursor(f.Cursor)).Save(ctx)
		if err != nil {
			return fmt.Errorf("take a lease: %w", err)
		}
		t.f, t.verify, free = f, f.Node != "" || f.Tries > 0, n == 1
		return nil
	})
	return free, err
}

// mine is the follower's row, as long as it is ours.
func (t *turn) mine(c *comms.Change) *ent.FollowerUpdate {
	return c.Tx().Follower.Update().Where(follower.ID(t.f.ID), follower.Node(t.in.Node()), follower.LeaseUntil(t.lease))
}

// write changes the follower's row, as long as it is ours.
func (t *turn) write(ctx context.Context, set func(u *ent.FollowerUpdate, now clock.Micros)) error {
	return t.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		u := t.mine(c)
		set(u, c.Now())
		n, err := u.Save(ctx)
		if err != nil {
			return fmt.Errorf("write how far a follower is: %w", err)
		}
		if n == 0 {
			return errLeaseLost
		}
		return nil
	})
}

// moved notes how far the follower was told, and holds the lease.
func (t *turn) moved(ctx context.Context, to int64) error {
	until := inTime(t.Lease)
	err := t.write(ctx, func(u *ent.FollowerUpdate, now clock.Micros) {
		u.SetCursor(to).SetToldAt(now).SetLeaseUntil(until).SetTries(0).SetProblem("")
	})
	if err == nil {
		t.f.Cursor, t.lease, t.f.Tries = to, until, 0
	}
	return err
}

// grace is how long what is being told when the program stops may take.
const grace = 5 * time.Second

// speak tells an event and notes that it was told. A stop does not come in between: what was told and not noted would be told again.
func (t *turn) speak(ctx context.Context, e *comms.Event, tell func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	on, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	if err := tell(on); err != nil {
		return err
	}
	t.spoke = true
	return t.moved(on, e.ID)
}

// end gives the lease back. Where it isn't known what became of the latest attempt, because the program stops, that is left to be seen.
func (t *turn) end(ctx context.Context, outcome error) error {
	stopped := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := t.write(ctx, func(u *ent.FollowerUpdate, now clock.Micros) {
		f, failed := failure(outcome)
		switch {
		case outcome == nil:
			u.SetCursor(t.f.Cursor).SetTries(0).SetProblem("").ClearNextAt()
		case failed && !stopped && f.Problem.passes():
			u.SetProblem(string(f.Problem)).AddTries(1).SetNextAt(now.Add(max(f.After, t.after(t.f.Tries))))
		case failed && !stopped:
			u.SetProblem(string(f.Problem)).AddTries(1).ClearNextAt()
		case stopped:
			u.SetLeaseUntil(now)
			return
		default: // our own failure, as of the store: the next look finds it
			u.AddTries(1).SetNextAt(now.Add(t.after(t.f.Tries)))
		}
		u.SetNode("").ClearLeaseUntil()
	})
	if errors.Is(err, errLeaseLost) && outcome != nil {
		return outcome
	}
	return errors.Join(outcome, err)
}

// tell tells some events, oldest first.
func (t *turn) tell(ctx context.Context) (more bool, err error) {
	if t.f.Channel == follower.ChannelPush {
		return t.pushAll(ctx)
	}
	if t.rooms == nil {
		return false, &Failure{Problem: NotConfigured}
	}
	return t.sayAll(ctx)
}

// events are the next to tell. end is where the cursor stands when they are told: behind what needs no telling.
func (t *turn) events(ctx context.Context) (events []*comms.Event, end int64, err error) {
	last, err := newest(ctx, t.in.Read(), t.f.AccountID) // first: what comes after it is found by another turn
	if err != nil {
		return nil, 0, err
	}
	events, err = t.in.EventsAfter(ctx, t.f.AccountID, t.f.Cursor, mostAtOnce, told)
	if err != nil {
		return nil, 0, err
	}
	if len(events) == mostAtOnce {
		return events, events[len(events)-1].ID, nil
	}
	for _, e := range events {
		last = max(last, e.ID)
	}
	return events, max(last, t.f.Cursor), nil
}

// own reads the account's numbers that the events concern: their aliases, and whether they are bound to the follower's device.
func (t *turn) own(ctx context.Context, events []*comms.Event) error {
	ids := make([]uuid.UUID, len(events))
	for i, e := range events {
		ids[i] = e.NumberID
	}
	rows, err := t.in.Read().Number.Query().Where(number.IDIn(ids...), number.AccountID(t.f.AccountID)).All(ctx)
	if err != nil {
		return fmt.Errorf("read the numbers: %w", err)
	}
	t.numbers = make(map[uuid.UUID]*comms.Number, len(rows))
	for _, n := range rows {
		t.numbers[n.ID] = n
	}
	return nil
}

// sayAll says them in the owner's room.
func (t *turn) sayAll(ctx context.Context) (more bool, err error) {
	events, end, err := t.events(ctx)
	if err != nil {
		return false, err
	}
	if len(events) > 0 || t.f.Room == "" {
		if err := t.open(ctx); err != nil {
			return false, err
		}
	}
	if err := t.own(ctx, events); err != nil {
		return false, err
	}
	for _, e := range events {
		if e.ID <= t.f.Cursor { // it was said, and this process did not know
			continue
		}
		alias := ""
		if n := t.numbers[e.NumberID]; n != nil {
			alias = n.Alias
		}
		text, err := t.said(ctx, e.Message, alias)
		if err != nil {
			return false, err
		}
		say := Say{Room: t.f.Room, Event: e.ID, Text: text}
		if err := t.speak(ctx, e, func(ctx context.Context) error { return t.rooms.Say(ctx, say) }); err != nil {
			return false, err
		}
	}
	t.f.Cursor = max(t.f.Cursor, end)
	return len(events) == mostAtOnce, nil
}

// open sees to the room, and learns what was said in it where that is not certain.
func (t *turn) open(ctx context.Context) error {
	r, err := t.rooms.Open(ctx, OpenRoom{Follower: t.f.ID, Whom: t.f.Address, Room: t.f.Room, Verify: t.verify})
	if err != nil {
		return err
	}
	t.spoke = true
	if r.ID != t.f.Room {
		if err := t.write(ctx, func(u *ent.FollowerUpdate, _ clock.Micros) { u.SetRoom(r.ID) }); err != nil {
			return err
		}
		t.f.Room = r.ID
	}
	t.f.Cursor = max(t.f.Cursor, r.Said)
	return nil
}

// pushAll wakes the device.
func (t *turn) pushAll(ctx context.Context) (more bool, err error) {
	if t.push == nil {
		return false, &Failure{Problem: NotConfigured}
	}
	events, end, err := t.events(ctx)
	if err != nil {
		return false, err
	}
	if err := t.own(ctx, events); err != nil {
		return false, err
	}
	token, err := t.in.DeviceToken(t.f.Edges.Device)
	if err != nil {
		return false, err
	}
	for _, e := range events {
		n := t.numbers[e.NumberID]
		if n == nil || n.DeviceID == nil || *n.DeviceID != t.f.Edges.Device.ID {
			continue // another device's, or deleted
		}
		out, err := t.notification(ctx, e.Message)
		if err != nil {
			return false, err
		}
		out.Token = token
		if err := t.speak(ctx, e, func(ctx context.Context) error { return t.push.Push(ctx, out) }); err != nil {
			return false, err
		}
	}
	t.f.Cursor = max(t.f.Cursor, end)
	return len(events) == mostAtOnce, nil
}
