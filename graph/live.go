package graph

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"

	"switchboard/comms"
)

// live knows every socket and event stream: how many an account has, whose credential has been revoked, whom to tell when the server
// stops. Until it says who it is a socket counts for the address that it comes from.
type live struct {
	h        *Handler
	mu       sync.Mutex
	owners   map[string]*owner
	stopping bool
}

// owner is an account, or an address.
type owner struct {
	name    string
	seats   map[*seat]struct{}
	guard   sync.Once
	watcher *comms.Watcher // tells when a credential of the account is revoked; under live.mu
	err     error          // why there is no watcher
}

// seat is one socket's or stream's place.
type seat struct {
	owner *owner
	shown comms.Presented
	end   func(why ending) // must not wait
}

// ending is why the server ends a socket or stream.
type ending uint8

const (
	endRestart ending = iota + 1 // the server stops: come again at once
	endRevoked                   // the credential is no longer good
)

var (
	errTooMany  = &comms.Error{Code: comms.Limited, Text: "too many open sockets and streams"}
	errStopping = &comms.Error{Code: comms.Unavailable, Text: "the server is stopping"}
)

func newLive(h *Handler) *live {
	l := &live{h: h, owners: map[string]*owner{}}
	if h.o.Drain != nil {
		go func() {
			<-h.o.Drain
			l.stop()
		}()
	}
	return l
}

// addressOf is the owner of a socket whose account isn't known.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return "address " + host
}

// take gives a place to a socket or stream. leave gives it back.
func (l *live) take(name string, s *seat) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		return errStopping
	}
	return l.sit(name, s)
}

// sit puts a seat to an owner. l.mu is held.
func (l *live) sit(name string, s *seat) error {
	o := l.owners[name]
	if o == nil {
		o = &owner{name: name, seats: map[*seat]struct{}{}}
		l.owners[name] = o
	}
	if len(o.seats) >= l.h.o.MaxSockets {
		return errTooMany
	}
	o.seats[s] = struct{}{}
	s.owner = o
	return nil
}

// rise takes a seat from an owner. l.mu is held.
func (l *live) rise(o *owner, s *seat) {
	delete(o.seats, s)
	if len(o.seats) > 0 {
		return
	}
	delete(l.owners, o.name)
	if o.watcher != nil {
		o.watcher.Close()
	}
}

// accountOf is the owner of a socket or stream whose caller is known.
func accountOf(a *comms.Actor) string { return "account " + a.AccountID.String() }

// introduce moves a seat to the account that its credential names, and watches over that credential from here on.
func (l *live) introduce(ctx context.Context, s *seat, shown comms.Presented) error {
	a := comms.ActorOf(ctx)
	l.mu.Lock()
	if was := s.owner; was.name != accountOf(a) {
		if err := l.sit(accountOf(a), s); err != nil {
			l.mu.Unlock()
			return err
		}
		l.rise(was, s)
	}
	s.shown = shown
	o := s.owner
	l.mu.Unlock()
	o.guard.Do(func() { o.err = l.watch(ctx, o, a) })
	if o.err != nil {
		return o.err
	}
	// It was looked at before anybody watched over it.
	_, err := l.h.svc.Authenticate(ctx, shown)
	return err
}

// watch has the account's log tell what ends a credential. It asks in its own right, whatever scopes the caller has: what it sees is told to
// nobody.
func (l *live) watch(ctx context.Context, o *owner, a *comms.Actor) error {
	ctx = comms.WithActor(context.WithoutCancel(ctx), &comms.Actor{AccountID: a.AccountID, Scopes: comms.ReadEvents})
	w, err := l.h.svc.OpenWatch(ctx, comms.Watch{Kinds: []comms.Kind{comms.ApiTokenRevoked, comms.ApiKeyRegenerated}})
	if err != nil {
		return fmt.Errorf("watch over a credential: %w", err)
	}
	w.Start(func([]*comms.Event) { go l.recheck(o) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(o.seats) == 0 { // all have left meanwhile
		w.Close()
		return nil
	}
	o.watcher = w
	return nil
}

// recheck ends the seats of an account whose credentials are no longer good.
func (l *live) recheck(o *owner) {
	l.mu.Lock()
	shown := map[comms.Presented][]*seat{}
	for s := range o.seats {
		shown[s.shown] = append(shown[s.shown], s)
	}
	l.mu.Unlock()
	for p, seats := range shown {
		if p == (comms.Presented{}) {
			continue
		}
		_, err := l.h.svc.Authenticate(context.Background(), p)
		if err == nil {
			continue
		}
		if !comms.IsCode(err, comms.Unauthenticated) {
			l.h.o.Logger.Error("look again at a credential", "error", err)
			continue
		}
		for _, s := range seats {
			s.end(endRevoked)
		}
	}
}

func (l *live) leave(s *seat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rise(s.owner, s)
}

// stop tells everybody that the server does, and takes no more.
func (l *live) stop() {
	l.mu.Lock()
	l.stopping = true
	var all []*seat
	for _, o := range l.owners {
		for s := range o.seats {
			all = append(all, s)
		}
	}
	l.mu.Unlock()
	for _, s := range all {
		s.end(endRestart)
	}
}
