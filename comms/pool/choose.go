package pool

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/ent"
	"switchboard/ent/groupchoice"
	"switchboard/ent/number"
	"switchboard/ent/numbergroup"
	"switchboard/ent/predicate"
	"switchboard/internal/clock"
)

// Choose finds the number of a group that a call shows: with a sticky group the one that the callee was shown last, and otherwise the one that
// no call from a group has shown for the longest time; of those that have as many calls as they can take only where no other is left, for
// what a number can take bounds who calls it, not whom it is shown to (a call with From may show it, too). A number that is switched off, or that may not
// be shown, is never chosen. Nothing is written: Take does that, when there is a call.
func (s *Service) Choose(ctx context.Context, in call.ChooseNumber) (*call.Choice, error) {
	db := s.in.Read()
	g, err := db.NumberGroup.Query().Where(numbergroup.ID(in.Group), numbergroup.AccountID(in.Account)).
		WithNumbers(func(q *ent.NumberQuery) { q.Where(showable()...) }).Only(ctx)
	if err != nil {
		return nil, noGroup("group", err)
	}
	list := g.Edges.Numbers
	if len(list) == 0 {
		return nil, comms.Refused(comms.Conflict, "group", comms.ReasonNoNumberFree, "the group has no number that may be shown")
	}
	out := &call.Choice{}
	if g.Policy == numbergroup.PolicySticky && in.Callee != "" {
		out.Sticky = true
		last, err := db.GroupChoice.Query().Where(groupchoice.GroupID(g.ID), groupchoice.Callee(in.Callee)).Only(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return nil, fmt.Errorf("read what a callee was shown: %w", err)
		}
		if last != nil {
			out.Seen = last.UsedAt
			if i := slices.IndexFunc(list, func(n *comms.Number) bool { return n.ID == last.NumberID }); i >= 0 {
				out.Number, out.Again = list[i], true
				return out, nil
			}
		}
	}
	if free := slices.DeleteFunc(slices.Clone(list), in.Full); len(free) > 0 {
		list = free
	}
	out.Number = slices.MinFunc(list, func(a, b *comms.Number) int {
		return cmp.Or(cmp.Compare(shownAt(a), shownAt(b)), cmp.Compare(a.CreatedAt, b.CreatedAt), slices.Compare(a.ID[:], b.ID[:]))
	})
	return out, nil
}

// showable are the numbers that may be shown to those who are called.
func showable() []predicate.Number {
	return []predicate.Number{number.Disabled(false), number.AbilityNEQ(number.AbilityService)}
}

// shownAt is when a group chose the number last; zero: never.
func shownAt(n *comms.Number) clock.Micros {
	if n.ShownAt == nil {
		return 0
	}
	return *n.ShownAt
}

// Take writes down that a call shows what was chosen, in the change that stores the call and under the lock of its account. False: since the
// choice was made another call was placed that makes it a different one, so it is to be made again. That is how two calls at once, also of
// two processes on one database, never take one number for the least recently used, and never show one callee two numbers.
func (s *Service) Take(ctx context.Context, c *comms.Change, in call.ChooseNumber, chosen *call.Choice) (bool, error) {
	n := chosen.Number
	same := append(showable(), number.ID(n.ID), number.HasGroupsWith(numbergroup.ID(in.Group)))
	switch {
	case chosen.Again: // whoever else shows it meanwhile: it is this callee's
	case n.ShownAt == nil:
		same = append(same, number.ShownAtIsNil())
	default:
		same = append(same, number.ShownAt(*n.ShownAt))
	}
	taken, err := c.Tx().Number.Update().Where(same...).SetShownAt(c.Now()).Save(ctx)
	if err != nil {
		return false, fmt.Errorf("note that a number is shown: %w", err)
	}
	if taken == 0 || !chosen.Sticky {
		return taken == 1, nil
	}
	return s.stick(ctx, c, in, chosen)
}

// stick has the group remember what the callee is shown, unless it was shown something since the choice was made.
func (s *Service) stick(ctx context.Context, c *comms.Change, in call.ChooseNumber, chosen *call.Choice) (bool, error) {
	mine := groupchoice.And(groupchoice.GroupID(in.Group), groupchoice.Callee(in.Callee))
	if chosen.Seen != 0 {
		kept, err := c.Tx().GroupChoice.Update().Where(mine, groupchoice.UsedAt(chosen.Seen)).SetNumberID(chosen.Number.ID).SetUsedAt(c.Now()).Save(ctx)
		if err != nil {
			return false, fmt.Errorf("store what a callee is shown: %w", err)
		}
		return kept == 1, nil
	}
	there, err := c.Tx().GroupChoice.Query().Where(mine).Exist(ctx)
	if err != nil || there {
		return false, err
	}
	err = c.Tx().GroupChoice.Create().SetGroupID(in.Group).SetCallee(in.Callee).SetNumberID(chosen.Number.ID).SetUsedAt(c.Now()).Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("store what a callee is shown: %w", err)
	}
	return true, nil
}
