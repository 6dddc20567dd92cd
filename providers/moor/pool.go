package moor

import (
	"context"
	"errors"

	"switchboard/comms/pool"
)

// The two things that can be asked for (documented).
const (
	numberPath = "/openapi/v1/call/query/number"
	groupPath  = "/openapi/v1/call/query/group"
)

// Pull asks for all that the account has there.
func (c *Client) Pull(ctx context.Context) (pool.ImportPool, error) {
	var numbers lists
	if err := c.ask(ctx, numberPath, &numbers); err != nil {
		return pool.ImportPool{}, err
	}
	if numbers.Display == nil || numbers.Service == nil || numbers.SIP == nil {
		return pool.ImportPool{}, c.failed("%w", errors.New("its data is not what the document says: one of the three lists is missing"))
	}
	var groups []group
	if err := c.ask(ctx, groupPath, &groups); err != nil {
		return pool.ImportPool{}, err
	}
	var out pool.ImportPool
	for _, g := range groups {
		out.Groups = append(out.Groups, pool.ImportGroup{Name: g.Name})
	}
	out.Numbers = merge(*numbers.Display, *numbers.Service)
	for _, p := range *numbers.SIP {
		switch {
		case p.Deleted != 0:
			out.Left = append(out.Left, pool.Left{Kind: pool.KindPhone, Name: p.Number, Why: "it is deleted there"})
		case p.Status != 1:
			out.Left = append(out.Left, pool.Left{Kind: pool.KindPhone, Name: p.Number, Why: "it is switched off there"})
		default:
			out.Phones = append(out.Phones, pool.ImportPhone{Number: p.Number, Password: p.Password})
		}
	}
	return out, nil
}

// merge makes one list of two on which a number stands twice if it can be shown and called.
func merge(lists ...[]number) []pool.ImportNumber {
	var out []pool.ImportNumber
	for k, list := range lists {
		seen := map[string]bool{}
		for _, n := range out {
			seen[n.Name] = true
		}
		for _, n := range list {
			if k == 0 || !seen[n.Number] {
				out = append(out, n.wish())
			}
		}
	}
	return out
}

// The words of the API and ours.
var (
	abilities = map[whole]string{1: "service", 2: "display", 3: "both"}
	sources   = map[string]string{"trunkNumber": "trunk", "xNumber": "virtual", "": "trunk"}
)

func (n number) wish() pool.ImportNumber {
	out := pool.ImportNumber{Number: e164(n.Number), Name: n.Number, Alias: n.Name, Ability: abilities[n.CallAbility], Source: sources[n.Source],
		Concurrency: int(n.Concurrency), Line: n.Line, Disabled: n.Status == "disable"}
	for _, g := range n.Groups {
		out.Groups = append(out.Groups, g.Name)
	}
	return out
}
