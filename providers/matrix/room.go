package matrix

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"switchboard/comms/notice"
)

// eventKey is where a message in a room says what it tells of, so that it can be seen there what was said.
const eventKey = "switchboard.event"

// Open finds or makes the room, invites its owner, and looks for what was said there where that is asked.
func (b *Bot) Open(ctx context.Context, o notice.OpenRoom) (r notice.Room, err error) {
	err = b.as(ctx, func(c *mautrix.Client) error {
		room := id.RoomID(o.Room)
		if room == "" {
			if room, err = b.find(ctx, c, o); err != nil {
				return err
			}
		}
		if err := invite(ctx, c, room, id.UserID(o.Whom)); err != nil {
			return err
		}
		r.ID = string(room)
		if o.Verify {
			r.Said, err = said(ctx, c, room)
		}
		return err
	})
	return r, failed(ctx, err)
}

// find finds the room by its alias, or makes it. The alias follows from the follower's id, which is no secret: who dies between making a room
// and noting it finds it again. By invitation only: to know the alias is of no use to anybody.
func (b *Bot) find(ctx context.Context, c *mautrix.Client, o notice.OpenRoom) (id.RoomID, error) {
	local := "switchboard_" + o.Follower.String()
	alias := id.NewRoomAlias(local, b.server())
	got, err := c.ResolveAlias(ctx, alias)
	if err == nil && got != nil && got.RoomID != "" {
		return got.RoomID, nil
	}
	if err != nil && !notFound(err) {
		return "", err
	}
	made, err := c.CreateRoom(ctx, &mautrix.ReqCreateRoom{Preset: "private_chat", RoomAliasName: local, Name: "Switchboard",
		Topic: "Messages and missed calls of your numbers", IsDirect: true})
	if errors.Is(err, mautrix.MRoomInUse) { // another process made it at this moment
		got, err := c.ResolveAlias(ctx, alias)
		if err != nil {
			return "", err
		}
		return got.RoomID, nil
	}
	if err != nil {
		return "", err
	}
	if made == nil || made.RoomID == "" {
		return "", &notice.Failure{Problem: notice.Away, Service: true, Err: errNonsense}
	}
	return made.RoomID, nil
}

// invite sees to it that the owner is in the room or invited. Who has left is not pressed to come back.
func invite(ctx context.Context, c *mautrix.Client, room id.RoomID, whom id.UserID) error {
	var m struct {
		Membership event.Membership `json:"membership"`
	}
	err := c.StateEvent(ctx, room, event.StateMember, whom.String(), &m)
	if err != nil && !notFound(err) {
		return err
	}
	switch m.Membership {
	case event.MembershipInvite, event.MembershipJoin:
		return nil
	case event.MembershipLeave:
		return &notice.Failure{Problem: notice.Left}
	case event.MembershipBan:
		return &notice.Failure{Problem: notice.Refused}
	}
	_, err = c.InviteUser(ctx, room, &mautrix.ReqInviteUser{UserID: whom, Reason: "Messages and missed calls of your numbers"})
	if err != nil {
		if loggedOut(err) {
			return err
		}
		return inviteFailure(ctx, err)
	}
	return nil
}

const (
	lookAt   = 50 // messages of a room at once
	lookBack = 10 // times
)

// said is the newest event that was told in the room: we tell them in their order, so it is in the newest message of ours.
func said(ctx context.Context, c *mautrix.Client, room id.RoomID) (int64, error) {
	from := ""
	for range lookBack {
		// Not as mautrix' type: of each event only what is asked here, whatever else is in the room.
		var page struct {
			End   string `json:"end"`
			Chunk []struct {
				Sender  id.UserID `json:"sender"`
				Content struct {
					Event any `json:"switchboard.event"`
				} `json:"content"`
			} `json:"chunk"`
		}
		query := map[string]string{"dir": "b", "limit": strconv.Itoa(lookAt)}
		if from != "" {
			query["from"] = from
		}
		_, err := c.MakeRequest(ctx, http.MethodGet, c.BuildURLWithQuery(mautrix.ClientURLPath{"v3", "rooms", room, "messages"}, query), nil, &page)
		if err != nil {
			return 0, err
		}
		for _, e := range page.Chunk {
			text, _ := e.Content.Event.(string)
			if n, err := strconv.ParseInt(text, 10, 64); err == nil && e.Sender == c.UserID {
				return n, nil
			}
		}
		if page.End == "" || page.End == from {
			return 0, nil
		}
		from = page.End
	}
	return 0, nil
}

// Say sends the text as m.room.message. The transaction's id follows from the event: sent again, it is the same.
func (b *Bot) Say(ctx context.Context, s notice.Say) error {
	n := strconv.FormatInt(s.Event, 10)
	content := map[string]string{"msgtype": string(event.MsgText), "body": s.Text, eventKey: n}
	err := b.as(ctx, func(c *mautrix.Client) error {
		_, err := c.SendMessageEvent(ctx, id.RoomID(s.Room), event.EventMessage, content, mautrix.ReqSendEvent{TransactionID: "switchboard-" + n})
		return err
	})
	return failed(ctx, err)
}
