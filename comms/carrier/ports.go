package carrier

import (
	"context"
	"io"
	"time"

	"switchboard/internal/clock"
)

// Carrier is what the rules ask of a room that speaks a carrier's API. What fails is a *Trouble.
type Carrier interface {
	// Ask asks for a customer's consent that we read his calls; back is where the carrier sends him once he has given it.
	Ask(ctx context.Context, back string) (Asked, error)
	// Open asks with that key, and answers ProblemPending or ProblemWithdrawn where the customer has not consented, or not any more.
	Open(ctx context.Context, key string) (*Customer, error)
}

// Asked is a consent that was asked for.
type Asked struct {
	Key  string // what to ask with once it is given
	Page string // where the customer gives it
}

// Customer is one of the carrier's, who has consented.
type Customer struct {
	Identity string // his name there; it stays the same whichever key is used
	Lines    Lines
}

// Lines lists what of the customer's has calls.
type Lines interface {
	Lines(ctx context.Context) ([]Line, error)
}

// Line is a telephone line, a number or a queue of the customer's. Calls and Sounds may be nil: it has none.
type Line struct {
	Name   string // the carrier's, which stays the same
	Calls  Calls
	Sounds Sounds
}

// Calls are the calls of a line.
type Calls interface {
	// Since lists the ids of the calls that began at that time or later.
	Since(ctx context.Context, from clock.Micros) ([]string, error)
	// Call reads one of them.
	Call(ctx context.Context, id string) (*Call, error)
}

// Call is a call as the carrier tells it. Numbers are as the carrier writes them.
type Call struct {
	Calling, Called, Dialed string
	Outgoing                bool   // of a transfer: its first leg
	Way                     string // incoming, outgoing or transfer
	StartedAt               time.Time
	Duration                time.Duration
	Hangup                  string
}

// Sounds are the recordings of a line.
type Sounds interface {
	// Sounds lists their ids.
	Sounds(ctx context.Context) ([]string, error)
	// Sound reads one.
	Sound(ctx context.Context, id string) (*Sound, error)
}

// Sound is a recording as the carrier tells of it.
type Sound struct {
	Calling   string
	Called    []string // by which of its numbers the call may be known, the likeliest first
	StartedAt time.Time
	Open      func(ctx context.Context) (io.ReadCloser, error)
}
