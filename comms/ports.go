package comms

import (
	"context"
	"io"

	"github.com/google/uuid"

	"switchboard/ent"
)

// Store is what the rules ask of the database (internal/db).
type Store interface {
	// Read is a client for reads; on SQLite it cannot write.
	Read() *ent.Client
	// Change runs fn in one transaction and, once that is durable, committed. fn may run again after a conflict, so it touches
	// nothing but tx and what it sets anew each time.
	Change(ctx context.Context, fn func(ctx context.Context, tx *ent.Client) error, committed func()) error
	// Lock makes other changes that lock the same keys wait until this one is committed. The order: idempotency keys, then locks of one
	// verb (received numbers, devices, provisioning), then accounts; those that stand in one call have no order to keep.
	Lock(ctx context.Context, tx *ent.Client, keys ...uuid.UUID) error
	// Ordered tells whether committed callbacks run one at a time in the order of the commits.
	Ordered() bool
	// Dialect is "sqlite3" or "postgres".
	Dialect() string
}

// Contents is where data lives that is too large for a row (internal/content): by its SHA-256, once however often it is sent.
type Contents interface {
	// Stage reads r to its end without holding it in memory; more than limit bytes is an error whose Reason is ReasonTooLarge.
	Stage(ctx context.Context, r io.Reader, limit int64) (Staged, error)
	// Open reads what was kept.
	Open(ctx context.Context, hash string) (io.ReadSeekCloser, error)
}

// Staged is data that was read but is not kept yet. Discard is called in any case, also after Keep.
type Staged interface {
	Hash() string // SHA-256, hexadecimal
	Size() int64
	Keep(ctx context.Context) error // durable when it returns
	Discard()
}
