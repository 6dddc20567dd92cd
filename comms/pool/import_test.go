package pool_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/pool"
	"switchboard/ent"
	"switchboard/ent/number"
	"switchboard/internal/db"
)

// elsewhere is a pool with something of everything.
func elsewhere() pool.ImportPool {
	n := func(number string, groups ...string) pool.ImportNumber {
		return pool.ImportNumber{Number: number, Name: number, Ability: "both", Source: "trunk", Concurrency: 2, Line: "R1", Groups: groups}
	}
	named, off := n(one, "Shanghai"), n("+8617118239999")
	named.Alias, off.Disabled, off.Ability = new("desk"), true, "display"
	return pool.ImportPool{Email: "OWNER@example.com", Numbers: []pool.ImportNumber{named, off, n("+8617118239998", "Shanghai", "unlisted")},
		Groups: []pool.ImportGroup{{Name: "Shanghai"}, {Name: "empty"}, {Name: "Shanghai"}},
		Phones: []pool.ImportPhone{{Number: "2001", Password: "pa55-word"}, {Number: "9001", Password: "another-pa55"}}}
}

func TestAPoolIsTakenOver(t *testing.T) {
	onBoth(t, func(f *firm) {
		for _, want := range []pool.Imported{
			{Numbers: pool.Counts{New: 2, Changed: 1}, Groups: pool.Counts{New: 3}, Phones: pool.Counts{New: 1, Same: 1}, Left: []pool.Left{}},
			{Numbers: pool.Counts{Same: 3}, Groups: pool.Counts{Same: 3}, Phones: pool.Counts{Same: 2}, Left: []pool.Left{}},
		} {
			got, err := f.pools.ImportPool(t.Context(), elsewhere())
			if err != nil || !reflect.DeepEqual(*got, want) {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		}
		p, err := f.pools.Pool(f.owner)
		f.must(err)
		var got []string
		for _, n := range p.Numbers {
			var groups []string
			for _, g := range n.Edges.Groups {
				groups = append(groups, g.Name)
			}
			slices.Sort(groups)
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %d %s %t %s", n.Number, n.Alias, n.Ability, n.Source, n.Concurrency, n.Line, n.Disabled,
				strings.Join(groups, ","))))
		}
		slices.Sort(got)
		want := []string{one + " desk both trunk 2 R1 false Shanghai", two + "  both virtual 100  false", three + "  both virtual 100  false",
			never + "  service virtual 1  false", "+8617118239998  both trunk 2 R1 false Shanghai,unlisted", "+8617118239999  display trunk 2 R1 true"}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q,\nwant %q", got, want)
		}
		if got := f.told(f.owner, "group", "phone"); got != "group.created group.created group.created phone.created" {
			t.Error(got)
		}
		if at := slices.IndexFunc(p.Phones, func(p *pool.Phone) bool { return p.Number == "9001" }); at < 0 || p.Phones[at].Password != "another-pa55" {
			t.Errorf("%+v", p.Phones)
		}
	})
}

// What changed there changes here; what is here alone, and a password that is here, stays.
func TestAPoolIsTakenOverAgain(t *testing.T) {
	onBoth(t, func(f *firm) {
		in := elsewhere()
		_, err := f.pools.ImportPool(t.Context(), in)
		f.must(err)
		groups, err := f.pools.Groups(f.owner)
		f.must(err)
		shanghai := groups[slices.IndexFunc(groups, func(g *comms.NumberGroup) bool { return g.Name == "Shanghai" })]
		_, err = f.pools.AddToNumberGroup(f.owner, shanghai.ID, f.ids(two))
		f.must(err)
		in.Numbers[0].Alias, in.Numbers[0].Ability = nil, "display"
		in.Numbers[1].Groups = []string{"Shanghai"}
		in.Numbers[2].Groups = nil
		in.Phones[1].Password = "a-third-pa55"
		got, err := f.pools.ImportPool(t.Context(), in)
		want := pool.Imported{Numbers: pool.Counts{Changed: 1, Same: 2}, Groups: pool.Counts{Changed: 1, Same: 1}, Phones: pool.Counts{Same: 1},
			Left: []pool.Left{{Kind: pool.KindPhone, Name: "9001", Why: "it has another password here, which stays"}}}
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		if got := f.members(shanghai); got != "+8617118239998 +8617118239999 "+one+" "+two {
			t.Error(got)
		}
		if n := f.store.Read().Number.Query().Where(number.Number(one)).OnlyX(t.Context()); n.Alias != "desk" || n.Ability != number.AbilityDisplay {
			t.Errorf("%+v", n)
		}
	})
}

// What can't be taken over is said, and the rest is.
func TestWhatIsLeftOut(t *testing.T) {
	onBoth(t, func(f *firm) {
		_, err := f.calls.CreateSipNumber(f.stranger, call.CreateSipNumber{Number: "3000"})
		f.must(err)
		n := func(number string) pool.ImportNumber {
			return pool.ImportNumber{Number: number, Name: number, Ability: "both", Source: "trunk", Concurrency: 1}
		}
		strange, long, wide, far := n("+8617118239997"), n("+8617118239996"), n("+8617118239995"), n("+8617118239994")
		strange.Ability = ""
		long.Alias = new(strings.Repeat("x", 65))
		wide.Concurrency, far.Line = 0, "a\nb"
		short := n("")
		short.Name = "9813"
		rude := n("")
		rude.Name = "\x1b]0;title\a" + strings.Repeat("9", 100)
		got, err := f.pools.ImportPool(t.Context(), pool.ImportPool{Email: "owner@example.com",
			Numbers: []pool.ImportNumber{short, n(other), strange, long, wide, far, n(two), n(two), rude}, Groups: []pool.ImportGroup{{Name: ""}},
			Phones: []pool.ImportPhone{{Number: "3000", Password: "pa55-word"}, {Number: "x", Password: "pa55-word"}, {Number: "4000", Password: "short"},
				{Number: "4001", Password: "pa55-word"}, {Number: "4001", Password: "pa55-word"}},
			Left: []pool.Left{{Kind: pool.KindPhone, Name: "5000", Why: "it is deleted there"}}})
		f.must(err)
		want := []string{"telephone 5000: it is deleted there", "number 9813: it is no telephone number", "number +8617118239997: what it is for is not known here",
			"number +8617118239996: it is here without its name, which has more than 64 characters or control characters",
			"number +8617118239995: its calls at once are 1 here, not 0",
			"number +8617118239994: it is here without its line, which has more than 64 characters or control characters",
			"number " + two + ": the source has " + two + " twice",
			"number ?]0;title?" + strings.Repeat("9", 54) + "...: it is no telephone number", "number " + other + ": it belongs to another account of this server",
			"group : the name must have 1 to 64 characters, and no control characters", "telephone x: the number of a telephone must be 2 to 15 digits",
			"telephone 4000: the password of a telephone must have 8 to 128 ASCII characters, and no spaces", "telephone 4001: the source has it twice",
			"telephone 3000: it belongs to another account of this server"}
		var left []string
		for _, l := range got.Left {
			left = append(left, l.Kind+" "+l.Name+": "+l.Why)
		}
		if !slices.Equal(left, want) || got.Taken() != 5 {
			t.Errorf("%d taken, left\n%s", got.Taken(), strings.Join(left, "\n"))
		}
		if _, err := f.pools.ImportPool(t.Context(), pool.ImportPool{Email: "nobody@example.com"}); refusal(err) != "NOT_FOUND email" {
			t.Error(err)
		}
		if n, err := f.svc.AllNumbers(f.stranger); err != nil || len(n) != 1 {
			t.Error(n, err)
		}
		f.change(func(ctx context.Context, tx *ent.Client) error { return tx.Account.Update().SetActive(false).Exec(ctx) })
		if _, err := f.pools.ImportPool(t.Context(), pool.ImportPool{Email: "stranger@example.com"}); refusal(err) != "NOT_FOUND email" {
			t.Errorf("an account that was never activated: %v", err)
		}
	})
}

// A pool of any size is read in the same number of statements.
func TestAPoolIsReadInAFewStatements(t *testing.T) {
	onBoth(t, func(f *firm) {
		statements := func() int64 {
			ctx, n := db.CountStatements(f.owner)
			p, err := f.pools.Pool(ctx)
			if err != nil || len(p.Numbers) == 0 {
				t.Fatal(p, err)
			}
			return n.Load()
		}
		f.group("a", "", one)
		few := statements()
		in := pool.ImportPool{Email: "owner@example.com"}
		for i := range 300 {
			in.Numbers = append(in.Numbers, pool.ImportNumber{Number: fmt.Sprintf("+86171182%05d", i), Ability: "both", Source: "virtual", Concurrency: 1,
				Groups: []string{fmt.Sprint("group ", i%30)}})
			in.Phones = append(in.Phones, pool.ImportPhone{Number: fmt.Sprint(10_000 + i), Password: "pa55-word"})
		}
		if got, err := f.pools.ImportPool(t.Context(), in); err != nil || got.Taken() != 630 {
			t.Fatal(got, err)
		}
		if many := statements(); many != few || few > 6 {
			t.Errorf("%d statements for a small pool, %d for a large one", few, many)
		}
	})
}

// An application's key leads to its account alone.
func TestApplicationKey(t *testing.T) {
	onBoth(t, func(f *firm) {
		row := f.store.Read().Application.Query().OnlyX(t.Context())
		app, secret, err := f.pools.ApplicationKey(t.Context(), row.AppKey)
		if err != nil || app.ID != row.ID || len(secret) != 32 {
			t.Error(app, err)
		}
		ctx := pool.AsApplication(context.WithoutCancel(t.Context()), app)
		if p, err := f.pools.Pool(ctx); err != nil || len(p.Numbers) != 4 {
			t.Error(p, err)
		}
		for _, key := range []string{"", row.AppID, string(secret)} {
			if _, _, err := f.pools.ApplicationKey(t.Context(), key); refusal(err) != "UNAUTHENTICATED" {
				t.Error(err)
			}
		}
	})
}
