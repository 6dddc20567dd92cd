package sip

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// quiet is the log of sipgo. What sipgo logs names raw packets, numbers and credentials (v1.7.2: "failed to parse", with the bytes), and
// whoever sends packets decides how often. So only the sentence is kept, not what it is about, and at most one in a while.
type quiet struct {
	log    *slog.Logger
	failed *atomic.Uint64 // messages that sipgo could not parse
	next   *atomic.Int64  // when the next may be logged: nanoseconds of the clock
	left   *atomic.Uint64 // how many were left out since the last
}

const quietFor = 10 * time.Second

func newQuiet(log *slog.Logger, failed *atomic.Uint64) *slog.Logger {
	return slog.New(quiet{log: log, failed: failed, next: new(atomic.Int64), left: new(atomic.Uint64)})
}

// Enabled implements slog.Handler.
func (q quiet) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "failed to parse" {
		q.failed.Add(1)
	}
	next, now := q.next.Load(), r.Time.UnixNano()
	if now < next || !q.next.CompareAndSwap(next, now+int64(quietFor)) {
		q.left.Add(1)
		return nil
	}
	q.log.DebugContext(ctx, "the SIP library complains", "what", r.Message, "leftOut", q.left.Swap(0))
	return nil
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs([]slog.Attr) slog.Handler { return q }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(string) slog.Handler { return q }
