package call

import (
	"time"

	"github.com/google/uuid"
)

// Verdict is what the rules want done with a call. Either Refuse is set, or one of Dial, Ask and Speak says what comes first.
type Verdict struct {
	Call   uuid.UUID // the conversation: what is reported about it names this
	Refuse *Refusal  // refuse it, and why; the refusal is reported by CallEnded like any other end

	// First is dialled before Second where nobody rang in (click-to-call): when it has answered, Second is dialled and the two are
	// bridged. Nil: the caller is there already, or (with Hold) this program itself is the first side.
	First *Leg
	// Second is whom the caller, or First, is put through to.
	Second *Leg
	// Hold: nobody is on the first side: Second is called alone, and what it says is only recorded. With Speak the text is spoken to it.
	Hold bool
	// Speak is spoken to Second when it answers; then the call ends.
	Speak *Speech
	// Ask: answer the caller, collect digits and ask again with RouteDigits (AXE: an extension; AX: whom to call).
	Ask *Ask

	MaxDuration time.Duration // of the conversation
}

// Leg is one side that is to be dialled. Its targets ring together; the first that answers wins and the others are cancelled as
// answered elsewhere (RFC 3326: SIP ;cause=200).
type Leg struct {
	Number  string // whom: E.164 with +, or a telephone's number; for the log and the record only
	Targets []Target
	ShownAs string // the number that this side sees; empty: withheld (anonymous)
	RingFor time.Duration
}

// Target is one way to reach a side. Exactly one of Phone, Trunk and World is set.
type Target struct {
	Phone  uuid.UUID // a telephone (SipNumber): every contact that it has registered
	Trunk  uuid.UUID // a trunk, which is asked for Number
	World  string    // a number of the test world
	Number string    // what the trunk is asked for, E.164 with +
}

// Speech is text to be spoken.
type Speech struct {
	Text string
	Lang string // BCP 47; empty: found from the text
}

// Ask collects digits: up to Most, ended by #, or by Wait without one more.
type Ask struct {
	Most int
	Wait time.Duration
}

// Refusal says why a call is not put through.
type Refusal struct {
	Why  Why
	Text string // for people: who calls may see it
}

// Why is a stable word for why a call ended or was refused. The SIP room has one table from it to SIP statuses and Q.850 causes.
type Why string

// The words.
const (
	WhyHungUp      Why = "hung_up"      // a side ended it, as calls end
	WhyNoAnswer    Why = "no_answer"    // nobody answered in time
	WhyBusy        Why = "busy"         // the callee, or the number's calls at once
	WhyDeclined    Why = "declined"     // the callee said no
	WhyCancelled   Why = "cancelled"    // the caller gave up, or the account hung up, before the answer
	WhyUnreachable Why = "unreachable"  // no telephone is registered, or the far side can't be reached now
	WhyNoSuch      Why = "no_such"      // there is no such number, here or there
	WhyDisabled    Why = "disabled"     // the number is switched off
	WhyBlocked     Why = "blocked"      // the callee blocks the caller
	WhyStranger    Why = "stranger"     // a masked number, and the caller is not bound to it
	WhyExpired     Why = "mask_expired" // a masked number, and the caller's mask has ended
	WhyDirection   Why = "direction"    // a masked number, and the mask lets only the other side call
	WhyNotAllowed  Why = "not_allowed"  // the account, the trunk or the number may not call this
	WhyTooMany     Why = "too_many"     // calls at once or per minute (toll fraud)
	WhyOverload    Why = "overload"     // this server has enough to do
	WhyNoMedia     Why = "no_media"     // no codec in common, or encryption that one side refuses
	WhyNoVoice     Why = "no_voice"     // nothing here can speak
	WhyTooLong     Why = "too_long"     // the longest duration was reached
	WhyLost        Why = "lost"         // media or signalling stopped without a word
	WhyRestart     Why = "restart"      // the process that held it ended
	WhyStopping    Why = "stopping"     // the process that held it is being stopped
	WhyDeleted     Why = "deleted"      // the number was deleted during the call
	WhyFailed      Why = "failed"       // anything else that the network said
)

// End is how a call ended.
type End struct {
	Why    Why
	By     Side
	Status int // the SIP status that ended it; 0: none
	Cause  int // Q.850; 0: none
}

// Side is a side of a call.
type Side string

// The sides.
const (
	ByUs     Side = "us"
	ByCaller Side = "caller" // who rang in, or the first leg
	ByCallee Side = "callee"
)

// RouteCall asks what to do with a call that came in.
type RouteCall struct {
	Phone   uuid.UUID // the telephone that proved who it is; Nil: it came in by Trunk
	Trunk   uuid.UUID
	World   bool   // it comes from the test world
	From    string // as the trunk names the caller; empty: withheld
	Dialled string // as it was dialled: the user part of the Request-URI
}

// Recorded is what became of a recording's file.
type Recorded struct {
	File     string // where it lies
	Duration time.Duration
	Err      error // it could not be written to its end (disk full): what there is is kept
}
