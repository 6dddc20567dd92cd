package moor

import (
	"context"

	"switchboard/comms"
)

// group is one of the account's groups of numbers.
type group struct {
	ID   string `json:"_id"`
	Name string `json:"name"`
}

// groups lists them.
func (d *door) groups(ctx context.Context, _ *request) (any, error) {
	list, err := d.Pools.Groups(ctx)
	if err != nil {
		return nil, err
	}
	return groupsOf(list), nil
}

func groupsOf(list []*comms.NumberGroup) []group {
	out := make([]group, len(list))
	for i, g := range list {
		out[i] = group{g.ID.String(), g.Name}
	}
	return out
}
