package comms_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/internal/clock"
)

func TestSessions(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		old, err := w.svc.OpenSession(c.ctx, "opencloud")
		if err != nil {
			t.Fatal(err)
		}
		for range 25 {
			l, err := w.svc.OpenSession(c.ctx, "graphql")
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // closing twice is closing once
				if err := l.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		list := func(svc *comms.Service) []*comms.Session {
			got, err := svc.Sessions(c.ctx, 20)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		got := list(w.svc)
		if len(got) != 21 || got[20].ID != old.ID() || got[20].ClosedAt != nil || got[0].ClosedAt == nil {
			t.Fatalf("%d sessions: %+v", len(got), got)
		}
		before := got[20].LastSeen
		old.Seen()
		if now := list(w.svc)[20].LastSeen; now <= before {
			t.Errorf("last seen %d, then %d", before, now)
		}
		stored := func() clock.Micros { return w.session(old.ID()).LastSeen }
		if now := stored(); now > before {
			t.Error("a frame costs a statement")
		}
		if err := w.svc.Sweep(t.Context(), clock.Now()); err != nil {
			t.Fatal(err)
		}
		if now := stored(); now <= before {
			t.Error("a sweep did not write down when the session was last seen")
		}
		other := w.node("other")
		if active := list(other)[20].ClosedAt == nil; !active {
			t.Error("another node does not believe this one's fresh word")
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		other.Run(ctx)
		if s := w.session(old.ID()); s.ClosedAt != nil {
			t.Error("closed by somebody who had no time to")
		}
	})
}

// node is another process on the same database.
func (w *world) node(name string) *comms.Service {
	w.Helper()
	svc, err := comms.New(comms.Options{Store: w.store, Secret: bytes.Repeat([]byte{7}, 32), Node: name, HashCost: 4})
	if err != nil {
		w.Fatal(err)
	}
	return svc
}

func (w *world) session(id uuid.UUID) *comms.Session {
	w.Helper()
	row, err := w.store.Read().Session.Get(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return row
}

// What an earlier life of the process left open is closed when the next one starts; what this one holds is not.
func TestSessionsAskedFor(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		for limit, want := range map[int]comms.Reason{-1: comms.ReasonNone, 201: comms.ReasonPageSize} {
			if _, err := w.svc.Sessions(c.ctx, limit); !comms.IsCode(err, comms.Invalid) || comms.AsError(err).Reason != want {
				t.Errorf("%d sessions: %v", limit, err)
			}
		}
	})
}

func TestStaleSessions(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		left, err := w.svc.OpenSession(c.ctx, "opencloud")
		if err != nil {
			t.Fatal(err)
		}
		next := newWorld(t, w.store)
		held, err := next.svc.OpenSession(c.ctx, "opencloud")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { next.svc.Run(ctx) })
		for w.session(left.ID()).ClosedAt == nil {
			if t.Context().Err() != nil {
				t.Fatal("never closed")
			}
		}
		stop()
		running.Wait()
		if s := w.session(held.ID()); s.ClosedAt != nil {
			t.Error("its own session was closed")
		}
		if s := w.session(left.ID()); *s.ClosedAt != s.LastSeen {
			t.Error("it ended when it was last seen")
		}
	})
}

func TestThrottledVerbs(t *testing.T) {
	onBoth(t, func(w *world) {
		one := comms.Rate{N: 1, Per: time.Hour}
		svc, err := comms.New(comms.Options{Store: w.store, Secret: bytes.Repeat([]byte{7}, 32), HashCost: 4,
			Throttle: comms.Throttle{Register: one, Login: comms.Rate{N: 2, Per: time.Hour}, Captcha: one}})
		if err != nil {
			t.Fatal(err)
		}
		from := func(origin string) context.Context { return comms.WithOrigin(t.Context(), origin) }
		in := comms.Register{Email: "a@example.com", Password: "correct horse"}
		verbs := []struct {
			name string
			do   func() error
			want string
		}{
			{"register", func() error { return second(svc.Register(from("192.0.2.1"), in)) }, ""},
			{"again", func() error { return second(svc.Register(from("192.0.2.1:99"), in)) }, "LIMITED"},
			{"elsewhere", func() error { return second(svc.Register(from("192.0.2.2"), in)) }, "CONFLICT email EMAIL_TAKEN"},
			{"wrong", func() error { return second(svc.Login(from("192.0.2.1"), "a@example.com", "wrong")) }, "UNAUTHENTICATED password"},
			{"right", func() error { return second(svc.Login(from("192.0.2.1"), "a@example.com", in.Password)) }, ""},
			{"third", func() error { return second(svc.Login(from("192.0.2.1"), "b@example.com", in.Password)) }, "LIMITED"},
			{"wrong from 3", func() error { return second(svc.Login(from("192.0.2.3"), "a@example.com", "wrong")) }, "UNAUTHENTICATED password"},
			{"wrong from 4", func() error { return second(svc.Login(from("192.0.2.4"), "A@example.com", "wrong")) }, "UNAUTHENTICATED password"},
			{"right from 5", func() error { return second(svc.Login(from("192.0.2.5"), "a@example.com", in.Password)) }, "LIMITED"},
			{"captcha", func() error { return second(svc.AskCaptcha(from("192.0.2.1"))) }, ""},
			{"captcha again", func() error { return second(svc.AskCaptcha(from("192.0.2.1"))) }, "LIMITED"},
		}
		for _, v := range verbs {
			err := v.do()
			if refusal(err) != v.want {
				t.Errorf("%s: %v, want %q", v.name, err, v.want)
			}
			if e := comms.AsError(err); e != nil && e.Code == comms.Limited && e.RetryAfter <= 0 {
				t.Errorf("%s: no time to try again", v.name)
			}
		}
	})
}

func TestApiTokens(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		make := func(ctx context.Context, in comms.CreateApiToken) (*comms.NewApiToken, string) {
			out, err := w.svc.CreateApiToken(ctx, in)
			return out, refusal(err)
		}
		read, _ := make(c.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount | comms.ReadMessages, TTL: time.Hour, Comment: "ci", IdempotencyKey: "k"})
		again, _ := make(c.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount | comms.ReadMessages, TTL: time.Hour, Comment: "ci", IdempotencyKey: "k"})
		if again.Value != read.Value || again.Token.ID != read.Token.ID || !again.Replayed || read.Replayed {
			t.Errorf("the same key: %+v, %+v", read, again)
		}
		if _, got := make(c.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount, IdempotencyKey: "k"}); got != "CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("another body under the key: %q", got)
		}
		if _, got := make(c.ctx, comms.CreateApiToken{}); got != "INVALID scopes" {
			t.Errorf("no scope: %q", got)
		}
		if _, got := make(c.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount, TTL: -1}); got != "INVALID ttl" {
			t.Errorf("negative: %q", got)
		}
		if _, got := make(c.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount, Comment: "a\x00"}); got != "INVALID comment" {
			t.Errorf("a zero byte: %q", got)
		}
		ctx := w.as(read.Value)
		if _, err := w.svc.Me(ctx); err != nil {
			t.Error(err)
		}
		for what, err := range map[string]error{
			"set": second(w.svc.SetMatrixID(ctx, "@a:b")), "key": second(w.svc.ApiKey(ctx)), "token": second(w.svc.IssueToken(ctx)),
			"regenerate": third(w.svc.RegenerateApiKey(ctx, "")), "numbers": second(w.svc.AllNumbers(ctx)),
			"create": second(w.svc.CreateApiToken(ctx, comms.CreateApiToken{Scopes: comms.ReadAccount})),
		} {
			if refusal(err) != "FORBIDDEN  SCOPE" {
				t.Errorf("%s without the scope: %v", what, err)
			}
		}
		write, _ := make(c.ctx, comms.CreateApiToken{Scopes: comms.WriteAccount, TTL: time.Hour})
		wide := w.as(write.Value)
		if _, got := make(wide, comms.CreateApiToken{Scopes: comms.ReadAccount, TTL: time.Minute}); got != "FORBIDDEN scopes SCOPE" {
			t.Errorf("a token gives more than it has: %q", got)
		}
		if _, got := make(wide, comms.CreateApiToken{Scopes: comms.WriteAccount, TTL: 2 * time.Hour}); got != "INVALID ttl" {
			t.Errorf("a token makes one that outlives it: %q", got)
		}
		brief, _ := make(c.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount, TTL: time.Microsecond})
		if _, err := w.svc.Authenticate(t.Context(), comms.Presented{Bearer: brief.Value}); refusal(err) != "UNAUTHENTICATED" {
			t.Errorf("an expired token: %v", err)
		}
		w.revokes(c, read)
		if _, all := w.story(c.ctx); strings.Contains(all, read.Value) || strings.Contains(all, "swb_") {
			t.Errorf("the log shows a token: %s", all)
		}
	})
}

func (w *world) revokes(c *registered, read *comms.NewApiToken) {
	w.Helper()
	stranger := w.register("b@example.com")
	if _, err := w.svc.RevokeApiToken(stranger.ctx, read.Token.ID); refusal(err) != "NOT_FOUND id" {
		w.Errorf("a stranger revokes: %v", err)
	}
	got := race(4, func(int) error { return second(w.svc.RevokeApiToken(c.ctx, read.Token.ID)) })
	if got[""] != 1 || got["NOT_FOUND id"] != 3 {
		w.Errorf("revoked %v", got)
	}
	if _, err := w.svc.Authenticate(w.Context(), comms.Presented{Bearer: read.Value}); refusal(err) != "UNAUTHENTICATED" {
		w.Errorf("a revoked token: %v", err)
	}
	for range 2 {
		if _, err := w.svc.CreateApiToken(c.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount, Comment: "old"}); err != nil {
			w.Fatal(err)
		}
	}
	if n, err := w.svc.RevokeApiTokens(c.ctx, "old"); n != 2 || err != nil {
		w.Errorf("%d, %v", n, err)
	}
	page, err := w.svc.ApiTokens(c.ctx, comms.Page{})
	if err != nil || len(page.Items) != 2 {
		w.Errorf("%+v, %v", page, err)
	}
}
