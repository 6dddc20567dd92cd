package pool

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/number"
	"switchboard/ent/numbergroup"
)

// What one account can make the server keep, and what a call that is placed with a group has to look at.
const (
	mostGroups  = 1000
	mostNumbers = 1000
)

// CreateNumberGroup asks for a group of the caller's numbers.
type CreateNumberGroup struct {
	Name           string // 1 to 64 characters; no other group of the account has it
	Policy         string // sticky or least_recently_used; empty: sticky
	NumberIDs      []uuid.UUID
	IdempotencyKey string
}

// NewNumberGroup is the group that came of it.
type NewNumberGroup struct {
	Group    *comms.NumberGroup
	Replayed bool
}

// CreateNumberGroup makes a group.
func (s *Service) CreateNumberGroup(ctx context.Context, in CreateNumberGroup) (*NewNumberGroup, error) {
	a, err := comms.Demand(ctx, comms.WriteNumbers)
	if err != nil {
		return nil, err
	}
	if in.Policy == "" {
		in.Policy = string(numbergroup.DefaultPolicy)
	}
	if err := checkGroup(&in.Name, &in.Policy); err != nil {
		return nil, err
	}
	out := &NewNumberGroup{}
	key := comms.OnceKey{Scope: a.AccountID.String(), Key: in.IdempotencyKey, Verb: "createNumberGroup", Request: []any{in.Name, in.Policy, in.NumberIDs}}
	out.Replayed, err = s.in.Once(ctx, key, &out.Group, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, a.AccountID); err != nil { // of two that want one name the second is told so
			return err
		}
		have, err := c.Tx().NumberGroup.Query().Where(numbergroup.AccountID(a.AccountID)).Count(ctx)
		if err != nil {
			return fmt.Errorf("count groups: %w", err)
		}
		if have >= mostGroups {
			return comms.Refused(comms.Conflict, "input", comms.ReasonNone, "an account can have "+strconv.Itoa(mostGroups)+" groups")
		}
		if err := free(ctx, c, a.AccountID, in.Name); err != nil {
			return err
		}
		numbers, err := own(ctx, c, a.AccountID, in.NumberIDs)
		if err != nil {
			return err
		}
		out.Group, err = c.Tx().NumberGroup.Create().SetAccountID(a.AccountID).SetName(in.Name).SetPolicy(numbergroup.Policy(in.Policy)).
			AddNumberIDs(numbers...).SetCreatedAt(c.Now()).SetUpdatedAt(c.Now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("store a group: %w", err)
		}
		tell(c, comms.GroupCreated, out.Group)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func checkGroup(name, policy *string) error {
	if name != nil && (strings.TrimSpace(*name) == "" || comms.CheckAlias(*name) != nil) {
		return comms.Refused(comms.Invalid, "name", comms.ReasonNone, "the name must have 1 to 64 characters, and no control characters")
	}
	if policy != nil && numbergroup.PolicyValidator(numbergroup.Policy(*policy)) != nil {
		return comms.Refused(comms.Invalid, "policy", comms.ReasonNone, "policy must be sticky or least_recently_used")
	}
	return nil
}

// free is no error where no group of the account has that name.
func free(ctx context.Context, c *comms.Change, account uuid.UUID, name string) error {
	taken, err := c.Tx().NumberGroup.Query().Where(numbergroup.AccountID(account), numbergroup.Name(name)).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for a group: %w", err)
	}
	if taken {
		return comms.Refused(comms.Conflict, "name", comms.ReasonNone, "a group has that name already")
	}
	return nil
}

// own are those ids, each once, if all are the account's numbers.
func own(ctx context.Context, c *comms.Change, account uuid.UUID, ids []uuid.UUID) ([]uuid.UUID, error) {
	seen := make(map[uuid.UUID]bool, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
	if len(ids) > mostNumbers {
		return nil, tooMany()
	}
	found, err := c.Tx().Number.Query().Where(number.AccountID(account), number.IDIn(ids...)).Count(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for numbers: %w", err)
	}
	if found != len(ids) {
		return nil, comms.Refused(comms.NotFound, "numberIds", comms.ReasonNone, "there is no such number")
	}
	return ids, nil
}

func tooMany() error {
	return comms.Refused(comms.Conflict, "numberIds", comms.ReasonNone, "a group can have "+strconv.Itoa(mostNumbers)+" numbers")
}

// UpdateNumberGroup asks to change a group. Nil leaves a thing as it is.
type UpdateNumberGroup struct {
	ID           uuid.UUID
	Name, Policy *string
}

// UpdateNumberGroup gives a group another name or policy.
func (s *Service) UpdateNumberGroup(ctx context.Context, in UpdateNumberGroup) (*comms.NumberGroup, error) {
	check := func() error { return checkGroup(in.Name, in.Policy) }
	return s.change(ctx, in.ID, check, func(ctx context.Context, c *comms.Change, g *comms.NumberGroup) (*comms.NumberGroup, error) {
		if in.Name != nil && *in.Name != g.Name {
			if err := free(ctx, c, g.AccountID, *in.Name); err != nil {
				return nil, err
			}
		}
		return s.touch(ctx, c, g, func(u *ent.NumberGroupUpdateOne) {
			u.SetNillableName(in.Name).SetNillablePolicy((*numbergroup.Policy)(in.Policy))
		})
	})
}

// AddToNumberGroup puts numbers of the caller's into a group. Those that are in it stay.
func (s *Service) AddToNumberGroup(ctx context.Context, group uuid.UUID, numbers []uuid.UUID) (*comms.NumberGroup, error) {
	return s.change(ctx, group, some(numbers), func(ctx context.Context, c *comms.Change, g *comms.NumberGroup) (*comms.NumberGroup, error) {
		add, err := own(ctx, c, g.AccountID, numbers)
		if err != nil {
			return nil, err
		}
		have, err := g.QueryNumbers().IDs(ctx)
		if err != nil {
			return nil, fmt.Errorf("read a group: %w", err)
		}
		if add = slices.DeleteFunc(add, func(id uuid.UUID) bool { return slices.Contains(have, id) }); len(add) == 0 {
			return g, nil
		}
		if len(have)+len(add) > mostNumbers {
			return nil, tooMany()
		}
		return s.touch(ctx, c, g, func(u *ent.NumberGroupUpdateOne) { u.AddNumberIDs(add...) })
	})
}

// RemoveFromNumberGroup takes numbers out of a group. Those that are not in it are not missed.
func (s *Service) RemoveFromNumberGroup(ctx context.Context, group uuid.UUID, numbers []uuid.UUID) (*comms.NumberGroup, error) {
	return s.change(ctx, group, some(numbers), func(ctx context.Context, c *comms.Change, g *comms.NumberGroup) (*comms.NumberGroup, error) {
		remove, err := own(ctx, c, g.AccountID, numbers)
		if err != nil {
			return nil, err
		}
		there, err := g.QueryNumbers().Where(number.IDIn(remove...)).Exist(ctx)
		if err != nil {
			return nil, fmt.Errorf("read a group: %w", err)
		}
		if !there {
			return g, nil
		}
		return s.touch(ctx, c, g, func(u *ent.NumberGroupUpdateOne) { u.RemoveNumberIDs(remove...) })
	})
}

// DeleteNumberGroup removes a group; its numbers stay.
func (s *Service) DeleteNumberGroup(ctx context.Context, id uuid.UUID) (*comms.NumberGroup, error) {
	return s.change(ctx, id, nil, func(ctx context.Context, c *comms.Change, g *comms.NumberGroup) (*comms.NumberGroup, error) {
		if err := c.Tx().NumberGroup.DeleteOneID(g.ID).Exec(ctx); err != nil {
			return nil, fmt.Errorf("delete a group: %w", err)
		}
		tell(c, comms.GroupDeleted, g)
		return g, nil
	})
}

// some is no error where there are numbers to put in or take out: who names none has forgotten them.
func some(numbers []uuid.UUID) func() error {
	return func() error {
		if len(numbers) == 0 {
			return comms.Refused(comms.Invalid, "numberIds", comms.ReasonNone, "at least one number is needed")
		}
		return nil
	}
}

// change is a change of one group of the caller's. What is asked for is checked (nil: there is nothing to check) once it is known that he may ask.
func (s *Service) change(ctx context.Context, id uuid.UUID, check func() error,
	fn func(context.Context, *comms.Change, *comms.NumberGroup) (*comms.NumberGroup, error)) (out *comms.NumberGroup, err error) {
	a, err := comms.Demand(ctx, comms.WriteNumbers)
	if err != nil {
		return nil, err
	}
	if check != nil {
		if err := check(); err != nil {
			return nil, err
		}
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, a.AccountID); err != nil {
			return err
		}
		g, err := c.Tx().NumberGroup.Query().Where(numbergroup.ID(id), numbergroup.AccountID(a.AccountID)).Only(ctx)
		if err != nil {
			return noGroup("id", err)
		}
		out, err = fn(ctx, c, g)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// touch writes a group's row and tells of it.
func (s *Service) touch(ctx context.Context, c *comms.Change, g *comms.NumberGroup, set func(*ent.NumberGroupUpdateOne)) (*comms.NumberGroup, error) {
	update := c.Tx().NumberGroup.UpdateOneID(g.ID).SetUpdatedAt(c.Now())
	set(update)
	next, err := update.Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("store a group: %w", err)
	}
	tell(c, comms.GroupUpdated, next)
	return next, nil
}

// tell tells of a group without its numbers, which may be a thousand: who wants them reads them.
func tell(c *comms.Change, kind comms.Kind, g *comms.NumberGroup) {
	c.Tell(&comms.Event{Kind: kind, AccountID: g.AccountID, Group: g})
}

// noGroup is what is answered for an id that is none, or another account's: ids of others don't exist.
func noGroup(field string, err error) error {
	if ent.IsNotFound(err) {
		return comms.Refused(comms.NotFound, field, comms.ReasonNone, "there is no such group")
	}
	return fmt.Errorf("read a group: %w", err)
}
