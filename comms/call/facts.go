package call

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/account"
	"switchboard/ent/number"
	"switchboard/internal/clock"
)

// facts are all that a decision hangs on. They are read by Service.facts (facts_read.go) in a number of statements that nothing makes grow;
// tests write them by hand.
type facts struct {
	At      clock.Micros
	Call    uuid.UUID // the conversation
	Limits  Limits
	Load    *load // what is going on: while a decision looks at it nothing else is admitted
	Caller  caller
	Dialled dialled
	First   dialled // who is to be called first (PlaceCall.First)
	Beyond  dialled // Dialled.extension, where it is a whole number (AX)

	Numbers map[string]*ourNumber // the numbers of ours among those that the call may concern
	Phones  map[string][]phone    // the telephones that ring for a number; under its own number (digits) a telephone of the caller's account
	Blocked map[block]bool
	Mask    *maskHit    // what the masks on the number of ours that was dialled say of the caller; nil: none was dialled
	Behind  *comms.Mask // the AXE mask that the dialled extension means
	Trunks  []*comms.Trunk
}

// ourNumber is a number with its account's plan, on which limits hang.
type ourNumber struct {
	*comms.Number
	Plan  account.Plan
	Masks bool // it serves masks, or did
}

// displayed tells whether the number may be shown to those who are called.
func (n *ourNumber) displayed() bool {
	return n != nil && !n.Disabled && n.Ability != number.AbilityService
}

// phone is a telephone that can be rung.
type phone struct {
	ID, Account uuid.UUID
	Number      string
}

// block says that an account wants nothing from a number.
type block struct {
	Account uuid.UUID
	Number  string
}

// caller is who calls.
type caller struct {
	Account uuid.UUID    // Nil: the call comes from outside
	Plan    account.Plan // the account's
	Phone   uuid.UUID    // the telephone that calls; Nil: it is a placed call
	Number  string       // from outside: E.164, or empty: withheld. Otherwise the telephone's own
	Rings   []string     // what the telephone stands for, or the number that a call is placed from
}

// own is the number of ours that takes part in what the caller calls, seen from there; nil: none.
func (f *facts) own(there uuid.UUID) *ourNumber {
	var first *ourNumber
	for _, r := range f.Caller.Rings {
		n := f.Numbers[r]
		if n != nil && (n.Disabled || n.AccountID != f.Caller.Account) {
			n = nil
		}
		switch {
		case there == f.Caller.Account:
			return n // its identity, which its own account knows, or nothing
		case n.displayed():
			return n
		case first == nil:
			first = n
		}
	}
	return first
}

// as is how the caller appears to an account, or (Nil) outside: the number by which he is known there, and the one that is shown.
//
// Within its own account a telephone is what it stands for, be that an outside number. Elsewhere that counts for nothing: one account
// could pose as anybody else, or call through somebody else's mask. There it is a number of ours that it rings for, or nobody.
func (f *facts) as(there uuid.UUID) (known, shown string) {
	c := &f.Caller
	if c.Account == uuid.Nil {
		return c.Number, c.Number
	}
	n := f.own(there)
	if there == c.Account {
		if n == nil {
			known = append(slices.DeleteFunc(slices.Clone(c.Rings), func(r string) bool { return f.Numbers[r] != nil }), c.Number)[0]
			return known, known
		}
		if known, shown = n.Number.Number, n.Number.Number; !n.displayed() {
			shown = c.Number
		}
		return known, shown
	}
	if n == nil {
		return "", ""
	}
	if n.displayed() {
		shown = n.Number.Number
	}
	return n.Number.Number, shown
}

// kind is what a number turned out to be.
type kind uint8

const (
	nobody    kind = iota
	telephone      // one of the caller's account, by its own number
	ours           // a number of ours
	standing       // an outside number for which telephones of the account that pays stand
	testWorld
	outside
)

// destination is what a dialled text leads to.
type destination struct {
	kind   kind
	called string // E.164, or a telephone's number: for records
	number *ourNumber
	phones []phone
}

// resolve finds what was dialled in a call for which that account pays: one of its telephones, a number of ours, a number that a telephone
// stands for, the test world; in this order for each way in which the text can be read. What is none of these is outside.
func (f *facts) resolve(d dialled, payer uuid.UUID) destination {
	if own := f.ringing(d.digits, payer); d.digits != "" && len(own) > 0 {
		return destination{kind: telephone, called: d.digits, phones: own}
	}
	for _, n := range d.numbers {
		if to := f.at(n, payer); to.kind != outside && to.kind != nobody {
			return to
		}
	}
	if d.outside != "" {
		return f.at(d.outside, payer)
	}
	return destination{called: d.digits}
}

// called is whom the caller called, as he knows it: behind a masked number is somebody else, who is none of his business.
func (f *facts) called() string { return f.resolve(f.Dialled, f.Caller.Account).called }

// at is what a number leads to in calls for which that account pays; Nil: nobody here pays, the call came from outside. Such a call
// reaches what is ours and is never passed on: a trunk that is sent its own calls back, or another's, would have found a free line.
func (f *facts) at(e164 string, payer uuid.UUID) destination {
	to := destination{called: e164}
	if n := f.Numbers[e164]; n != nil {
		to.kind, to.number, to.phones = ours, n, f.ringing(e164, n.AccountID)
		return to
	}
	if payer == uuid.Nil {
		return to
	}
	to.phones = f.ringing(e164, payer)
	switch {
	case IsWorld(e164):
		to.kind = testWorld
	case strings.HasPrefix(e164, fictional):
	case len(to.phones) > 0:
		to.kind = standing
	default:
		to.kind = outside
	}
	return to
}

// ringing are the telephones of an account that ring for a number. Those of others never do: they would capture its calls.
func (f *facts) ringing(e164 string, account uuid.UUID) []phone {
	return slices.DeleteFunc(slices.Clone(f.Phones[e164]), func(p phone) bool { return p.Account != account })
}
