package model

import (
	"switchboard/comms"
	"switchboard/comms/notice"
)

// NoticeChannel is a way on which an account hears of its log.
type NoticeChannel struct{ *comms.Follower }

// ChannelState is how a channel stands.
type ChannelState uint8

// The states.
const (
	ChannelGood ChannelState = iota + 1
	ChannelRetrying
	ChannelStopped
)

// State says in one word what the channel's problem and its next attempt say.
func (c *NoticeChannel) State() ChannelState {
	switch {
	case c.Follower.Problem == "":
		return ChannelGood
	case c.NextAt != nil:
		return ChannelRetrying
	}
	return ChannelStopped
}

// MatrixID is who is told; nil for a device, whose address is nobody's business.
func (c *NoticeChannel) MatrixID() *string { return c.ofMatrix(c.Address) }

// RoomID is where; nil until there is a room.
func (c *NoticeChannel) RoomID() *string { return c.ofMatrix(c.Room) }

func (c *NoticeChannel) ofMatrix(s string) *string {
	if c.Channel != "matrix" {
		return nil
	}
	return orNil(s)
}

// DeviceName is what the app says of the device; nil for Matrix.
func (c *NoticeChannel) DeviceName() *string {
	if d := c.Edges.Device; d != nil {
		return orNil(d.Name)
	}
	return nil
}

// Problem is why the latest attempt failed; nil: it did not.
func (c *NoticeChannel) Problem() *notice.Problem {
	if c.Follower.Problem == "" {
		return nil
	}
	p := notice.Problem(c.Follower.Problem)
	return &p
}
