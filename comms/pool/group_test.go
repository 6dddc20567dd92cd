package pool_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/pool"
)

func TestGroups(t *testing.T) {
	onBoth(t, func(f *firm) {
		g := f.group("Shanghai", "", one, two, one)
		if g.Policy != "sticky" || f.members(g) != one+" "+two || g.CreatedAt != g.UpdatedAt {
			t.Errorf("%+v: %s", g, f.members(g))
		}
		changed, err := f.pools.UpdateNumberGroup(f.owner, pool.UpdateNumberGroup{ID: g.ID, Name: new("上海"), Policy: new("least_recently_used")})
		if err != nil || changed.Name != "上海" || changed.Policy != "least_recently_used" || changed.UpdatedAt <= g.UpdatedAt {
			t.Errorf("%+v, %v", changed, err)
		}
		if _, err := f.pools.UpdateNumberGroup(f.owner, pool.UpdateNumberGroup{ID: g.ID, Name: new("上海")}); err != nil {
			t.Error("its own name: ", err)
		}
		for _, numbers := range [][]string{{three}, {three, two}} { // the second time nothing is left to do
			if _, err := f.pools.AddToNumberGroup(f.owner, g.ID, f.ids(numbers...)); err != nil || f.members(g) != one+" "+two+" "+three {
				t.Error(f.members(g), err)
			}
		}
		for range 2 {
			if _, err := f.pools.RemoveFromNumberGroup(f.owner, g.ID, f.ids(one, never)); err != nil || f.members(g) != two+" "+three {
				t.Error(f.members(g), err)
			}
		}
		if _, err := f.svc.DeleteNumber(f.owner, f.number[two]); err != nil || f.members(g) != three {
			t.Error(f.members(g), err)
		}
		of, err := f.pools.GroupsOfNumbers(f.owner, f.ids(three, one, other))
		if err != nil || len(of[f.number[three]]) != 1 || of[f.number[three]][0].ID != g.ID || len(of[f.number[one]]) != 0 {
			t.Error(of, err)
		}
		if gone, err := f.pools.DeleteNumberGroup(f.owner, g.ID); err != nil || gone.ID != g.ID {
			t.Error(gone, err)
		}
		if n, err := f.svc.AllNumbers(f.owner); err != nil || len(n) != 3 {
			t.Errorf("%d numbers are left: %v", len(n), err)
		}
		want := "group.created" + strings.Repeat(" group.updated", 5) + " group.deleted" // by name twice, added, removed, and left with its number
		if got := f.told(f.owner, "group"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func TestGroupsAreListed(t *testing.T) {
	onBoth(t, func(f *firm) {
		var want []uuid.UUID
		for _, name := range []string{"a", "b", "c"} {
			want = append(want, f.group(name, "").ID)
		}
		var got []uuid.UUID
		page := comms.Page{First: new(2)}
		for {
			p, err := f.pools.NumberGroups(f.owner, page)
			f.must(err)
			for _, g := range p.Items {
				got = append(got, g.ID)
			}
			if !p.HasNext {
				break
			}
			page.After = &p.Cursors[len(p.Cursors)-1]
		}
		all, err := f.pools.Groups(f.owner)
		if err != nil || len(all) != 3 || len(got) != 3 || got[0] != want[0] || got[2] != want[2] {
			t.Error(got, all, err)
		}
		if n, err := f.pools.CountNumberGroups(f.owner); err != nil || n != 3 {
			t.Error(n, err)
		}
		if g, err := f.pools.NumberGroup(f.owner, want[1]); err != nil || g.Name != "b" {
			t.Error(g, err)
		}
	})
}

// The same creation again is the same group, and of many at once of one name one is made.
func TestAGroupIsMadeOnce(t *testing.T) {
	onBoth(t, func(f *firm) {
		in := pool.CreateNumberGroup{Name: "Shanghai", NumberIDs: f.ids(one), IdempotencyKey: "k"}
		first, err := f.pools.CreateNumberGroup(f.owner, in)
		f.must(err)
		again, err := f.pools.CreateNumberGroup(f.owner, in)
		if err != nil || first.Replayed || !again.Replayed || again.Group.ID != first.Group.ID {
			t.Errorf("%+v, %v", again, err)
		}
		in.Policy = "least_recently_used"
		if _, err := f.pools.CreateNumberGroup(f.owner, in); refusal(err) != "CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED" {
			t.Error(err)
		}
		var all sync.WaitGroup
		made := make(chan error, 10)
		for range 10 {
			all.Go(func() {
				_, err := f.pools.CreateNumberGroup(f.owner, pool.CreateNumberGroup{Name: "Beijing"})
				made <- err
			})
		}
		all.Wait()
		close(made)
		good := 0
		for err := range made {
			if err == nil {
				good++
			} else if refusal(err) != "CONFLICT name" {
				t.Error(err)
			}
		}
		if good != 1 {
			t.Errorf("%d groups of one name", good)
		}
	})
}

// Each verb on groups, by each caller: the owner, a stranger to whom the group and the numbers do not exist, who may only read, and nobody.
func TestWhoMayDoWhatWithGroups(t *testing.T) {
	onBoth(t, func(f *firm) {
		g := f.group("Shanghai", "", one)
		reader := comms.WithActor(t.Context(), &comms.Actor{AccountID: comms.ActorOf(f.owner).AccountID, Scopes: comms.ReadNumbers})
		numbers := f.ids(two)
		for name, c := range map[string]struct {
			do                func(ctx context.Context) error
			stranger, mayRead string
		}{
			"create": {func(ctx context.Context) error {
				_, err := f.pools.CreateNumberGroup(ctx, pool.CreateNumberGroup{Name: "new", NumberIDs: numbers})
				return err
			}, "NOT_FOUND numberIds", "FORBIDDEN  SCOPE"},
			"update": {func(ctx context.Context) error {
				_, err := f.pools.UpdateNumberGroup(ctx, pool.UpdateNumberGroup{ID: g.ID, Name: new("other")})
				return err
			}, "NOT_FOUND id", "FORBIDDEN  SCOPE"},
			"add": {func(ctx context.Context) error { _, err := f.pools.AddToNumberGroup(ctx, g.ID, numbers); return err }, "NOT_FOUND id", "FORBIDDEN  SCOPE"},
			"remove": {func(ctx context.Context) error {
				_, err := f.pools.RemoveFromNumberGroup(ctx, g.ID, numbers)
				return err
			}, "NOT_FOUND id", "FORBIDDEN  SCOPE"},
			"read": {func(ctx context.Context) error { _, err := f.pools.NumberGroup(ctx, g.ID); return err }, "NOT_FOUND id", "none"},
			"pool": {func(ctx context.Context) error { _, err := f.pools.Pool(ctx); return err }, "none", "FORBIDDEN  SCOPE"},
		} {
			for _, who := range []struct {
				ctx  context.Context
				want string
			}{{t.Context(), "UNAUTHENTICATED"}, {f.stranger, c.stranger}, {reader, c.mayRead}, {f.owner, "none"}} {
				if err := c.do(who.ctx); refusal(err) != who.want {
					t.Errorf("%s: %v, want %s", name, err, who.want)
				}
			}
		}
	})
}

// Each list of groups: its owner's alone.
func TestWhoSeesGroups(t *testing.T) {
	onBoth(t, func(f *firm) {
		g, numbers := f.group("Shanghai", "", one), f.ids(two)
		for name, list := range map[string]func(ctx context.Context) (int, error){
			"groups": func(ctx context.Context) (int, error) { l, err := f.pools.Groups(ctx); return len(l), err },
			"count":  f.pools.CountNumberGroups,
			"numbers": func(ctx context.Context) (int, error) {
				m, err := f.pools.NumbersOfGroups(ctx, []uuid.UUID{g.ID})
				return len(m), err
			},
			"of numbers": func(ctx context.Context) (int, error) {
				m, err := f.pools.GroupsOfNumbers(ctx, numbers)
				return len(m), err
			},
		} {
			if n, err := list(f.stranger); n != 0 || err != nil {
				t.Errorf("a stranger sees %d %s: %v", n, name, err)
			}
			if n, err := list(f.owner); n == 0 || err != nil {
				t.Errorf("the owner sees no %s: %v", name, err)
			}
			if _, err := list(t.Context()); refusal(err) != "UNAUTHENTICATED" {
				t.Errorf("nobody asks for %s: %v", name, err)
			}
		}
	})
}

func TestGroupRefusals(t *testing.T) {
	onBoth(t, func(f *firm) {
		g := f.group("Shanghai", "", one)
		f.group("Beijing", "")
		create := func(in pool.CreateNumberGroup) error {
			_, err := f.pools.CreateNumberGroup(f.owner, in)
			return err
		}
		update := func(in pool.UpdateNumberGroup) error {
			in.ID = g.ID
			_, err := f.pools.UpdateNumberGroup(f.owner, in)
			return err
		}
		many := make([]uuid.UUID, 1001)
		for i := range many {
			many[i] = uuid.New()
		}
		_, unknown := f.pools.AddToNumberGroup(f.owner, g.ID, f.ids(two, other))
		_, removed := f.pools.RemoveFromNumberGroup(f.owner, g.ID, []uuid.UUID{uuid.New()})
		_, crowd := f.pools.AddToNumberGroup(f.owner, g.ID, many)
		_, gone := f.pools.DeleteNumberGroup(f.owner, uuid.New())
		_, theirs := f.pools.DeleteNumberGroup(f.stranger, g.ID)
		_, addsNone := f.pools.AddToNumberGroup(f.owner, g.ID, nil)
		_, takesNone := f.pools.RemoveFromNumberGroup(f.owner, g.ID, []uuid.UUID{})
		_, nobody := f.pools.UpdateNumberGroup(t.Context(), pool.UpdateNumberGroup{ID: g.ID, Name: new("")})
		for i, c := range []struct {
			err  error
			want string
		}{
			{create(pool.CreateNumberGroup{}), "INVALID name"},
			{create(pool.CreateNumberGroup{Name: strings.Repeat("x", 65)}), "INVALID name"},
			{create(pool.CreateNumberGroup{Name: "a\nb"}), "INVALID name"},
			{create(pool.CreateNumberGroup{Name: " \u3000"}), "INVALID name"},
			{create(pool.CreateNumberGroup{Name: "\xff"}), "INVALID name"},
			{create(pool.CreateNumberGroup{Name: "x", Policy: "round"}), "INVALID policy"},
			{create(pool.CreateNumberGroup{Name: "Shanghai"}), "CONFLICT name"},
			{create(pool.CreateNumberGroup{Name: "x", NumberIDs: f.ids(one, other)}), "NOT_FOUND numberIds"},
			{update(pool.UpdateNumberGroup{Name: new("")}), "INVALID name"},
			{update(pool.UpdateNumberGroup{Name: new("Beijing")}), "CONFLICT name"},
			{update(pool.UpdateNumberGroup{Policy: new("")}), "INVALID policy"},
			{unknown, "NOT_FOUND numberIds"}, {removed, "NOT_FOUND numberIds"}, {crowd, "CONFLICT numberIds"}, {gone, "NOT_FOUND id"}, {theirs, "NOT_FOUND id"},
			{addsNone, "INVALID numberIds"}, {takesNone, "INVALID numberIds"}, {nobody, "UNAUTHENTICATED"}, // who asks is looked at before what
		} {
			if got := refusal(c.err); got != c.want {
				t.Errorf("%d: %v, want %s", i, c.err, c.want)
			}
		}
		if f.members(g) != one || f.told(f.owner, "group") != "group.created group.created" {
			t.Errorf("something of that was done: %s; %s", f.members(g), f.told(f.owner, "group"))
		}
	})
}
