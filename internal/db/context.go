package db

import (
	"context"
	"sync/atomic"
	"time"
)

type (
	jobKey     struct{}
	counterKey struct{}
)

// counting is set once anybody asked for a count, so that a program which never does pays one load a statement.
var counting atomic.Bool

// CountStatements returns a context under which statements are counted, those of reads and those of changes (but not the
// BEGIN and COMMIT around them).
func CountStatements(ctx context.Context) (context.Context, *atomic.Int64) {
	counting.Store(true)
	n := new(atomic.Int64)
	return context.WithValue(ctx, counterKey{}, n), n
}

func count(ctx context.Context) {
	if !counting.Load() {
		return
	}
	if n, ok := ctx.Value(counterKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
}

// jobContext is the context of one change: its caller's values without the end. Nobody may interrupt a transaction that he shares
// with others, and go-sqlite3 starts a goroutine for each statement whose context can end.
type jobContext struct {
	values context.Context
	failed error // the first statement that failed
}

func (*jobContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*jobContext) Done() <-chan struct{}       { return nil }
func (*jobContext) Err() error                  { return nil }

// Value gives itself away to changes within.
func (c *jobContext) Value(key any) any {
	if key == (jobKey{}) {
		return c
	}
	return c.values.Value(key)
}

// quiet is a context that doesn't end, for one statement of a read: see jobContext.
type quiet struct{ context.Context }

func (quiet) Deadline() (time.Time, bool) { return time.Time{}, false }
func (quiet) Done() <-chan struct{}       { return nil }
func (quiet) Err() error                  { return nil }
