package call

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/account"
	"switchboard/ent/call"
	"switchboard/ent/mask"
	"switchboard/ent/number"
)

// decision is what was decided of a call: the verdict, the records that are to be made of it, and what it takes up.
type decision struct {
	Verdict Verdict
	Records []*comms.Call // the first one's id is the conversation's
	Payers  []uuid.UUID   // accounts whose calls at once and per minute this is one of
	Numbers []uuid.UUID   // numbers of ours that take part
	Trunks  []uuid.UUID
	Steps   []string // how it came to that, for people

	f *facts
}

// How digits are asked for: of an extension (AXE) and of a whole number (AX).
var (
	askExtension = Ask{Most: 8, Wait: 4 * time.Second}
	askNumber    = Ask{Most: 17, Wait: 5 * time.Second} // E.164 behind 00
)

// decide is the whole of routing: from what is known of a call to what is done with it. It reads nothing and changes nothing.
func decide(f *facts) *decision {
	d := newDecision(f)
	to := f.resolve(f.Dialled, f.Caller.Account)
	if f.Caller.Account != uuid.Nil {
		d.pay(f.Caller.Account)
	}
	switch to.kind {
	case nobody:
		d.record(f.own(uuid.Nil), call.DirectionOutgoing, to.called)
		return d.refuse(WhyNoSuch, "there is no such number")
	case ours:
		return d.toNumber(to)
	case telephone, standing:
		d.record(f.own(f.Caller.Account), call.DirectionOutgoing, to.called)
		_, shown := f.as(f.Caller.Account)
		return d.second(to, shown, nil)
	}
	d.record(f.own(uuid.Nil), call.DirectionOutgoing, to.called)
	_, shown := f.as(uuid.Nil)
	return d.second(to, shown, f.own(uuid.Nil))
}

func newDecision(f *facts) *decision {
	return &decision{f: f, Verdict: Verdict{Call: f.Call, MaxDuration: f.Limits.Longest}}
}

// toNumber decides of a call to a number of ours (X).
func (d *decision) toNumber(to destination) *decision {
	x := to.number
	known, shown := d.f.as(x.AccountID)
	if from := d.f.own(x.AccountID); from != nil && from.ID != x.ID {
		d.record(from, call.DirectionOutgoing, x.Number.Number)
	}
	row := d.record(x, call.DirectionIncoming, shown)
	d.step("%s is a number of this server", x.Number.Number)
	switch {
	case x.Disabled:
		return d.refuse(WhyDisabled, "the number is switched off")
	case known != "" && d.f.Blocked[block{x.AccountID, known}]:
		return d.refuse(WhyBlocked, "the number's owner blocks the caller")
	}
	t := d.f.through(x)
	if t.why != "" {
		return d.refuse(t.why, t.text)
	}
	if d.f.Load.numbers[x.ID] >= x.Concurrency {
		return d.refuse(WhyBusy, "as many calls as the number can take are going on")
	}
	switch {
	case t.ask != nil:
		d.step("%s", t.text)
		d.Verdict.Ask = t.ask
		return d.finish()
	case t.mask != nil:
		return d.masked(x, t, row)
	}
	d.step("the telephones that ring for it ring together")
	return d.second(to, shown, nil)
}

// through is where the masks on a number lead its caller.
type through struct {
	mask  *comms.Mask
	to    dialled // the party
	shown string  // what it sees
	ask   *Ask
	why   Why // refused
	text  string
}

// through asks the masks first: a number that serves pairs may also be somebody's own. It is decided on facts alone, but before all of them
// are there: it says which party's are still to be read.
func (f *facts) through(x *ourNumber) through {
	hit := f.Mask
	party := func(m *comms.Mask, number, shown string) through {
		return through{mask: m, to: dialled{numbers: []string{number}, outside: number}, shown: shown}
	}
	switch m := hit.Mask; {
	case m != nil && hit.Against:
		return through{why: WhyDirection, text: "the mask lets only the other party call"}
	case m != nil && hit.Peer != "":
		return party(m, hit.Peer, hit.ShownAs)
	case m != nil && m.Kind == mask.KindAx && f.Dialled.extension == "":
		return through{ask: &askNumber, text: "it is the caller's own mask (AX): he is asked whom to call"}
	case m != nil && m.Kind == mask.KindAx:
		return through{mask: m, to: f.Beyond, shown: x.Number.Number}
	case m == nil && hit.Ended && (hit.Rests || hit.Anybody == nil) && !hit.Dial: // who dials an extension says whom he means
		return through{why: WhyExpired, text: "the caller's mask has ended"}
	case hit.Anybody != nil:
		return party(hit.Anybody, hit.Anybody.First, x.Number.Number)
	case hit.Dial && f.Dialled.extension == "":
		return through{ask: &askExtension, text: "an extension says whom the caller wants (AXE): he is asked for it"}
	case hit.Dial && f.Behind == nil:
		return through{why: WhyNoSuch, text: "nobody has that extension"}
	case hit.Dial:
		return party(f.Behind, f.Behind.First, x.Number.Number)
	case x.Ability != number.AbilityDisplay && len(f.ringing(x.Number.Number, x.AccountID)) > 0:
		return through{}
	case hit.Masked:
		return through{why: WhyStranger, text: "the number serves masks, and the caller is bound by none"}
	case x.Ability == number.AbilityDisplay: // but the parties of a mask may dial whatever it shows them
		return through{why: WhyNotAllowed, text: "the number can be shown, but not called"}
	}
	return through{why: WhyUnreachable, text: "no telephone rings for the number"}
}

// masked puts the caller through to the other party, who sees a number of ours.
func (d *decision) masked(x *ourNumber, t through, row *comms.Call) *decision {
	to := d.f.resolve(t.to, x.AccountID)
	d.pay(x.AccountID)
	d.step("a mask (%s) leads from the caller to another party, who sees %s", t.mask.Kind, t.shown)
	row.Second, row.MaskID, row.ApplicationID = to.called, &t.mask.ID, t.mask.ApplicationID
	row.Record, row.UserData = t.mask.Record, t.mask.UserData
	return d.second(to, t.shown, x)
}

// second has the second side of the call dialled, whatever it is.
func (d *decision) second(to destination, shown string, via *ourNumber) *decision {
	leg, why, text := d.reach(to, shown, via)
	if why != "" {
		return d.refuse(why, text)
	}
	d.Verdict.Second = leg
	return d.finish()
}

// pay has the call count among those of an account.
func (d *decision) pay(account uuid.UUID) {
	for _, p := range d.Payers {
		if p == account {
			return
		}
	}
	d.Payers = append(d.Payers, account)
}

// finish lets the call go on unless that were too many: a stolen password must not be able to call the world.
func (d *decision) finish() *decision {
	for _, p := range d.Payers {
		most := d.f.Limits.AtOnce
		if d.f.plan(p) == account.PlanFree {
			most = min(most, d.f.Limits.FreeAtOnce)
		}
		switch l := d.f.Load; {
		case l.accounts[p] >= most:
			return d.refuse(WhyTooMany, fmt.Sprintf("the account has %d calls at once", most))
		case len(l.fresh[p]) >= d.f.Limits.PerMinute:
			return d.refuse(WhyTooMany, fmt.Sprintf("the account may make %d new calls in a minute", d.f.Limits.PerMinute))
		}
	}
	d.ownRecord()
	return d
}

// plan is an account's, as far as the facts tell it.
func (f *facts) plan(id uuid.UUID) account.Plan {
	if id == f.Caller.Account {
		return f.Caller.Plan
	}
	for _, n := range f.Numbers {
		if n.AccountID == id {
			return n.Plan
		}
	}
	return account.PlanFree
}

// refuse ends the decision: whatever was to be dialled is not.
func (d *decision) refuse(why Why, text string) *decision {
	d.step("refused (%s): %s", why, text)
	d.Verdict.Refuse = &Refusal{Why: why, Text: text}
	d.Verdict.First, d.Verdict.Second, d.Verdict.Ask, d.Verdict.Speak = nil, nil, nil, nil
	d.ownRecord()
	return d
}

func (d *decision) step(format string, args ...any) {
	d.Steps = append(d.Steps, fmt.Sprintf(format, args...))
}

// record notes that a number of ours takes part. peer is the other side as the number's account may see it.
func (d *decision) record(n *ourNumber, way call.Direction, peer string) *comms.Call {
	if n == nil {
		return nil
	}
	row := &comms.Call{ID: uuid.New(), ConversationID: d.f.Call, AccountID: n.AccountID, NumberID: &n.ID, Peer: peer, Direction: way}
	if len(d.Records) == 0 {
		row.ID = d.f.Call
	}
	d.Records, d.Numbers = append(d.Records, row), append(d.Numbers, n.ID)
	return row
}

// ownRecord notes the call of a telephone that called with no number of ours: its account has a record all the same, without a number. A
// placed call has one besides that of the number of the account that it calls: the account knows it by that.
func (d *decision) ownRecord() {
	c := d.f.Caller
	if c.Account == uuid.Nil {
		return
	}
	for _, r := range d.Records {
		if r.AccountID == c.Account && (c.Phone != uuid.Nil || r.Direction == call.DirectionOutgoing) {
			return
		}
	}
	row := &comms.Call{ID: uuid.New(), ConversationID: d.f.Call, AccountID: c.Account, Peer: d.f.called(),
		Direction: call.DirectionOutgoing}
	if len(d.Records) == 0 {
		row.ID = d.f.Call
	}
	d.Records = append(d.Records, row)
}
