package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/graph/gen"
	"switchboard/graph/model"
	"switchboard/internal/house"
)

const (
	hotList   = `query { messages(first: 50) { nodes { id text from to createdAt number { id number } } } }`
	hotSend   = `mutation($from: ID!, $to: PhoneNumber!, $text: String!) { sendMessage(input: {from: $from, to: [$to], text: $text}) { message { id createdAt } userErrors { code field message } } }`
	hundredB  = "a text of about a hundred bytes, as people write them to each other when they have something to say"
	listAlloc = 130 // of the list without what it reads, and of every longer one
)

// hot is an account whose list of messages is full.
func hot(b *testing.B) (*kit, *person, *person) {
	k := newKit(b, house.SQLite(b))
	me, other := k.person(5), k.person(1)
	for i := range 60 {
		k.send(other, me.numbers[i%5], hundredB)
	}
	return k, me, other
}

func BenchmarkHotList(b *testing.B) {
	k, me, _ := hot(b)
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		if r := k.ask(me.ctx, hotList, nil); len(r.Errors) > 0 || len(r.Data) < 5000 {
			b.Fatal(r.Errors)
		}
	}
}

// What the verbs alone cost, without GraphQL.
func BenchmarkHotListVerb(b *testing.B) {
	k, me, _ := hot(b)
	b.ReportAllocs()
	r := &Resolver{svc: k.svc}
	defer cpu(b)()
	for b.Loop() {
		c, err := queryResolver{r}.Messages(me.ctx, nil, nil, nil, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Nodes[0].Number(me.ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHotListHTTP(b *testing.B) {
	k, me, _ := hot(b)
	post(b, k, me, 4, map[string]any{"query": hotList})
}

func BenchmarkSendHTTP(b *testing.B) {
	for _, clients := range []int{1, 32} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			k, me, other := hot(b)
			post(b, k, me, clients, map[string]any{"query": hotSend,
				"variables": map[string]any{"from": me.numbers[0].ID, "to": other.numbers[0].Number, "text": hundredB}})
		})
	}
}

// What the verb alone costs.
func BenchmarkSendVerb(b *testing.B) {
	k, me, other := hot(b)
	b.ReportAllocs()
	defer cpu(b)()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := k.svc.SendMessage(me.ctx, comms.SendMessage{From: me.numbers[0].ID, To: []string{other.numbers[0].Number}, Text: hundredB}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// post measures one request again and again, by so many clients at once, all but the socket.
func post(b *testing.B, k *kit, p *person, clients int, body map[string]any) {
	h := NewHandler(k.svc, Options{Calls: k.calls})
	text, err := json.Marshal(body)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	defer cpu(b)()
	b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(http.MethodPost, "/query", bytes.NewReader(text))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+p.token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusOK || bytes.Contains(w.Body.Bytes(), []byte(`"errors"`)) || bytes.Contains(w.Body.Bytes(), []byte(`"code"`)) {
				b.Error(w.Code, w.Body)
				return
			}
		}
	})
}

// cpu reports the processor time of one round, in all threads: on a shared machine the wall clock says little.
func cpu(b *testing.B) func() {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	return func() { b.ReportMetric(float64((spent()-before).Microseconds())/float64(b.N), "cpu-µs/op") }
}

// full is a list of messages that was read already.
type full struct {
	*Resolver
	page *comms.PageOf[*comms.Message]
	from shelf
	at   uuid.UUID
}

func (f full) Query() gen.QueryResolver { return fullQuery{QueryResolver: f.Resolver.Query(), full: f} }

type fullQuery struct {
	gen.QueryResolver
	full full
}

func (q fullQuery) Messages(context.Context, *gen.MessageFilter, *int, *string, *int, *string) (*model.MessageConnection, error) {
	return model.NewConnection(q.full.page, model.NewMessages(q.full.from, q.full.at, q.full.page.Items), nil), nil
}

// The allocations of the hot list don't grow with its length: none for a field, none for an element.
func TestAllocationsOfAList(t *testing.T) {
	measured := map[int]float64{}
	for _, n := range []int{10, 50, 200} {
		me, number := uuid.New(), uuid.New()
		f := full{Resolver: &Resolver{}, page: &comms.PageOf[*comms.Message]{}, from: shelf{id: number}, at: me}
		for i := range n {
			m := &comms.Message{ID: int64(i + 1), ToAccount: me, ToNumberID: number, Kind: "text", Text: hundredB, CreatedAt: 1e15}
			f.page.Items, f.page.Cursors = append(f.page.Items, m), append(f.page.Cursors, fmt.Sprint(i))
		}
		k := over(t, gen.NewExecutableSchema(gen.Config{Resolvers: f}))
		measured[n] = testing.AllocsPerRun(20, func() {
			if r := k.ask(t.Context(), hotList, nil); len(r.Errors) > 0 || len(r.Data) < 100*n {
				t.Fatal(r.Errors)
			}
		})
	}
	if measured[50] > listAlloc {
		t.Errorf("%v allocations for a list of 50, not %d", measured[50], listAlloc)
	}
	if grown := measured[200] - measured[10]; grown > 5 {
		t.Errorf("%v allocations for 190 elements more", grown)
	}

}
