package push

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/notice"
	"switchboard/ent/follower"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// street is a switchboard with two accounts, and the push services.
type street struct {
	*outside
	t     *testing.T
	store *db.Store
	svc   *comms.Service
	shop  []*comms.Number // one owner's
	ann   *comms.Number   // somebody else's
	end   func()
}

func streets(t *testing.T, fn func(s *street)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		s := &street{outside: newOutside(t), t: t, store: open(t), end: func() {}}
		contents, err := content.Open(content.Options{Data: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if s.svc, err = comms.New(comms.Options{Store: s.store, Contents: contents, Secret: bytes.Repeat([]byte{7}, 32), Node: "one", HashCost: 4}); err != nil {
			t.Fatal(err)
		}
		got, err := s.svc.Provision(t.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{
			{Email: "shop@example.com", Password: "correct horse", Numbers: []comms.ProvisionNumber{{Number: "+862151860000"}, {Number: "+862151860001"}}},
			{Email: "ann@example.com", Password: "correct horse", Numbers: []comms.ProvisionNumber{{Number: "+8613800000001"}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		s.shop, s.ann = got.Accounts[0].Numbers, got.Accounts[1].Numbers[0]
		t.Cleanup(func() { s.end() })
		fn(s)
	})
}

// start has one process tell.
func (s *street) start(text bool) {
	s.t.Helper()
	s.end()
	n := notice.New(s.svc, notice.Options{Text: text, First: 30 * time.Millisecond, Most: 200 * time.Millisecond, Poll: 100 * time.Millisecond})
	services, err := New(s.options(n))
	if err != nil {
		s.t.Fatal(err)
	}
	n.Attach(nil, services)
	ctx, cancel := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	s.end = func() { cancel(); running.Wait() }
}

func (s *street) login(token string, numbers ...*comms.Number) {
	s.t.Helper()
	ids := make([]uuid.UUID, len(numbers))
	for i, n := range numbers {
		ids[i] = n.ID
	}
	_, err := s.svc.RegisterDevice(s.t.Context(), comms.RegisterDevice{AppID: "app", Build: "10", Name: "phone", Locale: "en", Token: token, Numbers: ids})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *street) write(to *comms.Number, text string) (id string) {
	s.t.Helper()
	sent, err := s.svc.SendMessage(comms.AsNumber(s.t.Context(), s.ann.ID), comms.SendMessage{From: s.ann.ID, To: []string{to.Number}, Text: text})
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(sent.Messages[0].ID)
}

func (s *street) miss(at *comms.Number) {
	s.t.Helper()
	err := s.svc.Inside().Change(s.t.Context(), func(ctx context.Context, c *comms.Change) error {
		return s.svc.Inside().MissedCall(ctx, c, at.ID, s.ann.Number)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *street) until(what string, true func() bool) {
	s.t.Helper()
	end := time.After(20 * time.Second)
	for tick := time.Tick(10 * time.Millisecond); !true(); {
		select {
		case <-end:
			s.t.Fatalf("waited in vain for %s", what)
		case <-tick:
		}
	}
}

func (s *street) delivered() []delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]delivery(nil), s.got...)
}

// came waits for so many in all and answers the latest.
func (s *street) came(n int) delivery {
	s.t.Helper()
	s.until(fmt.Sprint(n, " notifications"), func() bool { return len(s.delivered()) >= n })
	got := s.delivered()
	if len(got) != n {
		s.t.Fatalf("%d notifications, want %d: %v", len(got), n, got)
	}
	return got[n-1]
}

func (s *street) answers(status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = func(w http.ResponseWriter) bool {
		if status == 0 {
			return false
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return true
	}
}

// follower is the one that the shop has.
func (s *street) follower() *comms.Follower {
	s.t.Helper()
	rows := s.store.Read().Follower.Query().Where(follower.AccountID(s.shop[0].AccountID)).AllX(s.t.Context())
	if len(rows) != 1 {
		s.t.Fatalf("%d followers", len(rows))
	}
	return rows[0]
}

// The device that a number is bound to is woken for that number alone, from the login on, and told no more than the operator allows.
func TestDeviceIsWoken(t *testing.T) {
	streets(t, func(s *street) {
		s.write(s.shop[0], "before the login")
		s.start(false)
		s.login("an-android-token", s.shop[0])
		id := s.write(s.shop[0], "a secret")
		got := s.came(1)
		if got.data["msgid"] != id || got.data["type"] != "message" || got.data["number"] != "+86…000" {
			t.Errorf("%v", got)
		}
		s.write(s.shop[1], "for a number that nobody logged in with")
		s.miss(s.shop[0])
		if got = s.came(2); got.data["type"] != "missed.call" {
			t.Errorf("%v", got)
		}
		for _, d := range s.delivered() {
			for _, private := range []string{"a secret", s.ann.Number, s.shop[0].Number, s.shop[0].ID.String()} {
				if strings.Contains(fmt.Sprint(d), private) {
					t.Errorf("%v holds %q", d, private)
				}
			}
		}
		s.login(s.URL+"/up/new-phone", s.shop[0]) // takes the number from the first
		s.write(s.shop[0], "for the new one")
		if got = s.came(3); got.path != "/up/new-phone" {
			t.Errorf("%v", got)
		}
		s.start(true)
		s.write(s.shop[0], "hello\nthere")
		if got = s.came(4); got.data["body"] != "hello there" || got.data["title"] != "New message from "+s.ann.Number {
			t.Errorf("%v", got)
		}
		s.login(s.URL + "/up/new-phone")
		s.write(s.shop[0], "for nobody")
		if n := s.store.Read().Follower.Query().CountX(t.Context()); n != 0 {
			t.Errorf("%d followers", n)
		}
		s.login(appleToken, s.shop...)
		s.write(s.shop[1], "for the other number")
		if got = s.came(5); got.path != strings.ToLower(appleToken) {
			t.Errorf("%v", got)
		}
	})
}

// A dead token is not tried again until the app logs in with it; a service that is away is, and nothing is lost.
func TestServiceFails(t *testing.T) {
	streets(t, func(s *street) {
		s.start(false)
		s.login("an-android-token", s.shop[0])
		s.answers(503, "")
		s.write(s.shop[0], "one")
		s.write(s.shop[0], "two")
		s.until("the problem", func() bool { f := s.follower(); return f.Problem == string(notice.Away) && f.Tries > 1 })
		s.answers(0, "")
		s.came(2)
		s.until("the end of it", func() bool { return s.follower().Problem == "" })
		s.answers(404, `{"error":{"details":[{"errorCode":"UNREGISTERED"}]}}`)
		s.write(s.shop[0], "three")
		s.until("the problem", func() bool { f := s.follower(); return f.Problem == string(notice.Gone) && f.NextAt == nil })
		s.answers(0, "")
		s.write(s.shop[0], "four")
		s.login("an-android-token", s.shop[0])
		id := s.write(s.shop[0], "five")
		if got := s.came(3); got.data["msgid"] != id {
			t.Errorf("%v, want %s alone", got, id)
		}
	})
}

// Somebody's service that hangs keeps nobody else waiting.
func TestServiceHangs(t *testing.T) {
	streets(t, func(s *street) {
		hang := make(chan struct{})
		defer close(hang)
		hung := newHanging(t, hang)
		s.start(false)
		s.login(hung+"/up/one", s.shop[0])
		s.write(s.shop[0], "one")
		s.login("an-android-token", s.shop[1])
		id := s.write(s.shop[1], "two")
		if got := s.came(1); got.data["msgid"] != id {
			t.Errorf("%v", got)
		}
		s.end()
	})
}
