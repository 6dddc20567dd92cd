package graph

import (
	"fmt"
	"slices"
	"testing"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/pool"
)

type groupSeen struct {
	ID, Name, Policy string
	Numbers          []struct{ Number string }
}

type groupPayload struct {
	NumberGroup *groupSeen
	Replayed    bool
	UserErrors  []struct{ Code, Field string }
}

// A group from its first number to its end. Its numbers stay.
func TestLifeOfAGroup(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(2)
		a, b := me.numbers[0], me.numbers[1]
		var data struct {
			CreateNumberGroup, UpdateNumberGroup, AddToNumberGroup, RemoveFromNumberGroup, DeleteNumberGroup groupPayload
			NumberGroup                                                                                      *groupSeen
			Number                                                                                           struct{ Groups []groupSeen }
		}
		create := fmt.Sprintf(`mutation { createNumberGroup(input: {name: "shop", numberIds: [%q], idempotencyKey: "k"}) { numberGroup { id name policy numbers { number } } replayed userErrors { code field } } }`, a.ID)
		k.get(me.ctx, create, nil, &data)
		g := data.CreateNumberGroup.NumberGroup
		if g == nil || g.Name != "shop" || g.Policy != "STICKY" || len(g.Numbers) != 1 || g.Numbers[0].Number != a.Number || data.CreateNumberGroup.Replayed {
			k.Fatalf("%+v", data.CreateNumberGroup)
		}
		k.get(me.ctx, create, nil, &data)
		if again := data.CreateNumberGroup; !again.Replayed || again.NumberGroup.ID != g.ID {
			k.Errorf("the same again: %+v", again)
		}
		k.get(me.ctx, fmt.Sprintf(`mutation { updateNumberGroup(input: {id: %q, policy: LEAST_RECENTLY_USED}) { numberGroup { name policy } userErrors { code } } }`, g.ID), nil, &data)
		if u := data.UpdateNumberGroup.NumberGroup; u.Name != "shop" || u.Policy != "LEAST_RECENTLY_USED" {
			k.Errorf("%+v", u)
		}
		k.get(me.ctx, fmt.Sprintf(`mutation { addToNumberGroup(input: {id: %q, numberIds: [%q, %q]}) { numberGroup { numbers { number } } userErrors { code } } }`, g.ID, a.ID, b.ID), nil, &data)
		if n := data.AddToNumberGroup.NumberGroup.Numbers; len(n) != 2 || n[0].Number != a.Number || n[1].Number != b.Number {
			k.Errorf("added: %+v", n)
		}
		k.get(me.ctx, fmt.Sprintf(`mutation { removeFromNumberGroup(input: {id: %q, numberIds: [%q]}) { numberGroup { numbers { number } } userErrors { code } } }`, g.ID, a.ID), nil, &data)
		if n := data.RemoveFromNumberGroup.NumberGroup.Numbers; len(n) != 1 || n[0].Number != b.Number {
			k.Errorf("removed: %+v", n)
		}
		k.get(me.ctx, fmt.Sprintf(`{ number(id: %q) { groups { id name } } }`, b.ID), nil, &data)
		if got := data.Number.Groups; len(got) != 1 || got[0].ID != g.ID || got[0].Name != "shop" {
			k.Errorf("its groups: %+v", got)
		}
		k.get(me.ctx, fmt.Sprintf(`mutation { deleteNumberGroup(input: {id: %q}) { numberGroup { id numbers { number } } userErrors { code } } }`, g.ID), nil, &data)
		k.get(me.ctx, fmt.Sprintf(`{ numberGroup(id: %q) { id } number(id: %q) { groups { id } } }`, g.ID, b.ID), nil, &data)
		if d := data.DeleteNumberGroup.NumberGroup; d.ID != g.ID || len(d.Numbers) != 0 || data.NumberGroup != nil || len(data.Number.Groups) != 0 {
			k.Errorf("deleted: %+v %+v %+v", d, data.NumberGroup, data.Number.Groups)
		}
	})
}

// A call that is placed with a group shows one of its numbers: the same to the same callee, or the one that has rested longest.
func TestCallsOfAGroup(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(2)
		ids := idsOf([]string{me.numbers[0].ID.String(), me.numbers[1].ID.String()})
		sticky := must(k.pools.CreateNumberGroup(me.ctx, pool.CreateNumberGroup{Name: "sticky", NumberIDs: ids}))(k).Group
		turns := must(k.pools.CreateNumberGroup(me.ctx, pool.CreateNumberGroup{Name: "turns", Policy: "least_recently_used", NumberIDs: ids}))(k).Group
		shown := func(g *comms.NumberGroup) (number string) {
			var data struct {
				PlaceCall struct {
					Call *struct {
						ID     string
						Number struct{ Number string }
					}
					UserErrors []struct{ Code, Field, Message string }
				}
			}
			k.get(me.ctx, fmt.Sprintf(`mutation { placeCall(input: {groupId: %q, to: "+999000000001", message: "hi"}) { call { id number { number } } userErrors { code field message } } }`, g.ID), nil, &data)
			if data.PlaceCall.Call == nil {
				k.Fatalf("%+v", data.PlaceCall)
			}
			c := must(k.calls.Call(me.ctx, idOf(data.PlaceCall.Call.ID)))(k)
			k.ends(c, call.End{Why: call.WhyBusy, By: call.ByCallee, Status: 486, Cause: 17})
			return data.PlaceCall.Call.Number.Number
		}
		if a, b := shown(sticky), shown(sticky); a != b {
			k.Errorf("the same callee saw %s and %s", a, b)
		}
		if a, b := shown(turns), shown(turns); a == b {
			k.Errorf("the same number was shown twice: %s", a)
		}
		empty := must(k.pools.CreateNumberGroup(me.ctx, pool.CreateNumberGroup{Name: "empty"}))(k).Group
		s := &scene{kit: k, owner: me}
		if got := s.refusal(fmt.Sprintf(`placeCall(input: {groupId: %q, to: "+999000000001", message: "hi"})`, empty.ID)); !slices.Contains([]string{"NO_NUMBER_FREE input.groupId", "CONFLICT input.groupId"}, got) {
			k.Errorf("a call of an empty group: %s", got)
		}
	})
}
