package messaging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/clock"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/legacy/messaging"
)

// world is a server of this API alone, over a real Service and a real database.
type world struct {
	*testing.T
	url   string
	svc   *comms.Service
	store *db.Store
	data  string // the folder of the content store
	drawn int
	log   *bytes.Buffer
}

func newWorld(t *testing.T, store *db.Store) *world {
	t.Helper()
	return newWorldOver(t, store, store)
}

// newWorldOver is a world whose Service sees the store through another.
func newWorldOver(t *testing.T, store *db.Store, seen comms.Store) *world {
	t.Helper()
	w := &world{T: t, store: store, data: t.TempDir(), log: &bytes.Buffer{}}
	contents, err := content.Open(content.Options{Data: w.data})
	if err != nil {
		t.Fatal(err)
	}
	w.svc, err = comms.New(comms.Options{Store: seen, Contents: contents, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	messaging.Mount(mux, w.svc, messaging.Options{Log: slog.New(slog.NewTextHandler(w.log, nil))})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func onBoth(t *testing.T, fn func(w *world)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newWorld(t, open(t))) })
}

// change writes past the rules: what this API has no call for.
func (w *world) change(fn func(ctx context.Context, tx *ent.Client) error) {
	w.Helper()
	if err := w.store.Change(w.Context(), fn, nil); err != nil {
		w.Fatal(err)
	}
}

// number is a new number of a new account.
func (w *world) number(alias string) *comms.Number {
	w.Helper()
	w.drawn++
	var n *comms.Number
	w.change(func(ctx context.Context, tx *ent.Client) error {
		a, err := tx.Account.Create().SetEmail(fmt.Sprintf("a%d@example.com", w.drawn)).SetPasswordHash("x").
			SetAPIKeyHash([]byte{byte(w.drawn)}).SetAPIKeySealed([]byte("x")).Save(ctx)
		if err != nil {
			return err
		}
		n, err = tx.Number.Create().SetAccountID(a.ID).SetNumber(fmt.Sprintf("+999%09d", 100000+w.drawn)).SetAlias(alias).Save(ctx)
		return err
	})
	return n
}

// owner is a context of the number's account.
func (w *world) owner(n *comms.Number) context.Context {
	return comms.WithActor(w.Context(), &comms.Actor{AccountID: n.AccountID, Scopes: 1<<16 - 1})
}

func (w *world) disable(n *comms.Number) {
	w.Helper()
	w.change(func(ctx context.Context, tx *ent.Client) error {
		return tx.Number.UpdateOneID(n.ID).SetDisabled(true).Exec(ctx)
	})
}

// arrived writes a message that came at that time.
func (w *world) arrived(from, to *comms.Number, at time.Time, text string) int64 {
	w.Helper()
	w.drawn++
	// Milliseconds since 2025, then 20 bits: the ids that comms draws, of which TakeMessages knows the order.
	id := (at.UnixMilli()-1735689600_000)<<20 + int64(w.drawn)
	w.change(func(ctx context.Context, tx *ent.Client) error {
		return tx.Message.Create().SetID(id).SetDataID(id).SetLength(int64(len(text))).SetText(text).SetCreatedAt(clock.From(at)).
			SetFromAccount(from.AccountID).SetFromNumberID(from.ID).SetFromNumber(from.Number).SetFromName(from.Alias).
			SetToAccount(to.AccountID).SetToNumberID(to.ID).SetToNumber(to.Number).Exec(ctx)
	})
	return id
}

// answer is any answer of this API.
type answer struct {
	Answer   int
	Error    string
	Msgid    string
	Msgids   []string
	Messages []message
	Numbers  []struct{ UUID, Number string }
	status   int
}

type message struct {
	Msgid, Caller, Callee, URI, Fname string
	CallerName                        string `json:"caller_name"`
	Length, Time                      int64
	Text                              *string
}

// post sends a head, and what is to follow it.
func (w *world) post(path, head, rest string) answer {
	w.Helper()
	res, err := http.Post(w.url+path, "application/octet-stream", strings.NewReader(head+rest))
	if err != nil {
		w.Fatal(err)
	}
	return w.read(res)
}

func (w *world) read(res *http.Response) answer {
	w.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); got != "application/json" {
		w.Errorf("Content-Type %q of %s", got, b)
	}
	out := answer{status: res.StatusCode}
	if err := json.Unmarshal(b, &out); err != nil {
		w.Fatalf("%v in %q", err, b)
	}
	return out
}

// fields writes a head. Keys and values alternate.
func fields(kv ...any) string {
	var b strings.Builder
	for i := 0; i < len(kv); i += 2 {
		v, err := json.Marshal(kv[i+1])
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, ",%q:%s", kv[i], v)
	}
	return "{" + b.String()[1:] + "}"
}

// send sends data, which must work.
func (w *world) send(from, to *comms.Number, data string, more ...any) string {
	w.Helper()
	kv := append([]any{"req", "send", "uuid", from.ID, "callee", to.Number, "length", len(data)}, more...)
	got := w.post("/message", fields(kv...), "\x00"+data)
	if got.Answer != 10000 || got.Msgid == "" {
		w.Fatalf("send: %+v", got)
	}
	return got.Msgid
}

// get takes the messages of some numbers, which must work.
func (w *world) get(numbers ...*comms.Number) []message {
	w.Helper()
	return w.getSince(nil, numbers...)
}

func (w *world) getSince(after *int64, numbers ...*comms.Number) []message {
	w.Helper()
	ids := make([]uuid.UUID, len(numbers))
	for i, n := range numbers {
		ids[i] = n.ID
	}
	kv := []any{"req", "get", "uuid", ids}
	if after != nil {
		kv = append(kv, "after", *after)
	}
	got := w.post("/message", fields(kv...), "")
	if got.Answer != 10000 {
		w.Fatalf("get: %+v", got)
	}
	return got.Messages
}

// file fetches data.
func (w *world) file(id uuid.UUID, uri string) *http.Response {
	w.Helper()
	res, err := http.Post(w.url+"/message", "", strings.NewReader(fields("req", "file", "uuid", id, "uri", uri)))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { res.Body.Close() })
	return res
}

// stored is how many messages there are, and how many objects in the content store.
func (w *world) stored() (messages, objects int) {
	w.Helper()
	messages, err := w.store.Read().Message.Query().Count(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	err = filepath.WalkDir(w.data, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			objects++
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return messages, objects
}

func (w *world) wantStored(messages, objects int) {
	w.Helper()
	if m, o := w.stored(); m != messages || o != objects {
		w.Errorf("%d messages and %d objects are stored, want %d and %d", m, o, messages, objects)
	}
}

// want compares an answer's number.
func (w *world) want(what string, got answer, number int) {
	w.Helper()
	if got.Answer != number || got.status != http.StatusOK {
		w.Errorf("%s: %d %+v, want %d", what, got.status, got, number)
	}
}

func decimal(id int64) string { return strconv.FormatInt(id, 10) }
