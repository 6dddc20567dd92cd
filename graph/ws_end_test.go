package graph

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/house"
)

// TestSocketEnds: a credential that ends, that is revoked, a server that stops.
func TestSocketEnds(t *testing.T) {
	drain := make(chan struct{})
	w := newWeb(t, house.SQLite(t), Options{Drain: drain})
	us := w.person(0)
	kept := must(w.svc.CreateApiToken(us.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount}))(t)
	revoked := must(w.svc.CreateApiToken(us.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount}))(t)
	key := must(w.svc.ApiKey(us.ctx))(t)
	short := must(w.svc.CreateApiToken(us.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount, TTL: time.Second}))(t)
	for _, c := range []struct {
		name, credential string
		end              func() error
		reason           string
	}{
		{"expired", short.Value, func() error { return nil }, "Forbidden: the credential has expired"},
		{"revoked", revoked.Value, func() error { _, err := w.svc.RevokeApiToken(us.ctx, revoked.Token.ID); return err }, "Forbidden: the credential was revoked"},
		{"regenerated", key, func() error { _, _, err := w.svc.RegenerateApiKey(us.ctx, ""); return err }, "Forbidden: the credential was revoked"},
	} {
		p := w.accepted(`{"token":"` + c.credential + `"}`)
		if err := c.end(); err != nil {
			t.Fatal(err)
		}
		if code, reason := p.closed(); code != closeForbidden || reason != c.reason {
			t.Errorf("%s: %d %s", c.name, code, reason)
		}
	}
	stays := w.accepted(`{"token":"` + kept.Value + `"}`)
	new, _ := w.dial("graphql-transport-ws", nil)
	stays.started()
	close(drain)
	for _, p := range []*peer{stays, new} {
		if code, reason := p.closed(); code != 1012 || reason != "Service restart" {
			t.Errorf("%d %s", code, reason)
		}
	}
	if _, resp := w.dial("graphql-transport-ws", nil); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a stopping server answers %d", resp.StatusCode)
	}
}

func TestSocketLimits(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{MaxSockets: 2, MaxSubscriptions: 2})
	us, other := w.person(0), w.person(0)
	first, second := w.accepted(us.init()), w.accepted(us.init())
	third, _ := w.dial("graphql-transport-ws", nil)
	third.say(`{"type":"connection_init","payload":` + us.init() + `}`)
	if code, reason := third.closed(); code != 1013 || reason != "too many open sockets and streams" {
		t.Errorf("%d %s", code, reason)
	}
	w.accepted(other.init())
	watch := `{"id":"%d","type":"subscribe","payload":{"query":"subscription { events { cursor } }"}}`
	for i := range 3 {
		first.say(fmt.Sprintf(watch, i))
	}
	first.hears(`{"id":"2","type":"error","payload":[{"message":"a socket may have 2 operations under way at most","extensions":{"code":"OPERATION_LIMIT"}}]}`)
	first.say(`{"id":"0","type":"complete"}`, fmt.Sprintf(watch, 3))
	first.started()
	if err := second.conn.Close(); err != nil {
		t.Fatal(err)
	}
	for { // the place is free as soon as the server has seen it
		p, _ := w.dial("graphql-transport-ws", nil)
		if p == nil {
			continue // the one before still counts for our address
		}
		p.say(`{"type":"connection_init","payload":` + us.init() + `}`)
		if _, _, err := p.conn.ReadMessage(); err == nil {
			break
		}
		if err := p.conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSocketSession: a socket is a session of its account as long as it lives.
func TestSocketSession(t *testing.T) {
	w := onWeb(t)
	us := w.person(0)
	p := w.accepted(us.init())
	list := func() (active, all int) {
		for _, s := range must(w.svc.Sessions(us.ctx, 10))(t) {
			if all++; s.ClosedAt == nil && s.Kind == "graphql" {
				active++
			}
		}
		return active, all
	}
	if active, all := list(); active != 1 || all != 1 {
		t.Errorf("%d of %d sessions are active", active, all)
	}
	if err := p.conn.Close(); err != nil {
		t.Fatal(err)
	}
	for active, all := list(); active != 0; active, _ = list() {
		if all != 1 || t.Context().Err() != nil {
			t.Fatal("the session does not end")
		}
	}
}

// TestSlowSocket: a peer that doesn't read is told to go and never waited for; another in its group has all events meanwhile.
func TestSlowSocket(t *testing.T) {
	w := newWeb(t, house.SQLite(t), Options{QueueBytes: 256 << 10, WriteTimeout: time.Minute})
	us, them := w.person(1), w.person(1)
	aliases := ""
	for i := range 40 {
		aliases += fmt.Sprintf("a%d: text ", i)
	}
	slow, quick := w.accepted(us.init()), w.accepted(us.init())
	for _, p := range []*peer{slow, quick} {
		p.say(`{"id":"1","type":"subscribe","payload":{"query":"subscription { messageReceived { message { ` + aliases + ` } } }"}}`)
		p.started()
	}
	const events = 150 // of 160 KB: more than any kernel keeps for a connection
	for range events {
		w.send(them, us.numbers[0], strings.Repeat("x", 4000))
		if got := quick.next(); len(got) < 160_000 {
			t.Fatal(got)
		}
	}
	if code, reason := slow.closed(); code != closeTryLater || reason != "you read too slowly" {
		t.Errorf("%d %s", code, reason)
	}
	quick.started()
}
