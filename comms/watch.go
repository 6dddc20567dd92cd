package comms

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/ent/call"
	"switchboard/ent/event"
	"switchboard/ent/number"
	"switchboard/internal/clock"
)

// Watch says which part of the caller's log somebody wants to see.
type Watch struct {
	Kinds     []Kind      // nil: every kind
	NumberIDs []uuid.UUID // nil: all of the account, what concerns no number included
	// CallID asks for one call alone, to its end: nothing is told behind its call.ended. Nil: any call.
	CallID uuid.UUID
	After  string // a cursor; empty: from now on, and of one call from its first event on
}

func (w *Watch) wants(e *Event) bool {
	return (len(w.Kinds) == 0 || slices.Contains(w.Kinds, e.Kind)) &&
		(len(w.NumberIDs) == 0 || slices.Contains(w.NumberIDs, e.NumberID)) && (w.CallID == uuid.Nil || e.CallID() == w.CallID)
}

// Last tells whether the watch has nothing to tell behind the event.
func (w *Watch) Last(e *Event) bool { return w.CallID != uuid.Nil && e.Kind == CallEnded }

// scope is what a credential needs to watch this: who may read messages, or call records, may also watch them.
func (w *Watch) scope() Scope {
	all := func(kinds ...Kind) bool {
		return len(w.Kinds) > 0 && !slices.ContainsFunc(w.Kinds, func(k Kind) bool { return !slices.Contains(kinds, k) })
	}
	switch {
	case all(MessageReceived, MessageSent, MessageDelivered):
		return ReadMessages
	case all(CallKinds()...):
		return ReadRecords
	}
	return ReadEvents
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
	deliver func([]*Event) // set once, under feed.mu
	closed  atomic.Bool
	over    bool // the call that it watches had ended before the place where it begins
}

// OpenWatch checks that the caller may see what it asks for, and takes its place in the log. Close must be called.
func (s *Service) OpenWatch(ctx context.Context, w Watch) (*Watcher, error) {
	w.Kinds = slices.Compact(slices.Sorted(slices.Values(w.Kinds)))
	a, err := demand(ctx, w.scope())
	if err != nil {
		return nil, err
	}
	if err := s.ownNumbers(ctx, a.AccountID, "numberIds", w.NumberIDs); err != nil {
		return nil, err
	}
	out := &Watcher{Watch: w, svc: s}
	if w.After != "" {
		if out.after, err = parseCursor(w.After); err != nil {
			return nil, err
		}
	}
	if out.feed, err = s.hub.acquire(ctx, a.AccountID); err != nil {
		return nil, err
	}
	if err := s.placeWatch(ctx, a.AccountID, out); err != nil {
		s.hub.release(out.feed)
		return nil, err
	}
	return out, nil
}

// placeWatch finds where in the log a watch begins. The log is read anew: the feed may not have told yet of what has happened already.
func (s *Service) placeWatch(ctx context.Context, account uuid.UUID, out *Watcher) error {
	if out.CallID != uuid.Nil {
		if err := s.placeCallWatch(ctx, account, out); err != nil {
			return err
		}
	}
	ends, err := s.logEnds(ctx, account, out.after)
	if err != nil {
		return err
	}
	if out.Watch.After == "" && out.CallID == uuid.Nil {
		out.after = ends.newest
		return nil
	}
	return ends.check(out.after, clock.Now().Add(-s.limits.Retention))
}

// placeCallWatch has the watch of one call begin with the call's first event where no cursor says otherwise: between placing a call and
// watching it the first events have passed.
func (s *Service) placeCallWatch(ctx context.Context, account uuid.UUID, out *Watcher) error {
	told, err := s.store.Read().Event.Query().Where(event.AccountID(account), event.CallID(out.CallID)).Order(event.ByID()).
		Select(event.FieldID, event.FieldKind).All(ctx)
	if err != nil {
		return fmt.Errorf("find a call in the log: %w", err)
	}
	if len(told) == 0 {
		known, err := s.store.Read().Call.Query().Where(call.ID(out.CallID), call.AccountID(account)).Exist(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("find a call: %w", err)
		case known:
			return cursorExpired()
		}
		return notFound("callId", "there is no such call")
	}
	if out.Watch.After == "" {
		out.after = told[0].ID - 1
	}
	out.over = slices.ContainsFunc(told, func(e *ent.Event) bool { return e.Kind == string(CallEnded) && e.ID <= out.after })
	return nil
}

// LogCursor is the newest place in the caller's log: what happens after it can be asked for with it.
func (s *Service) LogCursor(ctx context.Context) (string, error) {
	a, err := demand(ctx, ReadAccount)
	if err != nil {
		return "", err
	}
	ends, err := s.logEnds(ctx, a.AccountID, 0)
	return formatCursor(ends.newest), err
}

// logEnds is what an account's log holds.
type logEnds struct {
	trimmed int64         // all up to it was removed
	newest  int64         // its last event, whether or not that was removed
	next    *clock.Micros // when the first event behind the place that was asked about was written; nil: there is none
}

const logEndsQuery = `SELECT a.trimmed_to, (SELECT MAX(e.id) FROM events e WHERE e.account_id = a.id),
 (SELECT e.created_at FROM events e WHERE e.account_id = a.id AND e.id > $1 ORDER BY e.id LIMIT 1) FROM accounts a WHERE a.id = $2`

func (s *Service) logEnds(ctx context.Context, account uuid.UUID, after int64) (logEnds, error) {
	var out logEnds
	rows, err := s.store.Read().QueryContext(ctx, logEndsQuery, after, account)
	if err != nil {
		return out, fmt.Errorf("find the ends of the log: %w", err)
	}
	defer rows.Close()
	var newest *int64
	if rows.Next() {
		if err := rows.Scan(&out.trimmed, &newest, &out.next); err != nil {
			return out, fmt.Errorf("find the ends of the log: %w", err)
		}
	}
	out.newest = out.trimmed
	if newest != nil {
		out.newest = *newest
	}
	return out, rows.Err()
}

// check refuses a cursor after which something is no longer there to be told, or is too old to be there for long.
func (l logEnds) check(after int64, oldest clock.Micros) error {
	if after > l.newest {
		return badCursor()
	}
	if after < l.trimmed || l.next != nil && *l.next < oldest {
		return cursorExpired()
	}
	return nil
}

func cursorExpired() error {
	return &Error{Code: Invalid, Field: "after", Reason: ReasonCursorExpired,
		Text: "after is older than the log is kept: read the lists anew and subscribe without a cursor"}
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

// Over tells whether nothing can come: the one call that is watched had ended at the place to go on from.
func (w *Watcher) Over() bool { return w.over }

// After is the ID of the event to go on from.
func (w *Watcher) After() int64 { return w.after }

// Missed is up to limit wanted events after a place in the log, oldest first; more tells whether the limit cut them off. The caller has all
// that it wants up to that place. If the log is trimmed beyond it by now, there would be a gap: that is an error, as in OpenWatch.
func (w *Watcher) Missed(ctx context.Context, after int64, limit int) (events []*Event, more bool, err error) {
	events, err = w.svc.readEvents(ctx, w.feed.account, after, limit+1, &w.Watch)
	if err != nil {
		return nil, false, err
	}
	// Looked at behind the events, so that they are there if it says so.
	trimmed, err := w.svc.store.Read().Account.Query().Where(account.ID(w.feed.account)).Select(account.FieldTrimmedTo).Int(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("look where the log begins: %w", err)
	}
	if after < int64(trimmed) {
		return nil, false, cursorExpired()
	}
	if len(events) > limit {
		return events[:limit], true, nil
	}
	return events, false, nil
}

// Start has deliver called with each batch of wanted events from now on, in order, one call at a time. It must not block: all who
// watch the account wait for it, and whoever sent the message that it is told of. It returns the ID after which live events begin: all up to it are in Missed.
func (w *Watcher) Start(deliver func([]*Event)) int64 { return w.feed.attach(w, deliver) }

// Close ends it. deliver may still be running when it returns, but is not called again. It may be called again.
func (w *Watcher) Close() {
	if !w.closed.Swap(true) {
		w.feed.detach(w)
	}
}
