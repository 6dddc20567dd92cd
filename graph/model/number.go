package model

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
)

// number is embedded by this name: under its own it would be taken for the telephone number, which is its field Number.
type number = comms.Number

// Number is a number with what its list shares.
type Number struct {
	*number
	list *Batch[[]*NumberGroup]
}

// NewNumbers shows numbers, whose groups are read together when the first is asked for its own.
func NewNumbers(list []*comms.Number, groups func(context.Context, []uuid.UUID) (map[uuid.UUID][]*NumberGroup, error)) []*Number {
	shared := NewBatch(ids(list, func(n *comms.Number) uuid.UUID { return n.ID }), groups)
	slab := make([]Number, len(list))
	out := make([]*Number, len(list))
	for i, n := range list {
		slab[i] = Number{n, shared}
		out[i] = &slab[i]
	}
	return out
}

// Groups are the groups that it is in, oldest first.
func (n *Number) Groups(ctx context.Context) ([]*NumberGroup, error) {
	found, err := n.list.Get(ctx, n.ID)
	if found == nil {
		found = []*NumberGroup{}
	}
	return found, err
}

// NumberGroup is a number group with what its list shares.
type NumberGroup struct {
	*comms.NumberGroup
	Members *Batch[[]*Number]
}

// GroupIDs are the ids of number groups.
func GroupIDs(list []*comms.NumberGroup) func() []uuid.UUID {
	return ids(list, func(g *comms.NumberGroup) uuid.UUID { return g.ID })
}

// Numbers are the numbers that are in it, oldest first.
func (g *NumberGroup) Numbers(ctx context.Context) ([]*Number, error) {
	found, err := g.Members.Get(ctx, g.ID)
	if found == nil {
		found = []*Number{}
	}
	return found, err
}
