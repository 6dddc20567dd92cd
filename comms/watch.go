package comms

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"switchboard/ent/account"
	"switchboard/ent/event"
	"switchboard/ent/number"
)

// Watch says which part of the caller's log somebody wants to see.
type Watch struct {
	Kinds     []Kind      // nil: every kind
	NumberIDs []uuid.UUID // nil: all of the account, what concerns no number included
	After     string      // a cursor; empty: from now on
}

func (w *Watch) wants(e *Event) bool {
	return (len(w.Kinds) == 0 || slices.Contains(w.Kinds, e.Kind)) &&
		(len(w.NumberIDs) == 0 || slices.Contains(w.NumberIDs, e.NumberID))
}

// Watcher reads one account's log: what was missed with Missed, what comes with Start.
//
// To miss nothing and get nothing twice: read Missed from After until there is no more, and go on live from there. Each live event has
// a greater ID than all that were live before it; drop those that Missed gave already.
type Watcher struct {
	Watch
	svc     *Service
	feed    *feed
	after   int64
	head    int64
	deliver func([]*Event) // set once, under feed.mu
}

// OpenWatch checks that the caller may see what it asks for, and takes its place in the log. Close must be called.
func (s *Service) OpenWatch(ctx context.Context, w Watch) (*Watcher, error) {
	scope := ReadEvents
	if len(w.Kinds) > 0 && !slices.ContainsFunc(w.Kinds, func(k Kind) bool {
		return k != MessageReceived && k != MessageSent && k != MessageDelivered
	}) {
		scope = ReadMessages
	}
	a, err := demand(ctx, scope)
	if err != nil {
		return nil, err
	}
	if err := s.ownNumbers(ctx, a.AccountID, "numberIds", w.NumberIDs); err != nil {
		return nil, err
	}
	f, err := s.hub.acquire(ctx, a.AccountID)
	if err != nil {
		return nil, err
	}
	out := &Watcher{Watch: w, svc: s, feed: f, head: f.position()}
	out.after = out.head
	if w.After != "" {
		if out.after, err = s.checkCursor(ctx, a.AccountID, w.After); err != nil {
			s.hub.release(f)
			return nil, err
		}
	}
	return out, nil
}

// checkCursor refuses a cursor after which something is no longer there to be told.
func (s *Service) checkCursor(ctx context.Context, id uuid.UUID, cursor string) (int64, error) {
	after, err := parseCursor(cursor)
	if err != nil {
		return 0, err
	}
	acc, err := s.store.Read().Account.Query().Where(account.ID(id)).Select(account.FieldTrimmedTo).Only(ctx)
	if err != nil {
		return 0, err
	}
	if after < acc.TrimmedTo {
		return 0, &Error{Code: Invalid, Field: "after", Reason: ReasonCursorExpired,
			Text: "after is older than the log is kept: read the lists anew and subscribe without a cursor"}
	}
	newest, err := s.newestEvent(ctx, id)
	if err != nil {
		return 0, err
	}
	if after > max(newest, acc.TrimmedTo) {
		return 0, &Error{Code: Invalid, Field: "after", Reason: ReasonBadCursor, Text: "after is not a cursor of this log"}
	}
	return after, nil
}

// LogCursor is the newest place in the caller's log: what happens after it can be asked for with it.
func (s *Service) LogCursor(ctx context.Context) (string, error) {
	a, err := demand(ctx, ReadAccount)
	if err != nil {
		return "", err
	}
	newest, err := s.newestEvent(ctx, a.AccountID)
	if err != nil {
		return "", err
	}
	acc, err := s.store.Read().Account.Query().Where(account.ID(a.AccountID)).Select(account.FieldTrimmedTo).Only(ctx)
	if err != nil {
		return "", err
	}
	return formatCursor(max(newest, acc.TrimmedTo)), nil
}

func (s *Service) newestEvent(ctx context.Context, account uuid.UUID) (int64, error) {
	ids, err := s.store.Read().Event.Query().Where(event.AccountID(account)).Order(event.ByID(desc)).Limit(1).IDs(ctx)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return ids[0], nil
}

// ownNumbers refuses ids that are not the account's own numbers.
func (s *Service) ownNumbers(ctx context.Context, account uuid.UUID, field string, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	if len(ids) > s.limits.Receivers {
		return invalid(field, "at most %d numbers", s.limits.Receivers)
	}
	distinct := slices.Compact(slices.SortedFunc(slices.Values(ids), compareUUID))
	n, err := s.store.Read().Number.Query().Where(number.AccountID(account), number.IDIn(distinct...)).Count(ctx)
	if err != nil {
		return err
	}
	if n != len(distinct) {
		return notFound(field, "there is no such number")
	}
	return nil
}

// After is the ID of the event to go on from.
func (w *Watcher) After() int64 { return w.after }

// Missed is up to limit wanted events after a place in the log, oldest first; more tells whether the limit cut them off.
func (w *Watcher) Missed(ctx context.Context, after int64, limit int) (events []*Event, more bool, err error) {
	events, err = w.svc.readEvents(ctx, w.feed.account, after, limit+1, &w.Watch)
	if len(events) > limit {
		return events[:limit], true, err
	}
	return events, false, err
}

// Start has deliver called with each batch of wanted events from now on, in order, one call at a time. It must not block: all who
// watch the account wait for it. It returns the ID after which live events begin: all up to it are in Missed.
func (w *Watcher) Start(deliver func([]*Event)) int64 { return w.feed.attach(w, deliver) }

// Position is the ID up to which the live events have been told.
func (w *Watcher) Position() int64 { return w.feed.position() }

// Close ends it. deliver may still be running when it returns, but is not called again.
func (w *Watcher) Close() { w.feed.detach(w) }
