package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"switchboard/ent"
)

var (
	// ErrBusy is Change's answer when too many changes wait already.
	ErrBusy error = passing("db: too many changes are waiting")
	// ErrClosed is the answer of a closed store.
	ErrClosed error = passing("db: the store is closed")
	// ErrNewerSchema is Open's answer to a database that a newer program made.
	ErrNewerSchema = errors.New("db: the database was made by a newer version of the program")
)

// passing is an error after which the same request may succeed a moment later, here or on another process. Callers that don't know
// this package ask for the method.
type passing string

func (e passing) Error() string { return string(e) }

// Temporary tells so.
func (passing) Temporary() bool { return true }

// crossed is what is left of a change that met others at each of its attempts, or waited for them too long.
type crossed struct{ error }

func (c crossed) Unwrap() error { return c.error }

// Temporary tells that trying again later may help.
func (crossed) Temporary() bool { return true }

var (
	errNested  = errors.New("db: a change inside a change")
	errOutside = errors.New("db: a statement outside of its change: use the context that the change was given, and its client only until it returns")
)

// Options say which database to open.
type Options struct {
	Data     string       // folder; SQLite's file is switchboard.db in it
	URL      string       // "" or "sqlite:PATH" is SQLite, "postgres://..." PostgreSQL
	MaxQueue int          // changes waiting before Change answers ErrBusy; 0 means 4096
	MaxBatch int          // changes that share one commit at most; 0 means 512
	Logger   *slog.Logger // nil means slog.Default()

	migrations fs.FS // other ones, for tests
}

// Store is the open database.
type Store struct{ engine }

// engine is what differs between the two databases.
type engine interface {
	// Read is a client for reads alone. They never wait for changes; each statement sees what was committed when it began.
	Read() *ent.Client
	// Lock makes changes that name one of the same keys follow each other on PostgreSQL: to be called before a change reads what it
	// decides by, or writes a row that others write. On SQLite they do so anyway. Keys of one call are taken in one order whoever
	// calls; who calls again in the same change keeps to an order of kinds, or two changes wait for each other until one is undone.
	Lock(ctx context.Context, tx *ent.Client, keys ...uuid.UUID) error
	// Ordered tells whether the callbacks of changes run one at a time in the order of the commits (SQLite).
	Ordered() bool
	// Dialect is ent's name of the database.
	Dialect() string
	// Stats tells what the store has done since it was opened.
	Stats() Stats
	// Close lets the changes that were accepted be done, then closes the database. It may be called again.
	Close() error

	change(ctx context.Context, fn Func, committed func()) error
}

// Func is the work of one change.
type Func = func(ctx context.Context, tx *ent.Client) error

// Open opens the database and brings its schema up to date.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.MaxQueue <= 0 {
		o.MaxQueue = 4096
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 512
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	e, err := openEngine(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Store{engine: e}, nil
}

func openEngine(ctx context.Context, o Options) (engine, error) {
	scheme, rest, _ := strings.Cut(o.URL, ":")
	switch scheme {
	case "":
		return openSQLite(ctx, filepath.Join(o.Data, "switchboard.db"), o)
	case "sqlite":
		return openSQLite(ctx, rest, o)
	case "postgres", "postgresql":
		return openPostgres(ctx, o)
	default:
		return nil, fmt.Errorf("db: the database's URL must begin with sqlite: or postgres:, not %q", scheme+":")
	}
}

// Change runs fn in a transaction, calls committed (which may be nil) once it is committed, and returns. Whatever fn returned
// or panicked with, or a failed commit, comes back, and then nothing has changed and committed isn't called.
//
// fn must do no more than read and write through tx, with the context that it is given, and be done with tx when it returns:
// on SQLite the other writers wait for it. It may run again: when PostgreSQL asks for that, or when a change that shared its transaction
// failed (writer.go). It must not call Change, and neither may committed, for which on SQLite all writers wait. A statement that failed
// fails the change, even if fn goes on: PostgreSQL knows no other way, and SQLite does the same here.
//
// When ctx ends before fn began, Change returns its error and fn never runs. From then on it is not interrupted.
func (s *Store) Change(ctx context.Context, fn Func, committed func()) error {
	if ctx.Value(jobKey{}) != nil {
		return errNested
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.change(ctx, fn, committed)
}
