package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/carrier"
	"switchboard/comms/pool"
	"switchboard/graph/gen"
	"switchboard/internal/db"
)

// pageOf is what these tests ask of a connection.
type pageOf struct {
	Nodes []struct{ ID string }
	Edges []struct {
		Cursor string
		Node   struct{ ID string }
	}
	PageInfo struct {
		HasNextPage, HasPreviousPage bool
		StartCursor, EndCursor       *string
	}
}

func (p pageOf) ids() []string {
	out := []string{}
	for _, n := range p.Nodes {
		out = append(out, n.ID)
	}
	return out
}

const pageFields = `nodes { id } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }`

func (k *kit) page(p *person, field string) pageOf {
	k.Helper()
	var data struct{ X pageOf }
	k.get(p.ctx, fmt.Sprintf(`{ x: %s { %s } }`, field, pageFields), nil, &data)
	x := data.X
	if len(x.Edges) != len(x.Nodes) {
		k.Fatalf("%s: %d edges, %d nodes", field, len(x.Edges), len(x.Nodes))
	}
	for i := range x.Edges {
		if x.Edges[i].Node != x.Nodes[i] {
			k.Errorf("%s: edge %d is of another node", field, i)
		}
	}
	if n := len(x.Edges); n == 0 {
		if x.PageInfo.StartCursor != nil || x.PageInfo.EndCursor != nil {
			k.Errorf("%s: an empty page has cursors", field)
		}
	} else if *x.PageInfo.StartCursor != x.Edges[0].Cursor || *x.PageInfo.EndCursor != x.Edges[n-1].Cursor {
		k.Errorf("%s: pageInfo has other cursors than the edges", field)
	}
	return x
}

// The algorithm of the specification (https://relay.dev/graphql/connections.htm#sec-Pagination-algorithm) over every connection: each
// combination of arguments gives the part of the whole list that it must.
func TestPagingByTheSpecification(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, other := k.person(5), k.person(1)
		for i := range 6 {
			k.send(other, me.numbers[0], fmt.Sprint("in ", i))
			if i%2 == 0 {
				k.send(me, other.numbers[0], fmt.Sprint("out ", i))
			}
			must(k.svc.BlockNumber(me.ctx, comms.BlockNumber{Number: fmt.Sprintf("+99900001000%d", i)}))(k)
			must(k.svc.CreateApiToken(me.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount}))(k)
		}
		k.office(me, 2)
		for i := range 5 {
			must(k.pools.CreateNumberGroup(me.ctx, pool.CreateNumberGroup{Name: fmt.Sprint("group ", i)}))(k)
			must(k.carriers.LinkCarrier(me.ctx, carrier.LinkCarrier{Carrier: "ovh", Base: "https://sb.example"}))(k)
		}
		for _, field := range []string{"messages", "numbers", "blockedNumbers", "apiTokens", "calls", "recordings", "masks", "sipNumbers",
			"callRecords", "numberGroups", "carrierLinks"} {
			k.pages(me, field)
		}
	})
}

func (k *kit) pages(p *person, field string) {
	k.Helper()
	all := k.page(p, field)
	total := len(all.Nodes)
	if total < 5 || all.PageInfo.HasNextPage || all.PageInfo.HasPreviousPage {
		k.Fatalf("%s: the whole list is %+v", field, all)
	}
	cursor := func(i int) string { return all.Edges[i].Cursor }
	for _, size := range []int{0, 1, 2, total} {
		for from := -1; from < total; from++ { // after that item; -1: no cursor
			for to := from + 1; to <= total; to++ { // before that item; total: no cursor
				args := ""
				if from >= 0 {
					args += fmt.Sprintf(", after: %q", cursor(from))
				}
				if to < total {
					args += fmt.Sprintf(", before: %q", cursor(to))
				}
				between := all.ids()[from+1 : to]
				n := min(size, len(between))
				k.onePage(p, fmt.Sprintf("%s(first: %d%s)", field, size, args), between[:n], to < total || n < len(between), from >= 0)
				k.onePage(p, fmt.Sprintf("%s(last: %d%s)", field, size, args), between[len(between)-n:], to < total, from >= 0 || n < len(between))
			}
		}
	}
}

// onePage compares a page. hasPreviousPage for first, and hasNextPage for last, may be answered without looking (the specification
// lets a server do so): here it is true where a cursor was given.
func (k *kit) onePage(p *person, field string, want []string, next, previous bool) {
	k.Helper()
	got := k.page(p, field)
	if !slices.Equal(got.ids(), want) || got.PageInfo.HasNextPage != next || got.PageInfo.HasPreviousPage != previous {
		k.Errorf("%s\n got %v next %v previous %v\nwant %v next %v previous %v", field, got.ids(), got.PageInfo.HasNextPage,
			got.PageInfo.HasPreviousPage, want, next, previous)
	}
}

func TestRefusedPages(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(1)
		k.send(me, me.numbers[0], "to myself")
		foreign := k.page(me, "messages").Edges[0].Cursor
		for args, code := range map[string]string{
			`first: 201`:                      "PAGE_SIZE_LIMIT",
			`last: 2147483647`:                "PAGE_SIZE_LIMIT",
			`first: -1`:                       "INVALID",
			`last: -1`:                        "INVALID",
			`first: 1, last: 1`:               "INVALID",
			`after: ""`:                       "BAD_CURSOR",
			`before: "MTIzNDU2Nzg5"`:          "BAD_CURSOR",
			`after: "` + foreign + `"`:        "BAD_CURSOR", // of another list
			`first: 1, after: "\u0000\uFFFF"`: "BAD_CURSOR",
		} {
			r := k.ask(me.ctx, `{ numbers(`+args+`) { nodes { id } } }`, nil)
			if len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != code || r.Errors[0].Path.String() != "numbers" {
				k.Errorf("numbers(%s): %s %v, want %s", args, r.Data, r.Errors, code)
			}
		}
	})
}

// office gives a person calls that went through masks and were recorded, and telephones: for each round some of each.
func (k *kit) office(p *person, rounds int) {
	k.Helper()
	for i := range rounds {
		for j, n := range p.numbers {
			c := k.placed(p, call.PlaceCall{From: n.ID})
			k.answers(c)
			k.recorded(p, c)
			k.ends(c, hungUp)
			k.named++
			must(k.calls.MaskNumbers(p.ctx, call.MaskNumbers{Kind: "axb", NumberID: n.ID, First: fmt.Sprintf("+8613800%06d", k.named),
				Second: fmt.Sprintf("+8613900%06d", k.named)}))(k)
			must(k.calls.CreateSipNumber(p.ctx, call.CreateSipNumber{Alias: fmt.Sprint("desk ", i, j), Rings: []string{"+4930123456", "+4930123457"}}))(k)
		}
	}
}

// What a query costs in statements does not grow with what it finds.
func TestStatements(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, other := k.person(3), k.person(1)
		for _, rounds := range []int{1, 20} {
			for i := range rounds {
				for _, n := range me.numbers {
					k.send(other, n, fmt.Sprint(i))
				}
			}
			k.office(me, rounds)
			k.outside(me, rounds)
			for query, most := range map[string]int64{
				`{ messages(first: 50) { nodes { id text } } }`:                                               1,
				`{ messages(first: 50) { nodes { id text from to createdAt number { id number } } } }`:        2,
				`{ messages(first: 50) { edges { cursor node { number { id } again: number { alias } } } } }`: 2,
				`{ messages(first: 5) { totalCount } }`:                                                       2,
				`{ messages(first: 5) { nodes { file { url } } pageInfo { hasNextPage } } }`:                  1,
				`{ numbers { nodes { id number alias } } }`:                                                   1,
				// One seek for each of the three numbers, and one look whether it is the caller's; their messages know their number.
				`{ numbers { nodes { id messages(first: 2) { nodes { id number { id } } } } } }`: 1 + 3*2,
				`{ me { id email plan } }`: 1,
				// Three more for all calls: their numbers, recordings and masks. What a recording's call needs is read once more.
				`{ calls { nodes { id peer status number { number } recordings { id url } mask { id first } } } }`: 4,
				`{ calls { nodes { recordings { call { id number { number } } } } } }`:                             4,
				`{ calls { nodes { mask { number { number } secondNumber { number } } } totalCount } }`:            4,
				`{ numbers { nodes { id calls(first: 2) { nodes { id number { id } } } } } }`:                      1 + 3*2,
				`{ recordings { nodes { id url call { id peer } } } }`:                                             2,
				`{ masks { nodes { id number { number } } } }`:                                                     2,
				// Groups of numbers and numbers of groups take two statements, and their own in turn no more than that for all.
				`{ numbers { nodes { id groups { id name } } } }`:                                         3,
				`{ numberGroups { nodes { id name numbers { id number } } totalCount } }`:                 4,
				`{ numberGroups { nodes { numbers { groups { numbers { id } } } } } }`:                    7,
				`{ messages(first: 50) { nodes { number { groups { id } } } } }`:                          4,
				`{ callRecords { nodes { id calling called recordingUrl } totalCount csvUrl } }`:          10,
				`{ callRecords { nodes { call { id number { number } } carrierLink { id identity } } } }`: 10,
				`{ carrierLinks { nodes { id progress { done } } } }`:                                     1,
				`{ noticeChannels { id kind state deviceName } }`:                                         2,
				`{ sipNumbers { nodes { id rings registered registrations { source } } } }`:               4,
			} {
				ctx, n := db.CountStatements(me.ctx)
				if r := k.ask(ctx, query, nil); len(r.Errors) > 0 {
					k.Fatal(r.Errors)
				}
				if n.Load() > most {
					k.Errorf("%s took %d statements, not %d", query, n.Load(), most)
				}
			}
		}
	})
}

// A list counts for its page times its items, so that lists in lists are refused before they are read.
func TestComplexity(t *testing.T) {
	root := complexity(200)
	two := func(n int) *int { return &n }
	nodes := func(first, last *int) int { return root.Number.Messages(3, first, nil, last, nil) }
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"no size named", nodes(nil, nil), statement + 50*3},
		{"first", nodes(two(7), nil), statement + 7*3},
		{"last", nodes(nil, two(9)), statement + 9*3},
		{"none", nodes(two(0), nil), statement + 3},
		{"a negative size is refused later, and is no discount", nodes(two(-1000), nil), statement + 3},
		{"a huge one is refused later, and does not overflow", nodes(two(1<<31-1), nil), statement + 200*3},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.name, c.got, c.want)
		}
	}
	// What has a price without a page is known to price.go.
	served := schema()
	es := gen.NewExecutableSchema(gen.Config{Complexity: root})
	for _, d := range own(served) {
		for _, f := range d.Fields {
			n, priced := es.Complexity(t.Context(), d.Name, f.Name, 3, nil)
			if slices.ContainsFunc(f.Arguments, isPage) || !priced {
				continue
			}
			if (n != 1+3) != slices.Contains(dearFields, f.Name) {
				t.Errorf("%s.%s of 3 counts %d", d.Name, f.Name, n)
			}
		}
	}
	// Every connection has its function: one that was forgotten would count as one field.
	for _, d := range own(served) {
		for _, f := range d.Fields {
			if !strings.HasSuffix(f.Type.Name(), "Connection") {
				continue
			}
			if n, ok := es.Complexity(t.Context(), d.Name, f.Name, 3, map[string]any{"first": 10}); !ok || n != statement+30 {
				t.Errorf("%s.%s(first: 10) of 3 counts %d", d.Name, f.Name, n)
			}
		}
	}
}
