package call

import (
	"cmp"
	"slices"
	"strings"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/ent/number"
	"switchboard/ent/trunk"
)

// reach finds the ways to a destination. via is the number of ours from which an outside one is called; nil: none.
func (d *decision) reach(to destination, shown string, via *ourNumber) (leg *Leg, why Why, text string) {
	leg = &Leg{Number: to.called, ShownAs: shown, RingFor: d.f.Limits.RingFor}
	switch to.kind {
	case ours:
		if why, text := d.takes(to, leg.ShownAs); why != "" {
			return nil, why, text
		}
		return d.ring(leg, to.phones)
	case telephone, standing:
		d.step("a telephone of the same account is rung")
		return d.ring(leg, to.phones)
	case testWorld:
		d.step("the number is one of the test world")
		leg.Targets = []Target{{World: to.called}}
		return leg, "", ""
	case outside:
		return d.trunk(leg, via)
	}
	return nil, WhyNoSuch, "there is no such number"
}

// takes tells whether a number of ours takes a call that was not dialled to it but leads there: to a mask's party, to a placed call's sides.
// The number that was dialled itself is through that already.
func (d *decision) takes(to destination, shown string) (why Why, text string) {
	n := to.number
	if slices.Contains(d.Numbers, n.ID) {
		return "", ""
	}
	d.record(n, call.DirectionIncoming, shown)
	switch {
	case n.Disabled:
		return WhyDisabled, "the number is switched off"
	case n.Ability == number.AbilityDisplay:
		return WhyNotAllowed, "the number can be shown, but not called"
	case shown != "" && d.f.Blocked[block{n.AccountID, shown}]:
		return WhyBlocked, "the number's owner blocks the number that is shown"
	case d.f.Load.numbers[n.ID] >= n.Concurrency:
		return WhyBusy, "as many calls as the number can take are going on"
	}
	return "", ""
}

// ring has telephones rung, but never the one that calls.
func (d *decision) ring(leg *Leg, phones []phone) (*Leg, Why, string) {
	for _, p := range phones {
		if p.ID != d.f.Caller.Phone {
			leg.Targets = append(leg.Targets, Target{Phone: p.ID})
		}
	}
	switch {
	case len(leg.Targets) > 0:
		return leg, "", ""
	case len(phones) > 0:
		return nil, WhyBusy, "the telephone calls itself"
	}
	return nil, WhyUnreachable, "no telephone rings for the number"
}

// trunk has an outside number called through the trunk that the number's line names, or else the one that knows the longest part of it.
func (d *decision) trunk(leg *Leg, via *ourNumber) (*Leg, Why, string) {
	digits := strings.TrimPrefix(leg.Number, "+")
	if len(d.f.Limits.Prefixes) > 0 && longest(d.f.Limits.Prefixes, digits) < 0 {
		return nil, WhyNotAllowed, "no account may call such numbers"
	}
	trunks := slices.Clone(d.f.Trunks)
	if via != nil && slices.ContainsFunc(trunks, func(t *comms.Trunk) bool { return t.Name == via.Line }) {
		trunks = slices.DeleteFunc(trunks, func(t *comms.Trunk) bool { return t.Name != via.Line })
	}
	trunks = slices.DeleteFunc(trunks, func(t *comms.Trunk) bool { return longest(t.Prefixes, digits) < 0 })
	if len(trunks) == 0 {
		return nil, WhyNotAllowed, "no trunk leads to such numbers"
	}
	slices.SortFunc(trunks, func(a, b *comms.Trunk) int {
		return cmp.Or(longest(b.Prefixes, digits)-longest(a.Prefixes, digits), cmp.Compare(a.Name, b.Name))
	})
	for _, t := range trunks {
		mine := 0 // the other side of this very call
		for _, id := range d.Trunks {
			if id == t.ID {
				mine++
			}
		}
		if d.f.Load.trunks[t.ID]+mine >= t.Concurrency || len(d.f.Load.fresh[t.ID]) >= t.PerMinute {
			continue
		}
		switch t.CallerID {
		case trunk.CallerIDOwn: // what is shown outside is always a number of ours: facts.as, or a masked one
		case trunk.CallerIDFixed:
			leg.ShownAs = t.FixedCaller
		case trunk.CallerIDWithheld:
			leg.ShownAs = ""
		}
		d.step("trunk %s leads there", t.Name)
		leg.Targets, d.Trunks = []Target{{Trunk: t.ID, Number: leg.Number}}, append(d.Trunks, t.ID)
		return leg, "", ""
	}
	return nil, WhyTooMany, "the trunks that lead there have as many calls as they may"
}

// longest is the length of the longest prefix that the digits have; -1: they have none.
func longest(prefixes []string, digits string) int {
	n := -1
	for _, p := range prefixes {
		if strings.HasPrefix(digits, p) {
			n = max(n, len(p))
		}
	}
	return n
}
