package comms

import (
	"context"
	"log/slog"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/internal/clock"
)

// Inside is what the rooms of rules below this one (comms/call) share with it: the transaction with its log, the keys, the store. It is
// not for doors: internal/rooms lets nobody else ask for it.
type Inside struct{ s *Service }

// Inside opens the inner side of the rules.
func (s *Service) Inside() Inside { return Inside{s} }

// Change is one transaction of the rules: what is written, and the events that tell of it.
type Change = change

// Tx is the transaction's client.
func (c *change) Tx() *ent.Client { return c.tx }

// Now is the time of the change: of everything that is written in it.
func (c *change) Now() clock.Micros { return c.now }

// Tell adds an event to the log of its account. It is stored when the change is, and told after that.
func (c *change) Tell(e *Event) { c.tell(e) }

// After has do called once the change is committed, in the way of the next one: it must not block.
func (c *change) After(do func()) { c.after = append(c.after, do) }

// Change runs fn in one transaction, stores its events with it and publishes them once both are durable. fn may run again after a conflict.
func (i Inside) Change(ctx context.Context, fn func(ctx context.Context, c *Change) error) error {
	return i.s.change(ctx, fn)
}

// OnceKey names a request so that the same one again leads to nothing new.
type OnceKey = onceKey

// Once is Change for what must not happen twice: see idempotency.go.
func (i Inside) Once(ctx context.Context, k OnceKey, result any, fn func(ctx context.Context, c *Change) error) (replayed bool, err error) {
	return i.s.once(ctx, k, result, fn)
}

// Remembers tells whether a request with that key was made before: whoever is going to hear its result again is held to no limit.
func (i Inside) Remembers(ctx context.Context, k OnceKey) (bool, error) { return i.s.remembers(ctx, k) }

// Lock makes other changes that lock the same keys wait; the order of locks is written at Store.Lock.
// Who waited for it happens after whom he waited for, so the time of the change is then: the times in an account's log never go back.
func (i Inside) Lock(ctx context.Context, c *Change, keys ...uuid.UUID) error {
	if err := i.s.store.Lock(ctx, c.tx, keys...); err != nil {
		return err
	}
	c.now = max(c.now, clock.Now())
	return nil
}

// Read is a client for reads.
func (i Inside) Read() *ent.Client { return i.s.store.Read() }

// Dialect is "sqlite3" or "postgres".
func (i Inside) Dialect() string { return i.s.store.Dialect() }

// Node names this process among those on one database.
func (i Inside) Node() string { return i.s.node }

// Log is where the rules log.
func (i Inside) Log() *slog.Logger { return i.s.log }

// Seal encrypts a secret that must be shown again; what names it and whose it is.
func (i Inside) Seal(what string, plain []byte) []byte { return i.s.keys.seal(what, plain) }

// Open decrypts what Seal made.
func (i Inside) Open(what string, sealed []byte) ([]byte, error) { return i.s.keys.open(what, sealed) }

// Lookup is the keyed hash under which a credential is stored and found.
func (i Inside) Lookup(what, secret string) []byte { return i.s.keys.lookup(what, secret) }

// Sign signs the parts of a link that is good without a credential.
func (i Inside) Sign(parts ...string) []byte { return i.s.keys.link(parts...) }

// Demand is the account's actor with that scope, or why not.
func Demand(ctx context.Context, s Scope) (*Actor, error) { return demand(ctx, s) }

// Operator is no error where the caller has that scope and his account is an operator's.
func (i Inside) Operator(ctx context.Context, s Scope) error { return i.s.operator(ctx, s) }

// EventsAfter is up to limit events of those kinds after a place in the account's log, oldest first.
func (i Inside) EventsAfter(ctx context.Context, account uuid.UUID, after int64, limit int, kinds ...Kind) ([]*Event, error) {
	return i.s.readEvents(ctx, account, after, limit, &Watch{Kinds: kinds})
}

// OpenMessage opens the text or file of a message.
func (i Inside) OpenMessage(ctx context.Context, m *Message) (*Data, error) {
	return i.s.openMessage(ctx, m)
}

// NumberGoing is told, in the change that deletes it, that a number goes; what it answers is done after the commit, and may be nil.
type NumberGoing = func(ctx context.Context, c *Change, n *Number) (after func(context.Context), err error)

// OnNumberDeleted has fn called whenever a number is deleted, while all that hangs on it is still there. It is for rooms whose nouns go
// with a number, so that they can tell of that; to be called before the first verb.
func (i Inside) OnNumberDeleted(fn NumberGoing) { i.s.numberDeleted = append(i.s.numberDeleted, fn) }

// beforeDeletion lets the rooms below tell of what goes with the number; they answer what is to be done after the commit.
func (s *Service) beforeDeletion(ctx context.Context, c *change, n *Number) (after []func(context.Context), err error) {
	for _, fn := range s.numberDeleted {
		do, err := fn(ctx, c, n)
		if err != nil {
			return nil, err
		}
		if do != nil {
			after = append(after, do)
		}
	}
	return after, nil
}

// CanonicalNumber is a telephone number in the form in which it is stored, or an Error about the field.
func CanonicalNumber(field, text string) (string, error) { return canonical(field, text) }

// Refused is an Error of a rule below this room.
func Refused(code Code, field string, reason Reason, text string) error {
	return &Error{Code: code, Field: field, Reason: reason, Text: text}
}

// InBatches runs some, each time in a change of its own, until it removes less than a batch; for what time sweeps away.
func (i Inside) InBatches(ctx context.Context, what string, some func(ctx context.Context, c *Change) (removed int, err error)) error {
	return i.s.inBatches(ctx, what, some)
}

// Rows tells the pager of a list that is ordered by time and then id.
type Rows[T any] struct {
	Name   byte // goes into the cursors, so that one of another list is refused; each list has its own
	Newest bool // newest first
	Place  func(T) (clock.Micros, uuid.UUID)
	Read   func(ctx context.Context, where, order func(*sql.Selector), limit int) ([]T, error)
}

// PageOfRows reads one page in one statement, by seeking to the cursor.
func PageOfRows[T any](ctx context.Context, i Inside, p Page, r Rows[T]) (*PageOf[T], error) {
	return pageOf(ctx, i.s, p, list[T]{name: r.Name, columns: byTime, newest: r.Newest,
		place: func(item T) place {
			at, id := r.Place(item)
			return place{at: at, id: id}
		},
		read: func(ctx context.Context, w window) ([]T, error) { return r.Read(ctx, w.where, w.order, w.limit) }})
}

// Spot is an item's place in a list that is ordered by time and a number.
type Spot struct {
	At clock.Micros
	ID int64
}

// Span is the part of such a list to read: what lies beyond After and before Before in the list's order (nil: its ends), from the first or,
// where Last is set, from the last on; and no more than Limit.
type Span struct {
	After, Before *Spot
	Last          bool
	Limit         int
}

// Spots tells the pager of a list, newest first, that is not read from the database in its order.
type Spots[T any] struct {
	Name  byte // goes into the cursors: see Rows
	Place func(T) Spot
	Read  func(ctx context.Context, s Span) ([]T, error)
}

// PageOfSpots reads one page.
func PageOfSpots[T any](ctx context.Context, i Inside, p Page, r Spots[T]) (*PageOf[T], error) {
	return pageOf(ctx, i.s, p, list[T]{name: r.Name, columns: byTime, newest: true, counted: true,
		place: func(item T) place {
			at := r.Place(item)
			return place{at: at.At, n: at.ID}
		},
		read: func(ctx context.Context, w window) ([]T, error) {
			return r.Read(ctx, Span{After: w.after.spot(), Before: w.before.spot(), Last: !w.down, Limit: w.limit})
		}})
}

func (p *place) spot() *Spot {
	if p == nil {
		return nil
	}
	return &Spot{p.at, p.n}
}
