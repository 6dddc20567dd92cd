package matrix

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/comms/notice"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/internal/house/homeserver"
)

// town is a switchboard with two accounts, and a homeserver where the bot and the owner of one of them have accounts.
type town struct {
	*homeserver.Server
	t          *testing.T
	store      *db.Store
	folder     string
	svc        *comms.Service
	bot, owner *homeserver.User
	ctx        context.Context // the owner's
	shop, ann  *comms.Number   // the owner's number, and somebody else's
	stop       func()
}

// towns runs fn over both databases, with one homeserver.
func towns(t *testing.T, fn func(w *town)) {
	hs := homeserver.New(t)
	var names int
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		names++
		hs.TB = t
		w := &town{Server: hs, t: t, store: open(t), folder: t.TempDir(), bot: hs.Register(fmt.Sprint("bot", names)), owner: hs.Register(fmt.Sprint("owner", names))}
		w.svc = w.open("one")
		got, err := w.svc.Provision(t.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{
			{Email: "shop@example.com", Password: "correct horse", Numbers: []comms.ProvisionNumber{{Number: "+862151860000", Alias: new("Shop")}}},
			{Email: "ann@example.com", Password: "correct horse", Numbers: []comms.ProvisionNumber{{Number: "+8613800000001"}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.shop, w.ann = got.Accounts[0].Numbers[0], got.Accounts[1].Numbers[0]
		w.ctx = comms.WithActor(t.Context(), &comms.Actor{AccountID: w.shop.AccountID, Scopes: 1<<16 - 1})
		t.Cleanup(func() { w.end() })
		fn(w)
	})
}

// open is the rules of one process.
func (w *town) open(node string) *comms.Service {
	contents, err := content.Open(content.Options{Data: w.folder})
	if err != nil {
		w.t.Fatal(err)
	}
	svc, err := comms.New(comms.Options{Store: w.store, Contents: contents, Secret: bytes.Repeat([]byte{7}, 32), Node: node, HashCost: 4})
	if err != nil {
		w.t.Fatal(err)
	}
	return svc
}

// rooms is the bot, with what a test does around it.
type rooms func(*Bot) notice.Rooms

func (w *town) newBot(svc *notice.Service) *Bot {
	return New(Options{Homeserver: w.URL, User: w.bot.ID, Password: w.bot.Password, Kept: svc, Timeout: 5 * time.Second})
}

// tell starts the room of notices over some rules; what it answers ends it.
func (w *town) tell(svc *comms.Service, around rooms) (end func()) {
	n := notice.New(svc, notice.Options{First: 50 * time.Millisecond, Most: 400 * time.Millisecond, Poll: 200 * time.Millisecond, Lease: time.Minute})
	bot := w.newBot(n)
	if around == nil {
		n.Attach(bot, nil)
	} else {
		n.Attach(around(bot), nil)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

// start has the town's own process tell; end ends that.
func (w *town) start() { w.stop = w.tell(w.svc, nil) }

func (w *town) end() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// restart is another process after the first.
func (w *town) restart() {
	w.end()
	w.svc = w.open("one")
	w.start()
}

func (w *town) write(text string) { w.writeFrom(w.svc, text, "") }

func (w *town) writeFrom(svc *comms.Service, text, file string) {
	w.t.Helper()
	_, err := svc.SendMessage(comms.AsNumber(w.t.Context(), w.ann.ID), comms.SendMessage{From: w.ann.ID, To: []string{w.shop.Number},
		Data: strings.NewReader(text), Length: int64(len(text)), FileName: file})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) miss() {
	w.t.Helper()
	err := w.svc.Inside().Change(w.t.Context(), func(ctx context.Context, c *comms.Change) error {
		return w.svc.Inside().MissedCall(ctx, c, w.shop.ID, w.ann.Number)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) settle(id string) {
	w.t.Helper()
	if _, err := w.svc.SetMatrixID(w.ctx, id); err != nil {
		w.t.Fatal(err)
	}
}

// channel is how the owner's one channel stands.
func (w *town) channel() comms.Follower {
	w.t.Helper()
	n := w.store.Read().Follower.Query().AllX(w.t.Context())
	if len(n) != 1 {
		w.t.Fatalf("%d followers", len(n))
	}
	return *n[0]
}

// heard waits until the room holds these, each once and in this order; what is given is the end of each line.
func (w *town) heard(who *homeserver.User, room string, want ...string) {
	w.t.Helper()
	w.Until(fmt.Sprintf("%q", want), func() bool { return len(who.Read(room)) >= len(want) })
	got := who.Read(room)
	for i, line := range got {
		if i >= len(want) || !strings.Contains(line, want[i]) {
			w.t.Fatalf("heard %q, want %q", got, want)
		}
	}
}
