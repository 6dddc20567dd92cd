package call

import (
	"context"
	"io"

	"github.com/google/uuid"
)

// Engine is what the rules ask of the room that speaks SIP (providers/sip).
type Engine interface {
	// Dial starts a call that nobody rang in with. It returns at once; what becomes of the call is reported like that of any other.
	Dial(ctx context.Context, v *Verdict) error
	// Order asks that something be done to a live call. An *comms.Error says why not: NotFound where the engine has no such call,
	// Conflict where the call is not in a state for it.
	Order(ctx context.Context, call uuid.UUID, o Order) error
}

// Voice tells what can be spoken (providers/voice).
type Voice interface {
	// Speaks tells whether text in that language can be spoken: a BCP 47 tag; empty: any.
	Speaks(lang string) bool
}

// Archive is where finished recordings live (internal/content).
type Archive interface {
	// Keep moves a finished file in; durable when it returns. Keeping again what is kept changes nothing.
	Keep(ctx context.Context, recording uuid.UUID, file string) error
	// Open reads what was kept; Remove forgets it. Removing what is not there is no error.
	Open(ctx context.Context, recording uuid.UUID) (io.ReadSeekCloser, error)
	Remove(ctx context.Context, recording uuid.UUID) error
}

// Order is one thing to do to a live call. Exactly one field is set, and Joins with Transfer.
type Order struct {
	HangUp      *End         // end it, all legs
	SendDigits  *SendDigits  // RFC 4733 telephone-events (or INFO where that was not agreed)
	StartRecord *StartRecord // from now on, both sides
	StopRecord  bool
	Transfer    *Leg // the second leg is replaced by this one once it answers; until then the first hears ringing
	// Joins is what is reported of that new side by itself: that it rings, answers, and leaves or does not come. Orders may name it too.
	Joins uuid.UUID
}

// SendDigits asks for digits to be sent to one side of a call: 0-9 * # A-D, a comma is half a second's pause.
type SendDigits struct {
	Call   uuid.UUID
	Digits string
	First  bool // to the first leg (the caller); otherwise to the second (the callee)
}

// StartRecord names the recording that is to be written; its file is recordings/ID.wav in the data folder.
type StartRecord struct {
	Recording uuid.UUID
}
