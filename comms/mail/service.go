package mail

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// Sender takes letters to where they go. A nil error means that somebody else is responsible for the letter from now on (RFC 5321, section
// 4.2.5); any other is best a *Failure.
type Sender interface {
	Send(ctx context.Context, e Envelope) error
}

// Envelope is a letter on its way. The same letter has the same ID each time that it is sent.
type Envelope struct {
	ID                uuid.UUID
	To, Subject, Text string
	Written           clock.Micros
}

// Problem is a stable word for why a letter was not taken.
type Problem string

// The problems. Refused is for good; all others may be gone at another time.
const (
	Refused   Problem = "refused"   // nobody takes a letter to this address, or this letter
	Later     Problem = "later"     // the server says so
	Away      Problem = "away"      // no server answered, or it fell silent
	Insecure  Problem = "insecure"  // it can't be talked to as safely as the settings ask
	Login     Problem = "login"     // it doesn't take our name and password, or our own address
	Unwritten Problem = "unwritten" // the folder can't be written
	Tired     Problem = "tired"     // it was tried for days
	Unread    Problem = "unread"    // what is stored can't be opened: the server's key is another
)

// ofAll tells whether the problem is that of every letter, not of one.
func (p Problem) ofAll() bool {
	return p == Away || p == Insecure || p == Login || p == Unwritten
}

// Failure is why a Sender did not send.
type Failure struct {
	Problem Problem
	Err     error // without the address in full: it is logged
}

func (f *Failure) Error() string { return string(f.Problem) + ": " + f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

// problemOf is what the letter's row says. What is no Failure is taken for something that passes.
func problemOf(err error) Problem {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Problem
	}
	return Away
}

// Patience is how long letters that were not taken wait. Zero means the default.
type Patience struct {
	First   time.Duration // before the second try (30 s); twice as long before each that follows
	Longest time.Duration // between two tries (30 min)
	Days    time.Duration // after the letter was written it is given up (4 days; RFC 5321, section 4.5.4.1)
	Keep    time.Duration // how long a letter that was given up stays (30 days)
	Rest    time.Duration // the longest pause after a problem of every letter (1 min)
}

func (p Patience) withDefaults() Patience {
	for v, d := range map[*time.Duration]time.Duration{&p.First: 30 * time.Second, &p.Longest: 30 * time.Minute,
		&p.Days: 4 * 24 * time.Hour, &p.Keep: 30 * 24 * time.Hour, &p.Rest: time.Minute} {
		if *v == 0 {
			*v = d
		}
	}
	return p
}

// Options are what a Service is built from.
type Options struct {
	Sender   Sender
	Patience Patience
}

// Service is the rules of letters. Its methods are the verbs; all are safe for concurrent use.
type Service struct {
	in       comms.Inside
	sender   Sender
	patience Patience
	wake     chan struct{} // holds one: there is a letter
}

// New builds the rules of letters over those of everything else.
func New(svc *comms.Service, o Options) *Service {
	return &Service{in: svc.Inside(), sender: o.Sender, patience: o.Patience.withDefaults(), wake: make(chan struct{}, 1)}
}
