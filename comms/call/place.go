package call

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/ent/number"
	"switchboard/internal/clock"
)

// PlaceCall asks to call somebody from a number of the caller's account.
type PlaceCall struct {
	From    uuid.UUID // whose call it is; Nil, with Message: the account's first number that may be shown
	Group   uuid.UUID // instead of From: a number of this group, by its policy
	To      string
	First   string // who is called first, and then put through to To; empty: the telephones that ring for From; none: To is called alone
	Message string // is spoken to To instead, and then the call ends
	Lang    string // of Message, BCP 47; empty: found from the text
	Record  bool

	RingFor, MaxDuration time.Duration // zero: the default

	UserData       string
	ClientKey      string // the account's own name for the call: the same again is the same call
	IdempotencyKey string

	// Anyhow has a call that leads nowhere be one that fails: for those who were promised a call and hear of it only by its status.
	Anyhow bool

	choose ChooseNumber // with Group
	chosen *Choice
}

// Placed is the call that came of it.
type Placed struct {
	Call     *comms.Call
	Replayed bool
}

// The bounds of what is given with a call.
const (
	mostMessage  = 2000 // characters
	mostUserData = 1024 // bytes
	mostKey      = 255  // bytes
	limitsRetry  = time.Minute
)

// PlaceCall calls somebody. It does not wait for what becomes of the call. What the caller can put right is an error, and there is no call;
// that nobody can be reached is what became of one.
func (s *Service) PlaceCall(ctx context.Context, in PlaceCall) (*Placed, error) {
	a, err := comms.Demand(ctx, comms.PlaceCalls)
	if err != nil {
		return nil, err
	}
	if err := s.check(in); err != nil {
		return nil, err
	}
	if row, err := s.byClientKey(ctx, s.in.Read(), a.AccountID, in.ClientKey); err != nil || row != nil {
		return &Placed{row, true}, err
	}
	if again, err := s.in.Remembers(ctx, in.once(a)); err != nil || again {
		if err != nil {
			return nil, err
		}
		return s.storePlaced(ctx, a, in, nil)
	}
	if in.Group != uuid.Nil {
		return s.placeFromGroup(ctx, a, in)
	}
	who, err := s.placer(ctx, a.AccountID, in)
	if err != nil {
		return nil, err
	}
	return s.placeAs(ctx, a, in, who)
}

// placeAs places a call that shows a number that is known.
func (s *Service) placeAs(ctx context.Context, a *comms.Actor, in PlaceCall, who *caller) (*Placed, error) {
	q := question{RouteCall: RouteCall{Dialled: in.To}, At: clock.Now(), Placed: who, First: in.First}
	f, err := s.facts(ctx, q)
	if err != nil {
		return nil, err
	}
	d := s.live.admit(f, q, func(f *facts) *decision { return place(f, in) })
	if err := in.refusal(d); err != nil {
		s.live.drop(f.Call)
		return nil, err
	}
	out, err := s.storePlaced(ctx, a, in, d)
	if err != nil || out.Replayed {
		s.live.drop(f.Call)
		return out, err
	}
	// The call is there now: whoever asked for it may go away.
	if err := s.dial(context.WithoutCancel(ctx), d); err != nil {
		return nil, err
	}
	out.Call, err = s.ownCall(ctx, a.AccountID, out.Call.ID)
	return out, err
}

// refusal is what the account is told in place of a call; nil: there is a call. Too many calls are never one more.
func (in PlaceCall) refusal(d *decision) error {
	r := d.Verdict.Refuse
	if r == nil || in.Anyhow && r.Why != WhyTooMany {
		return nil
	}
	return r.asError("to")
}

func (s *Service) check(in PlaceCall) error {
	switch {
	case strings.TrimSpace(in.To) == "":
		return invalid("to", "whom to call is missing")
	case in.From != uuid.Nil && in.Group != uuid.Nil:
		return invalid("from", "a number is shown, or one of a group: from and group exclude each other")
	case in.From == uuid.Nil && in.Group == uuid.Nil && in.Message == "":
		return invalid("from", "the number from which to call is missing")
	case in.Message != "" && in.First != "":
		return invalid("first", "a message is spoken to one side: first and message exclude each other")
	case !utf8.ValidString(in.Message) || utf8.RuneCountInString(in.Message) > mostMessage:
		return invalid("message", "at most %d characters", mostMessage)
	case in.RingFor != 0 && (in.RingFor < shortestRing || in.RingFor > longestRing):
		return invalid("ringFor", "%d to %d seconds", int(shortestRing.Seconds()), int(longestRing.Seconds()))
	case in.MaxDuration != 0 && (in.MaxDuration < time.Second || in.MaxDuration > s.limits.Longest):
		return invalid("maxDuration", "1 to %d seconds", int(s.limits.Longest.Seconds()))
	case !utf8.ValidString(in.UserData) || len(in.UserData) > mostUserData:
		return invalid("userData", "at most %d bytes", mostUserData)
	case !utf8.ValidString(in.ClientKey) || len(in.ClientKey) > mostKey:
		return invalid("clientKey", "at most %d bytes", mostKey)
	case in.Message != "" && (s.voice == nil || !s.voice.Speaks(in.Lang)):
		return comms.Refused(comms.Unavailable, "", comms.ReasonNoVoice, "nothing here can speak that language")
	}
	return nil
}

// placer is who calls: the account, as the number that is to be shown.
func (s *Service) placer(ctx context.Context, id uuid.UUID, in PlaceCall) (*caller, error) {
	plan, err := s.accountPlan(ctx, id)
	if err != nil {
		return nil, err
	}
	who := &caller{Account: id, Plan: plan}
	if in.From == uuid.Nil {
		n, err := s.displayable(ctx, id)
		if n != nil {
			who.Rings = []string{n.Number}
		}
		return who, err
	}
	n, err := s.in.Read().Number.Query().Where(number.ID(in.From), number.AccountID(id)).Only(ctx)
	switch {
	case ent.IsNotFound(err):
		return nil, notFound("from", "there is no such number")
	case err != nil:
		return nil, fmt.Errorf("find a number: %w", err)
	case n.Disabled:
		return nil, comms.Refused(comms.Forbidden, "from", comms.ReasonDisabled, "the number is switched off")
	case n.Ability == number.AbilityService:
		return nil, comms.Refused(comms.Forbidden, "from", comms.ReasonNone, "the number can be called, but not shown")
	}
	who.Rings = []string{n.Number}
	return who, nil
}

// place decides of a placed call: where it goes as if its number had dialled, and who or what is on the first side.
func place(f *facts, in PlaceCall) *decision {
	d := decide(f)
	if d.Verdict.Ask != nil {
		d.refuse(WhyNoSuch, "an extension is needed: number*extension")
	}
	row := d.Records[0]
	for _, r := range d.Records {
		if r.AccountID == f.Caller.Account && r.Direction == call.DirectionOutgoing {
			row = r
		}
	}
	row.Record, row.UserData = in.Record, in.UserData
	if in.ClientKey != "" {
		row.ClientKey = &in.ClientKey
	}
	v := &d.Verdict
	if v.Refuse != nil {
		return d
	}
	if why, text := d.firstSide(in, row); why != "" {
		return d.refuse(why, text)
	}
	for _, leg := range []*Leg{v.First, v.Second} {
		if leg != nil && in.RingFor != 0 {
			leg.RingFor = in.RingFor
		}
	}
	if in.MaxDuration != 0 {
		v.MaxDuration = in.MaxDuration
	}
	return d
}

// firstSide finds who talks to the second.
func (d *decision) firstSide(in PlaceCall, row *comms.Call) (why Why, text string) {
	v, f := &d.Verdict, d.f
	if in.Message != "" {
		v.Hold, v.Speak = true, &Speech{Text: in.Message, Lang: in.Lang}
		return "", ""
	}
	from := f.own(f.Caller.Account)
	if from == nil {
		return WhyDisabled, "the number from which to call is gone, or switched off"
	}
	if in.First != "" {
		to := f.resolve(f.First, f.Caller.Account)
		row.Peer, row.Second = to.called, f.called()
		v.First, why, text = d.reach(to, from.Number.Number, from)
		return why, text
	}
	if own := f.ringing(from.Number.Number, from.AccountID); len(own) > 0 {
		v.First, why, text = d.ring(&Leg{Number: from.Number.Number, ShownAs: f.called(), RingFor: f.Limits.RingFor}, own)
		return why, text
	}
	v.Hold = true
	return "", ""
}

// once names the request, so that it is not made twice.
func (in PlaceCall) once(a *comms.Actor) comms.OnceKey {
	request := in
	request.IdempotencyKey = ""
	return comms.OnceKey{Scope: a.AccountID.String(), Key: in.IdempotencyKey, Verb: "placeCall", Request: request}
}

// storePlaced writes the records, unless the same call was asked for before.
func (s *Service) storePlaced(ctx context.Context, a *comms.Actor, in PlaceCall, d *decision) (*Placed, error) {
	out := &Placed{}
	var id uuid.UUID
	there := false
	replayed, err := s.in.Once(ctx, in.once(a), &id, func(ctx context.Context, c *comms.Change) error {
		if d == nil { // the key has come to its end since it was looked for
			return &comms.Error{Code: comms.Unavailable, Text: "the idempotencyKey expired just now, try again", RetryAfter: time.Second}
		}
		if err := s.in.Lock(ctx, c, accountsOf(d.Records)...); err != nil {
			return err
		}
		row, err := s.byClientKey(ctx, c.Tx(), a.AccountID, in.ClientKey)
		if err != nil {
			return err
		}
		if there = row != nil; there {
			id = row.ID
			return nil
		}
		for _, r := range d.Records {
			if r.AccountID == a.AccountID && r.Direction == call.DirectionOutgoing {
				id = r.ID
			}
		}
		if in.chosen != nil && d.Verdict.Refuse == nil {
			if held, err := s.groups.Take(ctx, c, in.choose, in.chosen); err != nil || !held {
				return cmp.Or(err, errChosenAnew)
			}
		}
		return s.begin(ctx, c, d)
	})
	if err != nil {
		return nil, err
	}
	out.Replayed = replayed || there
	out.Call, err = s.ownCall(ctx, a.AccountID, id)
	return out, err
}

// byClientKey is the call that the account named so; nil: none.
func (s *Service) byClientKey(ctx context.Context, db *ent.Client, account uuid.UUID, key string) (*comms.Call, error) {
	if key == "" {
		return nil, nil
	}
	row, err := db.Call.Query().Where(call.AccountID(account), call.ClientKey(key)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for a call by its key: %w", err)
	}
	return row, nil
}

// dial has a call made that is in the store, or ends it if it was refused.
func (s *Service) dial(ctx context.Context, d *decision) error {
	id := d.Verdict.Call
	if r := d.Verdict.Refuse; r != nil {
		return s.CallEnded(ctx, id, End{Why: r.Why, By: ByUs})
	}
	moved, err := s.move(ctx, id, turn{report: wasDialled})
	if err != nil || len(moved) == 0 { // hung up before it was dialled
		return err
	}
	if s.engine == nil {
		return s.CallEnded(ctx, id, End{Why: WhyNotAllowed, By: ByUs})
	}
	if err := s.engine.Dial(ctx, &d.Verdict); err != nil {
		s.in.Log().WarnContext(ctx, "a call is not dialled", "call", id, "error", err)
		why := WhyFailed
		if comms.IsCode(err, comms.Unavailable) {
			why = WhyOverload
		}
		return s.CallEnded(ctx, id, End{Why: why, By: ByUs})
	}
	if !s.live.holds(id) { // hung up meanwhile: the engine may not have had the call then
		s.orderEnd(ctx, id, End{Why: WhyCancelled, By: ByUs})
	}
	return nil
}
