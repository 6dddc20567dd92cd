// Package clock holds the one type of instant that is stored: microseconds since the Unix epoch, UTC.
//
// Why an integer: both databases order it the same way, it costs eight bytes and no parsing, and PostgreSQL keeps no
// more than microseconds anyway. The doors turn it into what their dialect wants (RFC 3339, milliseconds, seconds).
package clock

import "time"

// Micros is an instant in microseconds since 1970-01-01T00:00:00Z.
type Micros int64

// Now is the present instant.
func Now() Micros { return Micros(time.Now().UnixMicro()) }

// From converts a standard time; what is finer than a microsecond is cut off.
func From(t time.Time) Micros { return Micros(t.UnixMicro()) }

// Time is the instant as a standard time in UTC.
func (m Micros) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// Add is the instant d later.
func (m Micros) Add(d time.Duration) Micros { return m + Micros(d.Microseconds()) }

// Sub is the time from o to m.
func (m Micros) Sub(o Micros) time.Duration { return time.Duration(m-o) * time.Microsecond }

// Milli is the instant in milliseconds since the epoch.
func (m Micros) Milli() int64 { return int64(m) / 1e3 }

// Unix is the instant in whole seconds since the epoch.
func (m Micros) Unix() int64 { return int64(m) / 1e6 }

// IsZero tells whether no instant was set.
func (m Micros) IsZero() bool { return m == 0 }
