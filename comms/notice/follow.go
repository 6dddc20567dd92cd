package notice

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/device"
	"switchboard/ent/event"
	"switchboard/ent/follower"
	"switchboard/ent/number"
)

// MatrixChanged makes, replaces or removes the follower of an account's Matrix ID. A new ID is told in a new room from where the old one was
// left; who left the room, and sets his ID again, is invited into a new one and told from now on.
func (s *Service) MatrixChanged(ctx context.Context, c *comms.Change, acc *comms.Account) error {
	old, err := c.Tx().Follower.Query().Where(follower.AccountID(acc.ID), follower.ChannelEQ(follower.ChannelMatrix)).Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return fmt.Errorf("find the follower: %w", err)
	}
	if old != nil {
		if acc.MatrixID != nil && old.Address == *acc.MatrixID && !parked(old) {
			return nil
		}
		if err := c.Tx().Follower.DeleteOneID(old.ID).Exec(ctx); err != nil {
			return fmt.Errorf("remove a follower: %w", err)
		}
	}
	if acc.MatrixID == nil {
		return nil
	}
	f := newFollower{account: acc.ID, channel: follower.ChannelMatrix, address: *acc.MatrixID, ready: s.rooms != nil}
	if old != nil && !parked(old) {
		f.from = old.Cursor
	}
	return s.follow(ctx, c, f)
}

// DevicesChanged has each of the devices follow the accounts whose numbers are bound to it, and no other. A device whose token was found
// dead, and that logs in again with it, is told from now on.
func (s *Service) DevicesChanged(ctx context.Context, c *comms.Change, devices []uuid.UUID) error {
	found, err := c.Tx().Device.Query().Where(device.IDIn(devices...)).WithFollowers().
		WithNumbers(func(q *ent.NumberQuery) { q.Select(number.FieldID, number.FieldAccountID, number.FieldDeviceID) }).All(ctx)
	if err != nil {
		return fmt.Errorf("find whom the devices follow: %w", err)
	}
	for _, d := range found {
		if err := s.followFrom(ctx, c, d); err != nil {
			return err
		}
	}
	return nil
}

// followFrom has one device follow whom it should.
func (s *Service) followFrom(ctx context.Context, c *comms.Change, d *comms.Device) error {
	wanted := map[uuid.UUID]bool{}
	for _, n := range d.Edges.Numbers {
		wanted[n.AccountID] = true
	}
	for _, f := range d.Edges.Followers {
		if wanted[f.AccountID] && !parked(f) {
			delete(wanted, f.AccountID)
			continue
		}
		if err := c.Tx().Follower.DeleteOneID(f.ID).Exec(ctx); err != nil {
			return fmt.Errorf("remove a follower: %w", err)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	service := ""
	if s.push != nil {
		token, err := s.in.DeviceToken(d)
		if err != nil {
			return err
		}
		service = s.push.Service(token)
	}
	for account := range wanted {
		f := newFollower{account: account, channel: follower.ChannelPush, device: &d.ID, address: service, ready: s.push != nil}
		if err := s.follow(ctx, c, f); err != nil {
			return err
		}
	}
	return nil
}

// newFollower is one that is to be made.
type newFollower struct {
	account uuid.UUID
	channel follower.Channel
	device  *uuid.UUID
	address string
	from    int64 // zero: from now on
	ready   bool  // its way out is set up
}

func (s *Service) follow(ctx context.Context, c *comms.Change, n newFollower) (err error) {
	if n.from == 0 {
		if n.from, err = newest(ctx, c.Tx(), n.account); err != nil {
			return err
		}
	}
	create := c.Tx().Follower.Create().SetID(uuid.New()).SetAccountID(n.account).SetChannel(n.channel).SetNillableDeviceID(n.device).
		SetAddress(n.address).SetCursor(n.from).SetCreatedAt(c.Now())
	if n.ready {
		create.SetNextAt(c.Now()) // the invitation is sent now, and not with the first message
	} else {
		create.SetProblem(string(NotConfigured))
	}
	if err := create.Exec(ctx); err != nil {
		return fmt.Errorf("store a follower: %w", err)
	}
	c.After(func() {
		s.remember(n.account)
		s.news.add(n.account)
	})
	return nil
}

// parked tells whether nothing is told to it until somebody does something.
func parked(f *comms.Follower) bool { return f.Problem != "" && f.NextAt == nil }

// newest is the end of an account's log.
func newest(ctx context.Context, db *ent.Client, account uuid.UUID) (int64, error) {
	ids, err := db.Event.Query().Where(event.AccountID(account)).Order(event.ByID(sql.OrderDesc())).Limit(1).IDs(ctx)
	if err != nil {
		return 0, fmt.Errorf("find the end of the log: %w", err)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return ids[0], nil
}

// Committed notes that somebody is to be told. It is in the way of every message that is sent.
func (s *Service) Committed(events []*comms.Event) {
	if !s.some.Load() {
		return
	}
	for _, e := range events {
		if e.Kind == told && s.follows(e.AccountID) {
			s.news.add(e.AccountID)
		}
	}
}

// told is the one kind of event that is told.
const told = comms.MessageReceived
