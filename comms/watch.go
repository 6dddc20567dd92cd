package comms

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/google/uuid"

	"switchboard/ent/account"
	"switchboard/ent/number"
	"switchboard/internal/clock"
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
	deliver func([]*Event) // set once, under feed.mu
	closed  atomic.Bool
}

// OpenWatch checks that the caller may see what it asks for, and takes its place in the log. Close must be called.
func (s *Service) OpenWatch(ctx context.Context, w Watch) (*Watcher, error) {
	w.Kinds = slices.Compact(slices.Sorted(slices.Values(w.Kinds)))
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
	out := &Watcher{Watch: w, svc: s}
	if w.After != "" {
		if out.after, err = parseCursor(w.After); err != nil {
			return nil, err
		}
	}
	if out.feed, err = s.hub.acquire(ctx, a.AccountID); err != nil {
		return nil, err
	}
	// Read anew: the feed may not have told yet of what has happened already.
	ends, err := s.logEnds(ctx, a.AccountID, out.after)
	if w.After == "" {
		out.after = ends.newest
	} else if err == nil {
		err = ends.check(out.after, clock.Now().Add(-s.limits.Retention))
	}
	if err != nil {
		s.hub.release(out.feed)
		return nil, err
	}
	return out, nil
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
// watch the account wait for it. It returns the ID after which live events begin: all up to it are in Missed.
func (w *Watcher) Start(deliver func([]*Event)) int64 { return w.feed.attach(w, deliver) }

// Close ends it. deliver may still be running when it returns, but is not called again. It may be called again.
func (w *Watcher) Close() {
	if !w.closed.Swap(true) {
		w.feed.detach(w)
	}
}
