package matrix

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"switchboard/comms/notice"
)

// Whoever sets a Matrix ID is invited, and told of texts, files and missed calls, each once, whatever is started again meanwhile.
func TestTheOwnerIsTold(t *testing.T) {
	towns(t, func(w *town) {
		w.write("before")
		w.start()
		w.settle(w.owner.ID)
		room := w.owner.Invitation()
		w.write("hello\x00\nthere")
		w.writeFrom(w.svc, strings.Repeat("x", 2000), "price list.pdf")
		w.miss()
		w.Until("the missed call", func() bool { return len(w.bot.Read(room)) == 3 })
		w.owner.Join(room)
		w.writeFrom(w.svc, strings.Repeat("é", 10_000), "")
		want := []string{"Message from +8613800000001 for Shop (+862151860000):\nhello\uFFFD\nthere",
			"File from +8613800000001 for Shop (+862151860000): price list.pdf, 2.0 KiB", "Missed call from +8613800000001 for Shop (+862151860000), 20",
			"é… (19.5 KiB in all)"}
		w.heard(w.owner, room, want...)
		w.restart()
		w.Server.Stop()
		w.Server.Start()
		w.write("after")
		w.heard(w.owner, room, append(want, "after")...)
		if f := w.channel(); f.Problem != "" || f.Tries != 0 || f.Room != room {
			t.Errorf("%+v", f)
		}
		w.oneDevice()
	})
}

// oneDevice fails where the bot logged in more than once, or its token lies open in the database.
func (w *town) oneDevice() {
	w.t.Helper()
	var got struct {
		Devices []struct {
			ID string `json:"device_id"`
		}
	}
	w.Call("GET", "/_matrix/client/v3/devices", w.bot.Token, nil, &got)
	ours := 0
	for _, d := range got.Devices {
		if d.ID == device {
			ours++
		}
	}
	if ours != 1 || len(got.Devices) != 2 { // the other is that of the registration
		w.t.Errorf("the bot's devices: %v", got.Devices)
	}
	n := notice.New(w.open("two"), notice.Options{})
	token, err := n.Secret(w.t.Context(), w.newBot(n).secret())
	if err != nil || len(token) == 0 {
		w.t.Fatalf("no token is kept: %v", err)
	}
	for _, row := range w.store.Read().Setting.Query().AllX(w.t.Context()) {
		if bytes.Contains(row.Value, token) {
			w.t.Errorf("%s holds the token as it is", row.ID)
		}
	}
}

// dying is a bot whose process ends at some point: nothing that it would have done after that happens.
type dying struct {
	notice.Rooms
	opened, said int32 // at the how manieth, after that it was done
	opens, says  atomic.Int32
	dead         chan struct{}
}

func (d *dying) Open(ctx context.Context, o notice.OpenRoom) (notice.Room, error) {
	r, err := d.Rooms.Open(ctx, o)
	if err == nil && d.opens.Add(1) == d.opened {
		d.die()
	}
	return r, err
}

func (d *dying) Say(ctx context.Context, s notice.Say) error {
	err := d.Rooms.Say(ctx, s)
	if err == nil && d.says.Add(1) == d.said {
		d.die()
	}
	return err
}

func (d *dying) die() {
	close(d.dead)
	select {}
}

// A process that is killed right after the homeserver took something, before that was noted: neither is the room made twice, nor anything
// said twice, even by a homeserver that was started again and remembers no transaction.
func TestKilledInTheMiddle(t *testing.T) {
	for _, at := range []struct {
		name         string
		opened, said int32
	}{{"after the room was made", 1, -1}, {"after the first word", -1, 1}, {"after the third", -1, 3}} {
		t.Run(at.name, func(t *testing.T) {
			towns(t, func(w *town) {
				d := &dying{opened: at.opened, said: at.said, dead: make(chan struct{})}
				w.tell(w.svc, func(b *Bot) notice.Rooms { d.Rooms = b; return d }) // it never ends: it is dead
				w.settle(w.owner.ID)
				if at.opened < 0 {
					w.owner.Invitation()
				}
				for i := range 4 {
					w.write(fmt.Sprint("word ", i))
				}
				<-d.dead
				w.owner.Invitation() // Dendrite forgets one that it has not told of when it is stopped
				w.Server.Stop()
				w.Server.Start()
				w.restart()
				room := w.owner.Invitation()
				w.owner.Join(room)
				w.heard(w.owner, room, "word 0", "word 1", "word 2", "word 3")
				w.write("word 4")
				w.heard(w.owner, room, "word 0", "word 1", "word 2", "word 3", "word 4")
				if _, invited := w.owner.Rooms(); len(invited) != 0 {
					t.Errorf("invited again: %v", invited)
				}
			})
		})
	}
}

// While the homeserver is away nothing is lost, and the account sees why it hears nothing.
func TestTheHomeserverIsAway(t *testing.T) {
	towns(t, func(w *town) {
		w.start()
		w.settle(w.owner.ID)
		room := w.owner.Invitation()
		w.owner.Join(room)
		w.Server.Stop()
		want := make([]string, 25)
		for i := range want {
			want[i] = fmt.Sprintf("word %02d", i)
			w.write(want[i])
		}
		w.Until("the problem", func() bool {
			f := w.channel()
			return f.Problem == string(notice.Away) && f.NextAt != nil && f.Tries > 1
		})
		w.Server.Start()
		w.heard(w.owner, room, want...)
		w.Until("the end of the problem", func() bool { f := w.channel(); return f.Problem == "" && f.NextAt == nil && f.Tries == 0 })
	})
}

// Who leaves is not pressed; who sets his ID again, or another one, is invited anew; who clears it hears nothing any more.
func TestComingAndGoing(t *testing.T) {
	towns(t, func(w *town) {
		var says atomic.Int32
		w.stop = w.tell(w.svc, func(b *Bot) notice.Rooms { return &counting{b, &says} })
		w.settle(w.owner.ID)
		room := w.owner.Invitation()
		w.owner.Leave(room)
		w.write("unheard")
		w.Until("the problem", func() bool { return w.channel().Problem == string(notice.Left) })
		if w.write("unheard"); w.channel().NextAt != nil || says.Load() != 0 {
			t.Errorf("%+v after %d words", w.channel(), says.Load())
		}
		w.settle(w.owner.ID)
		again := w.owner.Invitation()
		w.owner.Join(again)
		w.write("heard")
		w.heard(w.owner, again, "heard")

		heir := w.Register(strings.Replace(w.owner.Name(), "owner", "heir", 1))
		w.settle(heir.ID)
		theirs := heir.Invitation()
		heir.Join(theirs)
		w.write("for the heir")
		w.heard(heir, theirs, "for the heir")
		w.heard(w.owner, again, "heard")

		if _, err := w.svc.ClearMatrixID(w.ctx); err != nil {
			t.Fatal(err)
		}
		w.write("for nobody")
		if n := w.store.Read().Follower.Query().CountX(t.Context()); n != 0 {
			t.Errorf("%d followers", n)
		}
		w.settle(heir.ID)
		last := heir.Invitation()
		heir.Join(last)
		w.write("the last")
		w.heard(heir, last, "the last")
		w.heard(heir, theirs, "for the heir")
	})
}

// counting counts what is said.
type counting struct {
	notice.Rooms
	says *atomic.Int32
}

func (c *counting) Say(ctx context.Context, s notice.Say) error {
	c.says.Add(1)
	return c.Rooms.Say(ctx, s)
}

// Two processes on one database: each message is said by one of them.
func TestTwoProcesses(t *testing.T) {
	towns(t, func(w *town) {
		second := w.open("two")
		w.start()
		end := w.tell(second, nil)
		defer end()
		w.settle(w.owner.ID)
		room := w.owner.Invitation()
		w.owner.Join(room)
		want := make([]string, 30)
		for i := range want {
			want[i] = fmt.Sprintf("word %02d", i)
			if i%2 == 0 {
				w.writeFrom(second, want[i], "")
			} else {
				w.write(want[i])
			}
		}
		w.heard(w.owner, room, want...)
		w.Until("the end", func() bool { return w.channel().Node == "" })
		w.heard(w.owner, room, want...)
	})
}

// A user whom there is not is a problem that the account sees, and the bot is not in anybody's way meanwhile.
func TestNobodyOfThatName(t *testing.T) {
	towns(t, func(w *town) {
		w.start()
		w.settle("@nobody:elsewhere.invalid")
		w.write("unheard")
		w.Until("the problem", func() bool { return w.channel().Problem == string(notice.Refused) }) // it does not speak to others
		w.settle(w.owner.ID)
		room := w.owner.Invitation()
		w.owner.Join(room)
		w.write("heard")
		w.Until("what is heard", func() bool { return strings.Contains(strings.Join(w.owner.Read(room), "|"), "heard") })
	})
}

// A text of what takes six bytes in JSON, or as many lines as there are bytes, silences nobody's room: what does not fit into an event is cut.
func TestTextsOfNoText(t *testing.T) {
	towns(t, func(w *town) {
		w.start()
		w.settle(w.owner.ID)
		room := w.owner.Invitation()
		w.owner.Join(room)
		for _, text := range []string{"\x01", "\x7f", "\n", "\"", "\u2028", "<"} {
			w.write(strings.Repeat(text, 16<<10))
		}
		w.write("after")
		w.Until("what was written after that", func() bool { return len(w.bot.Read(room)) == 7 || w.channel().Problem != "" })
		if got := w.bot.Read(room); len(got) != 7 || !strings.HasSuffix(got[6], "after") {
			t.Errorf("%d messages, %+v", len(got), w.channel())
		}
	})
}
