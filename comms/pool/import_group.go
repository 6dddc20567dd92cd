package pool

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/numbergroup"
)

// takeGroups takes the groups over, those too that only a number names. Here a group is known by its name: two of one name become one.
func (i *importing) takeGroups(ctx context.Context) error {
	var names []string
	for _, g := range i.pool.Groups {
		names = append(names, g.Name)
	}
	for _, n := range i.pool.Numbers {
		names = append(names, n.Groups...)
	}
	seen := map[string]bool{}
	names = slices.DeleteFunc(names, func(name string) bool {
		again := seen[name]
		seen[name] = true
		if again {
			return true
		}
		if err := checkGroup(&name, nil); err != nil {
			i.leave(KindGroup, name, comms.AsError(err).Text)
			return true
		}
		return false
	})
	return inBatches(ctx, i, names, &i.out.Groups, i.putGroups)
}

func (i *importing) putGroups(ctx context.Context, b *batch, names []string) error {
	have, err := b.Tx().NumberGroup.Query().Where(numbergroup.AccountID(i.account)).Count(ctx)
	if err != nil {
		return fmt.Errorf("count groups: %w", err)
	}
	rows, err := b.Tx().NumberGroup.Query().Where(numbergroup.AccountID(i.account), numbergroup.NameIn(names...)).WithNumbers().All(ctx)
	if err != nil {
		return fmt.Errorf("look for groups: %w", err)
	}
	for _, name := range names {
		at := slices.IndexFunc(rows, func(g *comms.NumberGroup) bool { return g.Name == name })
		if at < 0 && have >= mostGroups {
			b.leave(KindGroup, name, fmt.Sprintf("an account can have %d groups", mostGroups))
			continue
		}
		var g *comms.NumberGroup
		if at >= 0 {
			g = rows[at]
		} else {
			have++
		}
		if err := i.putGroup(ctx, b, g, name); err != nil {
			return err
		}
	}
	return nil
}

// putGroup stores one group, or adds to it what the source has in it; g is what there is, nil: nothing. What is in it here alone stays.
func (i *importing) putGroup(ctx context.Context, b *batch, g *comms.NumberGroup, name string) (err error) {
	kind := comms.GroupUpdated
	if g == nil {
		kind = comms.GroupCreated
		g, err = b.Tx().NumberGroup.Create().SetAccountID(i.account).SetName(name).SetCreatedAt(b.Now()).SetUpdatedAt(b.Now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("store a group: %w", err)
		}
	}
	in := func(id uuid.UUID) bool {
		return slices.ContainsFunc(g.Edges.Numbers, func(n *ent.Number) bool { return n.ID == id })
	}
	add := slices.DeleteFunc(slices.Clone(i.members[name]), in)
	if room := mostNumbers - len(g.Edges.Numbers); len(add) > room {
		b.leave(KindGroup, name, fmt.Sprintf("it is here with %d of its numbers: it can have no more", mostNumbers))
		add = add[:max(room, 0)]
	}
	if len(add) > 0 {
		if g, err = b.Tx().NumberGroup.UpdateOneID(g.ID).AddNumberIDs(add...).SetUpdatedAt(b.Now()).Save(ctx); err != nil {
			return fmt.Errorf("store a group's numbers: %w", err)
		}
	}
	switch {
	case kind == comms.GroupCreated:
		b.counts.New++
	case len(add) > 0:
		b.counts.Changed++
	default:
		b.counts.Same++
		return nil
	}
	g.Edges.Numbers = nil
	tell(b.Change, kind, g)
	return nil
}
