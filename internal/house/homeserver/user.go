package homeserver

import (
	"net/url"
	"strings"
	"time"
)

// Name is the part of the user's Matrix ID before the colon.
func (u *User) Name() string {
	name, _, _ := strings.Cut(strings.TrimPrefix(u.ID, "@"), ":")
	return name
}

// Rooms are the user's rooms: those that he is in, and those that he is invited to.
func (u *User) Rooms() (joined, invited []string) {
	u.Helper()
	var got struct {
		Rooms struct {
			Join, Invite map[string]any
		}
	}
	u.Call("GET", "/_matrix/client/v3/sync?timeout=0", u.Token, nil, &got)
	for id := range got.Rooms.Join {
		joined = append(joined, id)
	}
	for id := range got.Rooms.Invite {
		invited = append(invited, id)
	}
	return joined, invited
}

// Invitation waits for one and answers its room.
func (u *User) Invitation() string {
	u.Helper()
	var room string
	u.Until("an invitation", func() bool {
		_, invited := u.Rooms()
		if len(invited) > 0 {
			room = invited[0]
		}
		return len(invited) == 1
	})
	return room
}

// Join accepts an invitation.
func (u *User) Join(room string) {
	u.Helper()
	u.Call("POST", "/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/join", u.Token, struct{}{}, nil)
}

// Leave leaves the room or declines the invitation.
func (u *User) Leave(room string) {
	u.Helper()
	u.Call("POST", "/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/leave", u.Token, struct{}{}, nil)
}

// Read is what was said in the room, oldest first.
func (u *User) Read(room string) (said []string) {
	u.Helper()
	var got struct {
		Chunk []struct {
			Type    string
			Content struct{ Body string }
		}
	}
	u.Call("GET", "/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/messages?dir=b&limit=500", u.Token, nil, &got)
	for i := len(got.Chunk) - 1; i >= 0; i-- {
		if e := got.Chunk[i]; e.Type == "m.room.message" {
			said = append(said, e.Content.Body)
		}
	}
	return said
}

// Until waits for something to become true.
func (s *Server) Until(what string, true func() bool) {
	s.Helper()
	end := time.After(30 * time.Second)
	for tick := time.Tick(20 * time.Millisecond); !true(); {
		select {
		case <-end:
			s.Fatalf("waited in vain for %s", what)
		case <-tick:
		}
	}
}
