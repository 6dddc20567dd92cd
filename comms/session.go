package comms

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/ent/session"
	"switchboard/internal/clock"
)

// keptSessions is how many closed sessions of an account stay stored.
const keptSessions = 100

// liveSessions are the sockets that this process holds. When each was last seen stays in memory: writing a row for each frame would
// cost a flush of the disk.
type liveSessions struct {
	mu   sync.Mutex
	byID map[uuid.UUID]*LiveSession
}

func newLiveSessions() *liveSessions { return &liveSessions{byID: map[uuid.UUID]*LiveSession{}} }

func (l *liveSessions) add(one *LiveSession) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byID[one.id] = one
}

func (l *liveSessions) remove(id uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byID, id)
}

func (l *liveSessions) get(id uuid.UUID) *LiveSession {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byID[id]
}

func (l *liveSessions) ids() []uuid.UUID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.byID))
}

// LiveSession is one open socket.
type LiveSession struct {
	svc      *Service
	id       uuid.UUID
	account  uuid.UUID
	lastSeen atomic.Int64
	closed   atomic.Bool
}

// ID is the session's id.
func (l *LiveSession) ID() uuid.UUID { return l.id }

// Seen notes that something came from the other side.
func (l *LiveSession) Seen() { l.lastSeen.Store(int64(clock.Now())) }

// OpenSession notes that the caller has opened a socket of that kind ("opencloud", "graphql").
func (s *Service) OpenSession(ctx context.Context, kind string) (*LiveSession, error) {
	a, err := demand(ctx, 0)
	if err != nil {
		return nil, err
	}
	l := &LiveSession{svc: s, id: uuid.New(), account: a.AccountID}
	s.live.add(l) // first: an open row of this process that it doesn't hold is stale
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		l.lastSeen.Store(int64(c.now))
		return c.tx.Session.Create().SetID(l.id).SetAccountID(a.AccountID).SetKind(kind).SetNode(s.node).SetCreatedAt(c.now).
			SetLastSeen(c.now).Exec(ctx)
	})
	if err != nil {
		s.live.remove(l.id)
		return nil, fmt.Errorf("store a session: %w", err)
	}
	return l, nil
}

// Close notes that the socket is closed. It may be called again.
func (l *LiveSession) Close(ctx context.Context) error {
	if l.closed.Swap(true) {
		return nil
	}
	s := l.svc
	defer s.live.remove(l.id) // after the row says so too, so that no reader sees it open again
	return s.change(ctx, func(ctx context.Context, c *change) error {
		err := c.tx.Session.UpdateOneID(l.id).SetLastSeen(clock.Micros(l.lastSeen.Load())).SetClosedAt(c.now).Exec(ctx)
		if err != nil {
			return fmt.Errorf("close a session: %w", err)
		}
		old, err := c.tx.Session.Query().Where(session.AccountID(l.account), session.ClosedAtNotNil()).
			Order(session.ByCreatedAt(desc), session.ByID(desc)).Offset(keptSessions).Limit(sweepBatch).IDs(ctx)
		if err != nil {
			return fmt.Errorf("look for old sessions: %w", err)
		}
		if len(old) == 0 {
			return nil
		}
		_, err = c.tx.Session.Delete().Where(session.IDIn(old...)).Exec(ctx)
		return err
	})
}

// Sessions lists the account's open sockets and the newest limit of those that are closed, newest first. ClosedAt is nil while a
// socket is open.
func (s *Service) Sessions(ctx context.Context, limit int) ([]*Session, error) {
	a, err := demand(ctx, ReadAccount)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, invalid("first", "first must not be negative")
	}
	if limit > s.limits.PageSize {
		return nil, &Error{Code: Invalid, Field: "first", Reason: ReasonPageSize, Text: "at most as many sessions as a page may have"}
	}
	open, err := s.store.Read().Session.Query().Where(session.AccountID(a.AccountID), session.ClosedAtIsNil()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	closed, err := s.store.Read().Session.Query().Where(session.AccountID(a.AccountID), session.ClosedAtNotNil()).
		Order(session.ByCreatedAt(desc), session.ByID(desc)).Limit(limit).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return s.overlay(open, closed, limit), nil
}

// overlay shows sessions as they are at this moment: what this process knows of its own, and whether others still speak for theirs.
func (s *Service) overlay(open, closed []*Session, limit int) []*Session {
	var active []*Session
	fresh := clock.Now().Add(-s.sessionsFreshFor())
	for _, row := range open {
		l := s.live.get(row.ID)
		switch {
		case l != nil && !l.closed.Load():
			row.LastSeen = clock.Micros(l.lastSeen.Load())
			active = append(active, row)
		case l == nil && row.Node != s.node && row.LastSeen >= fresh:
			active = append(active, row)
		default: // its process ended without closing it, or it is being closed
			if l != nil {
				row.LastSeen = clock.Micros(l.lastSeen.Load())
			}
			row.ClosedAt = &row.LastSeen
			closed = append(closed, row)
		}
	}
	newest := func(a, b *Session) int {
		return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), compareUUID(b.ID, a.ID))
	}
	slices.SortFunc(closed, newest)
	// A session that was closed between the two reads is in both.
	closed = slices.CompactFunc(closed, func(a, b *Session) bool { return a.ID == b.ID })
	closed = slices.DeleteFunc(closed, func(c *Session) bool {
		return slices.ContainsFunc(active, func(a *Session) bool { return a.ID == c.ID })
	})
	all := append(active, closed[:min(limit, len(closed))]...)
	slices.SortFunc(all, newest)
	return all
}

// sessionsFreshFor is how long another node's word that it holds a socket is believed.
func (s *Service) sessionsFreshFor() time.Duration { return 2*s.sweepEvery() + time.Minute }

// closeStaleSessions closes rows that are open but have no socket: what an earlier life of this process left, what could not be closed when
// it was time, and what other nodes no longer speak for.
func (s *Service) closeStaleSessions(ctx context.Context) error {
	query := s.store.Read().Session.Query().Where(session.ClosedAtIsNil())
	if !s.store.Ordered() { // there are other nodes
		query.Where(session.Or(session.Node(s.node), session.LastSeenLT(clock.Now().Add(-s.sessionsFreshFor()))))
	}
	open, err := query.IDs(ctx)
	if err != nil {
		return fmt.Errorf("look for stale sessions: %w", err)
	}
	stale := slices.DeleteFunc(open, func(id uuid.UUID) bool { return s.live.get(id) != nil })
	for ids := range slices.Chunk(stale, rowsAtOnce) {
		err := s.change(ctx, func(ctx context.Context, c *change) error {
			return c.tx.Session.Update().Where(session.IDIn(ids...), session.ClosedAtIsNil()).
				Modify(func(u *sql.UpdateBuilder) { u.Set(session.FieldClosedAt, sql.Expr(session.FieldLastSeen)) }).Exec(ctx)
		})
		if err != nil {
			return fmt.Errorf("close stale sessions: %w", err)
		}
	}
	return nil
}

// saveSessions writes down when live sessions were last seen, so that a crash loses little of it. Where there are other nodes it
// writes the present instead: to them the row is this node's word that the socket is still open.
func (s *Service) saveSessions(ctx context.Context) error {
	for ids := range slices.Chunk(s.live.ids(), rowsAtOnce) {
		err := s.change(ctx, func(ctx context.Context, c *change) error {
			if !s.store.Ordered() {
				return c.tx.Session.Update().Where(session.IDIn(ids...), session.ClosedAtIsNil()).SetLastSeen(c.now).Exec(ctx)
			}
			for _, id := range ids {
				l := s.live.get(id)
				if l == nil {
					continue
				}
				err := c.tx.Session.Update().Where(session.ID(id), session.ClosedAtIsNil()).
					SetLastSeen(clock.Micros(l.lastSeen.Load())).Exec(ctx)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("save sessions: %w", err)
		}
	}
	return nil
}
