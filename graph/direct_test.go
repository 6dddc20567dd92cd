package graph

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

// These tests are about what internal/gqlgen generates: direct objects must answer as gqlgen's own do.

// broken answers what no verb would, to see what becomes of it.
type broken struct {
	*Resolver
	messages *model.MessageConnection
}

func (b broken) Query() gen.QueryResolver {
	return brokenQuery{QueryResolver: b.Resolver.Query(), messages: b.messages}
}
func (b broken) Number() gen.NumberResolver { return brokenNumbers{} }

type brokenQuery struct {
	gen.QueryResolver
	messages *model.MessageConnection
}

func (b brokenQuery) Messages(context.Context, *gen.MessageFilter, *int, *string, *int, *string) (*model.MessageConnection, error) {
	return b.messages, nil
}

func (b brokenQuery) Message(context.Context, string) (*model.Message, error) {
	return b.messages.Nodes[0], nil
}

func (b brokenQuery) Sessions(context.Context, int) ([]*model.Session, error) {
	return []*model.Session{{Session: &comms.Session{Kind: "graphql"}}, nil}, nil
}

func (b brokenQuery) Me(context.Context) (*comms.Account, error) { panic("at the disco") }

type brokenNumbers struct{}

func (brokenNumbers) Messages(context.Context, *model.Number, *int, *string, *int, *string) (*model.MessageConnection, error) {
	return nil, errors.New("secret cause")
}

func (brokenNumbers) Calls(context.Context, *model.Number, *int, *string, *int, *string) (*model.CallConnection, error) {
	return nil, errors.New("secret cause")
}

// shelf is a source of numbers that knows one, or fails.
type shelf struct {
	id  uuid.UUID
	err error
}

func (s shelf) NumbersByID(context.Context, []uuid.UUID) (map[uuid.UUID]*model.Number, error) {
	return map[uuid.UUID]*model.Number{s.id: model.NewNumbers([]*comms.Number{{ID: s.id, Number: "+999000000001"}}, nil)[0]}, s.err
}

func (s shelf) FileOf(context.Context, *comms.Message) *model.File { return nil }

func page(s shelf, count func(context.Context) (int, error)) *model.MessageConnection {
	viewer := uuid.New()
	list := make([]*comms.Message, 3)
	for i := range list {
		list[i] = &comms.Message{ID: int64(i + 1), ToAccount: viewer, ToNumberID: s.id, Kind: "text", Text: fmt.Sprintf("n° %d \"\\\n", i), FromNumber: "+999000000009"}
	}
	list[2].ToNumberID = uuid.New() // a number that is deleted
	p := &comms.PageOf[*comms.Message]{Items: list, Cursors: []string{"c1", "c2", "c3"}}
	return model.NewConnection(p, model.NewMessages(s, viewer, list), count)
}

func TestDirectObjects(t *testing.T) {
	one := func(context.Context) (int, error) { return 7, nil }
	fails := func(context.Context) (int, error) { return 0, errors.New("secret cause") }
	id := uuid.MustParse("00000000-0000-4000-8000-000000000001")
	good, bad := shelf{id: id}, shelf{id: id, err: &comms.Error{Code: comms.Forbidden, Text: "no numbers"}}
	holed := page(good, one)
	holed.Nodes[1] = nil
	panics := page(good, one)
	panics.Nodes[0] = &model.Message{Message: panics.Nodes[0].Message} // made past NewMessages: it has no list

	for _, c := range []struct {
		name, query string
		from        *model.MessageConnection
		data, errs  string
	}{
		{"fields in the order asked, with aliases", `{ m: messages { nodes { b: id a: from id } } }`, page(good, one),
			`{"m":{"nodes":[{"b":"1","a":"+999000000009","id":"1"},{"b":"2","a":"+999000000009","id":"2"},{"b":"3","a":"+999000000009","id":"3"}]}}`, ""},
		{"escapes", `{ message(id: "1") { text } }`, page(good, one), `{"message":{"text":"n° 0 \"\\\n"}}`, ""},
		{"type names", `{ messages { __typename nodes { __typename } } }`, page(good, one),
			`{"messages":{"__typename":"MessageConnection","nodes":[{"__typename":"Message"},{"__typename":"Message"},{"__typename":"Message"}]}}`, ""},
		{"an object that is null", `{ messages { nodes { number { number } } } }`, page(good, one),
			`{"messages":{"nodes":[{"number":{"number":"+999000000001"}},{"number":{"number":"+999000000001"}},{"number":null}]}}`, ""},
		{"fragments, and what is asked twice", `query($no: Boolean = false) { message(id: "1") { ...F number { id } number { number } ... on Node { id } id @skip(if: true) to @include(if: $no) } } fragment F on Message { kind number { alias } }`,
			page(good, one), `{"message":{"kind":"TEXT","number":{"alias":"","id":"00000000-0000-4000-8000-000000000001","number":"+999000000001"},"id":"1"}}`, ""},
		{"a nullable field that fails", `{ messages { nodes { id number { id } } } }`, page(bad, one),
			`{"messages":{"nodes":[{"id":"1","number":null},{"id":"2","number":null},{"id":"3","number":null}]}}`,
			"messages.nodes[0].number no numbers; messages.nodes[1].number no numbers; messages.nodes[2].number no numbers"},
		{"a required field that fails", `{ a: messages { nodes { id } totalCount } }`, page(good, fails), `null`, "a.totalCount internal error"},
		{"a hole in a list", `{ messages { nodes { id } } }`, holed, `null`, "messages.nodes[1] internal error"},
		{"a hole in a list of a root", `{ sessions { kind } }`, nil, `null`, "sessions[1] internal error"},
		{"a field with a resolver", `{ message(id: "1") { id number { id messages { totalCount } } } }`, page(good, one),
			`{"message":{"id":"1","number":null}}`, "message.number.messages internal error"},
		{"a panic in a resolver", `{ me { id } }`, nil, `null`, "me internal error"},
		{"a panic in an object", `{ messages { nodes { direction } } }`, panics, `null`, "messages internal error"},
		{"edges", `{ messages { edges { cursor node { id } } pageInfo { startCursor endCursor hasNextPage } } }`, page(good, one),
			`{"messages":{"edges":[{"cursor":"c1","node":{"id":"1"}},{"cursor":"c2","node":{"id":"2"}},{"cursor":"c3","node":{"id":"3"}}],"pageInfo":{"startCursor":"c1","endCursor":"c3","hasNextPage":false}}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := over(t, gen.NewExecutableSchema(gen.Config{Resolvers: broken{&Resolver{}, c.from}}))
			r := k.ask(t.Context(), c.query, nil)
			if string(r.Data) != c.data {
				t.Errorf("data\n got %s\nwant %s", r.Data, c.data)
			}
			var errs []string
			for _, e := range r.Errors {
				errs = append(errs, e.Path.String()+" "+e.Message)
				if len(e.Locations) == 0 && !strings.Contains(c.name, "panic") && !strings.Contains(c.name, "hole") {
					t.Errorf("%v has no location", e)
				}
			}
			if got := strings.Join(errs, "; "); got != c.errs {
				t.Errorf("errors\n got %s\nwant %s", got, c.errs)
			}
			if strings.Contains(fmt.Sprint(r.Errors), "secret") {
				t.Error("a cause was shown")
			}
		})
	}
}
