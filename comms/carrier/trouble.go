package carrier

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Problem is a stable word for why an import failed. Links keep it.
type Problem string

// The problems.
const (
	ProblemNone        Problem = ""
	ProblemPending     Problem = "PENDING"     // the customer has not consented yet
	ProblemWithdrawn   Problem = "WITHDRAWN"   // he has taken his consent back, or it has run out: he must link again
	ProblemRefused     Problem = "REFUSED"     // the carrier does not let us, consent or not: its operator or ours must do something
	ProblemLimited     Problem = "LIMITED"     // we ask too often
	ProblemUnreachable Problem = "UNREACHABLE" // the carrier can't be reached, or says itself that it is out of order
	ProblemSlow        Problem = "SLOW"        // it does not answer in time
	ProblemNonsense    Problem = "NONSENSE"    // it answers what its documentation does not know
	ProblemOurs        Problem = "OURS"        // something failed here; the log says what
)

// Problems is every word that a link can hold.
func Problems() []Problem {
	return []Problem{ProblemWithdrawn, ProblemRefused, ProblemLimited, ProblemUnreachable, ProblemSlow, ProblemNonsense, ProblemOurs}
}

// Trouble is what a carrier's room answers when it could not do what was asked. Err is for the log: it holds no secret and no telephone
// number.
type Trouble struct {
	Problem Problem
	After   time.Duration // when to come again, where the carrier says so
	Gone    bool          // of ProblemRefused: there is no such thing
	Err     error
}

func (t *Trouble) Error() string { return fmt.Sprintf("%s: %v", t.Problem, t.Err) }

func (t *Trouble) Unwrap() error { return t.Err }

// troubleOf is the trouble in err; whatever a carrier's room did not name happened here.
func troubleOf(err error) *Trouble {
	var t *Trouble
	switch {
	case err == nil:
		return nil
	case errors.As(err, &t):
		return t
	case errors.Is(err, context.DeadlineExceeded):
		return &Trouble{Problem: ProblemSlow, Err: err}
	}
	return &Trouble{Problem: ProblemOurs, Err: err}
}

// The bounds of waiting after a failure.
const (
	firstWait = time.Minute
	mostWait  = 6 * time.Hour
	mostAfter = 24 * time.Hour // a carrier that says to come again later than this is not believed
)

// waitFor is how long to wait after so many failures one after the other: twice as long each time and, so that those who failed together do
// not come again together, up to half as long again.
func waitFor(tries int, t *Trouble) time.Duration {
	wait := firstWait << min(max(tries-1, 0), 16)
	wait = min(wait, mostWait)
	if after := min(t.After, mostAfter); after > wait || t.Problem == ProblemLimited && after > 0 {
		wait = after
	}
	return wait + rand.N(wait/2+1)
}
