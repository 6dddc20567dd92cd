package notice

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Rooms is what we ask of the room that speaks Matrix (providers/matrix).
type Rooms interface {
	// Open finds or makes the room of a follower and sees to it that its owner is in it or invited.
	Open(ctx context.Context, o OpenRoom) (Room, error)
	// Say says it. The same event in the same room again changes nothing, as long as the homeserver remembers.
	Say(ctx context.Context, s Say) error
}

// OpenRoom says whose room is wanted.
type OpenRoom struct {
	Follower uuid.UUID // names the room, so that it is found again
	Whom     string    // the owner's Matrix ID
	Room     string    // the room where it is known
	Verify   bool      // look into the room for what was said: it isn't known what became of the latest
}

// Room is where an owner is spoken to.
type Room struct {
	ID   string
	Said int64 // the newest event that was told there, where that was to be verified
}

// Say is one thing to say.
type Say struct {
	Room  string
	Event int64 // what it tells of: its place in the account's log
	Text  string
}

// Push is what we ask of the room that speaks to push services (providers/push).
type Push interface {
	// Service names the service that a token belongs to. Devices of one service wait for each other, and for no other.
	Service(token string) string
	// Push wakes a device. The same ID again replaces what the device shows.
	Push(ctx context.Context, n Notification) error
}

// Notification is what a device is told. Nothing in it is a credential, and nothing is private unless the operator allows it.
type Notification struct {
	Token  string // of the device
	ID     string // of the message: the app fetches it with get
	Kind   string // message, file or missed.call
	Number string // the number that it is for, masked
	Title  string
	Body   string
}

// Problem is a stable word for why nothing is told.
type Problem string

// The problems. The first three pass by themselves and are tried again; after the others nothing is told until the owner sets his Matrix ID
// again, or the app logs in again, or the operator has changed the settings.
const (
	Away          Problem = "AWAY"           // the homeserver or push service can't be reached, or fails
	Limited       Problem = "LIMITED"        // it wants less of us
	LoggedOut     Problem = "LOGGED_OUT"     // it does not accept our credentials
	UnknownUser   Problem = "UNKNOWN_USER"   // there is nobody of that Matrix ID
	Refused       Problem = "REFUSED"        // the homeserver does not let us invite, or speak to, the owner
	Left          Problem = "LEFT"           // the owner left the room or declined the invitation
	Gone          Problem = "GONE"           // the push token is no longer good
	BadToken      Problem = "BAD_TOKEN"      // the push token is none that we may use
	NotConfigured Problem = "NOT_CONFIGURED" // the operator has not set up this way out
)

// passes tells whether the problem may be over by itself.
func (p Problem) passes() bool { return p == Away || p == Limited || p == LoggedOut }

// Failure is why something could not be told.
type Failure struct {
	Problem Problem
	Service bool          // it is no matter of this follower: whoever uses the service waits
	After   time.Duration // when to come again at the earliest, where the service says so
	Err     error         // for the log: it holds neither secrets nor what was to be said
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return string(f.Problem)
	}
	return string(f.Problem) + ": " + f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

// failure finds the Failure in err; what is none is a failure of ours.
func failure(err error) (*Failure, bool) {
	var f *Failure
	return f, errors.As(err, &f)
}
