package pool

import (
	"context"
	"fmt"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/number"
)

// mostConcurrency is what a number can be provisioned with, too.
const mostConcurrency = 10_000

// notOurs is why something that is somebody else's here is left out. It may be said: only the operator imports.
const notOurs = "it belongs to another account of this server"

// takeNumbers takes the numbers over.
func (i *importing) takeNumbers(ctx context.Context) error {
	seen := map[string]bool{}
	var good []ImportNumber
	for _, n := range i.pool.Numbers {
		e164, err := comms.CanonicalNumber("number", n.Number)
		switch {
		case err != nil:
			i.leave(KindNumber, n.Name, "it is no telephone number")
		case seen[e164]:
			i.leave(KindNumber, n.Name, "the source has "+e164+" twice")
		case number.AbilityValidator(number.Ability(n.Ability)) != nil || number.SourceValidator(number.Source(n.Source)) != nil:
			i.leave(KindNumber, n.Name, "what it is for is not known here")
		default:
			n.Number, seen[e164] = e164, true
			good = append(good, i.fit(n))
		}
	}
	return inBatches(ctx, i, good, &i.out.Numbers, i.putNumbers)
}

func (i *importing) leave(kind, name, why string) {
	i.out.Left = append(i.out.Left, Left{kind, printable(name), why})
}

// fit makes what can't be kept as it is such that it can, and says so.
func (i *importing) fit(n ImportNumber) ImportNumber {
	if n.Alias != nil && comms.CheckAlias(*n.Alias) != nil {
		i.leave(KindNumber, n.Name, "it is here without its name, which has more than 64 characters or control characters")
		n.Alias = nil
	}
	if comms.CheckAlias(n.Line) != nil {
		i.leave(KindNumber, n.Name, "it is here without its line, which has more than 64 characters or control characters")
		n.Line = ""
	}
	if most := min(max(n.Concurrency, 1), mostConcurrency); most != n.Concurrency {
		i.leave(KindNumber, n.Name, fmt.Sprintf("its calls at once are %d here, not %d", most, n.Concurrency))
		n.Concurrency = most
	}
	return n
}

func (i *importing) putNumbers(ctx context.Context, b *batch, list []ImportNumber) error {
	wanted := make([]string, len(list))
	for k, n := range list {
		wanted[k] = n.Number
	}
	rows, err := b.Tx().Number.Query().Where(number.NumberIn(wanted...)).All(ctx)
	if err != nil {
		return fmt.Errorf("look for numbers: %w", err)
	}
	have := make(map[string]*comms.Number, len(rows))
	for _, n := range rows {
		have[n.Number] = n
	}
	for _, wish := range list {
		n := have[wish.Number]
		if n != nil && n.AccountID != i.account {
			b.leave(KindNumber, wish.Name, notOurs)
			continue
		}
		if n, err = i.putNumber(ctx, b, n, wish); err != nil {
			return err
		}
		for _, group := range wish.Groups {
			b.members = append(b.members, member{group, n.ID})
		}
	}
	return nil
}

// putNumber stores one number, or brings it up to date; n is what there is, nil: nothing.
func (i *importing) putNumber(ctx context.Context, b *batch, n *comms.Number, wish ImportNumber) (out *comms.Number, err error) {
	tx, kind := b.Tx(), comms.NumberUpdated
	switch {
	case n == nil:
		kind = comms.NumberCreated
		out, err = tx.Number.Create().SetAccountID(i.account).SetNumber(wish.Number).SetNillableAlias(wish.Alias).SetAbility(number.Ability(wish.Ability)).
			SetSource(number.Source(wish.Source)).SetConcurrency(wish.Concurrency).SetLine(wish.Line).SetDisabled(wish.Disabled).
			SetCreatedAt(b.Now()).SetUpdatedAt(b.Now()).Save(ctx)
		b.counts.New++
	case same(n, wish):
		b.counts.Same++
		return n, nil
	default:
		out, err = tx.Number.UpdateOneID(n.ID).SetNillableAlias(wish.Alias).SetAbility(number.Ability(wish.Ability)).SetSource(number.Source(wish.Source)).
			SetConcurrency(wish.Concurrency).SetLine(wish.Line).SetDisabled(wish.Disabled).SetUpdatedAt(b.Now()).Save(ctx)
		b.counts.Changed++
	}
	if err != nil {
		return nil, fmt.Errorf("store a number: %w", err)
	}
	b.Tell(&comms.Event{Kind: kind, AccountID: i.account, NumberID: out.ID, Number: out})
	return out, nil
}

// same tells whether the number is as the source has it.
func same(n *ent.Number, wish ImportNumber) bool {
	return (wish.Alias == nil || *wish.Alias == n.Alias) && string(n.Ability) == wish.Ability && string(n.Source) == wish.Source &&
		n.Concurrency == wish.Concurrency && n.Line == wish.Line && n.Disabled == wish.Disabled
}
