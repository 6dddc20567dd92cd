package messaging_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// raw is JSON that stands in a head as it is.
type raw string

func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// without is a good head with one field changed; nil takes the field out.
func without(good map[string]any, name string, v any) string {
	m := maps.Clone(good)
	m[name] = v
	var kv []any
	for k, v := range m {
		if v != nil {
			kv = append(kv, k, v)
		}
	}
	return fields(kv...)
}

func TestWhatHasNoForm(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		null, x := raw("null"), strings.Repeat
		texts := []any{nil, null, 1, true, []string{"x"}, map[string]any{}}
		lists := []any{nil, null, 1, "x", map[string]any{}, []any{1}, []any{nil}, []any{[]string{"x"}}}
		integers := []any{nil, null, "4", true, []int{4}, 4.5, raw("4e0"), raw("4.0"), -4, raw("-9223372036854775808")}
		lengths := func(least, most int) []any { return append([]any{"", x("я", least-1), x("я", most+1)}, texts...) }
		given := func(bad []any) []any { return slices.DeleteFunc(bad, func(v any) bool { return v == nil }) } // of what may be left out
		login := map[string]any{"req": "login", "appid": "ap", "build": "bu", "name": "na", "locale": "lo", "token": "tokentok", "uuid": []string{}}
		send := map[string]any{"req": "send", "uuid": a.ID, "callee": b.Number, "length": 4}
		sends := map[string]any{"req": "sends", "uuid": a.ID, "callees": []string{b.Number}, "length": 4}
		get := map[string]any{"req": "get", "uuid": []uuid.UUID{b.ID}}
		file := map[string]any{"req": "file", "uuid": b.ID, "uri": "1"}
		for _, c := range []struct {
			good map[string]any
			data string
			name string
			bad  []any
		}{
			{login, "", "req", append([]any{"", "Login", "logout", "login "}, texts...)},
			{login, "", "appid", lengths(2, 32)}, {login, "", "build", lengths(2, 16)}, {login, "", "name", lengths(2, 32)},
			{login, "", "locale", lengths(2, 6)}, {login, "", "token", lengths(8, 228)}, {login, "", "uuid", lists},
			{login, "", "name", []any{"a\u0000b", "a\nb"}},
			{send, "\x00data", "uuid", texts}, {send, "\x00data", "callee", append([]any{"", "x", "+", "12", "+1234567890123456", "0", "+3581234x67"}, texts...)},
			{send, "\x00data", "length", append([]any{3, 5, 0}, integers...)},
			{send, "\x00data", "caller_name", given(lengths(2, 32))},
			{send, "\x00data", "fname", given(lengths(2, 100))},
			{send, "\x00data", "fname", []any{"a\u0000b"}},
			{send, "data", "length", []any{4}}, {send, "", "length", []any{4, 0}}, {send, "\x00", "length", []any{4}}, {send, "\x00data!", "length", []any{4}},
			{send, "\x00\xff\xfe\xfd\xfc", "length", []any{4}}, {send, "\x00abc\xd1", "length", []any{4}},
			{sends, "\x00data", "callees", append([]any{[]string{}, []string{b.Number, "x"}, []string{""}}, lists...)},
			{sends, "\x00data", "length", append([]any{3, 5, 0}, integers...)}, {sends, "\x00data", "uuid", texts},
			{get, "", "uuid", append([]any{[]string{}}, lists...)}, {get, "", "after", []any{null, "4", true, []int{4}, 4.5, raw("4e0"), raw("4.0"), raw("1e3")}},
			{get, "\x00x", "uuid", []any{[]uuid.UUID{b.ID}}}, {get, "x", "uuid", []any{[]uuid.UUID{b.ID}}},
			{file, "", "uuid", texts}, {file, "", "uri", texts}, {file, "\x00x", "uri", []any{"1"}},
		} {
			for _, bad := range c.bad {
				head := without(c.good, c.name, bad)
				got := w.post("/message", head, c.data)
				w.want(head+c.data, got, 10002)
				if !strings.HasPrefix(got.Error, "format error — ") {
					t.Errorf("%s: the error reads %q", head, got.Error)
				}
			}
		}
		w.wantStored(0, 0)
	})
}

func TestTheBoundsOfTexts(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		for _, n := range [][6]int{{2, 2, 2, 2, 8}, {32, 16, 32, 6, 228}} {
			s := func(i int) string { return strings.Repeat("я", n[i]) }
			w.want(fmt.Sprint(n), w.post("/login", fields("req", "login", "appid", s(0), "build", s(1), "name", s(2), "locale", s(3), "token", s(4),
				"uuid", []uuid.UUID{a.ID}), ""), 10000)
		}
		for _, n := range [][2]int{{2, 2}, {32, 100}} {
			w.send(a, b, "x", "caller_name", strings.Repeat("я", n[0]), "fname", strings.Repeat("😀", n[1]))
		}
	})
}

func TestNumbersThatAreNone(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		w.send(a, b, "waiting")
		id := a.ID.String()
		w.want("upper case", w.post("/message", fields("req", "get", "uuid", []string{strings.ToUpper(id)}), ""), 10000)
		for _, no := range []string{"", "x", uuid.NewString(), uuid.Nil.String(), uuid.Max.String(), "urn:uuid:" + id, "{" + id + "}",
			strings.ReplaceAll(id, "-", ""), id + " ", id[:35], id[:35] + "g", strings.Replace(id, "-", "_", 1), a.Number} {
			w.want("send by "+no, w.post("/message", fields("req", "send", "uuid", no, "callee", b.Number, "length", 1), "\x00x"), 10004)
			w.want("sends by "+no, w.post("/message", fields("req", "sends", "uuid", no, "callees", []string{b.Number}, "length", 1), "\x00x"), 10004)
			w.want("a file sent by "+no, w.post("/message", fields("req", "send", "uuid", no, "callee", b.Number, "length", 1, "fname", "fn"), "\x00x"), 10004)
			w.want("get of "+no, w.post("/message", fields("req", "get", "uuid", []string{b.ID.String(), no}), ""), 10004)
			w.want("get since of "+no, w.post("/message", fields("req", "get", "after", 0, "uuid", []string{b.ID.String(), no}), ""), 10004)
		}
		w.wantStored(1, 0)
		if got := w.get(b); len(got) != 1 {
			t.Errorf("%+v: a get that was refused has delivered", got)
		}
	})
}

func TestReceiversThatCannotBeReached(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b, off, picky := w.number("Ann"), w.number(""), w.number(""), w.number("")
		w.disable(off)
		if _, err := w.svc.BlockNumber(w.owner(picky), comms.BlockNumber{Number: a.Number}); err != nil {
			t.Fatal(err)
		}
		for name, no := range map[string]string{"nobody": "+358401234567", "switched off": off.Number, "blocks": picky.Number} {
			for _, data := range []string{"x", strings.Repeat("x", 100_000)} {
				one := w.post("/message", fields("req", "send", "uuid", a.ID, "callee", no, "length", len(data)), "\x00"+data)
				many := w.post("/message", fields("req", "sends", "uuid", a.ID, "callees", []string{b.Number, no}, "length", len(data)), "\x00"+data)
				w.want(name, one, 10011)
				w.want(name+" among others", many, 10011)
				// Who is blocked can't tell it from a number that isn't there.
				if one.Error != "callee number not in use" || many.Error != one.Error {
					t.Errorf("%s: %q, %q", name, one.Error, many.Error)
				}
			}
		}
		w.want("a sender that is switched off", w.post("/message", fields("req", "send", "uuid", off.ID, "callee", b.Number, "length", 1), "\x00x"), 10010)
		w.wantStored(0, 0)
		if got := w.get(picky); len(got) != 0 {
			t.Errorf("who blocks sees %+v", got)
		}
		w.send(picky, a, "the block is of one direction")
	})
}

// With several faults at once the form comes first, then the UUID, then the callee.
func TestTheOrderOfFaults(t *testing.T) {
	onBoth(t, func(w *world) {
		a, unknown := w.number("Ann"), "+358401234567"
		for _, c := range []struct {
			uuid, callee string
			length       any
			want         int
		}{
			{"no uuid", "no number", 1, 10002},
			{uuid.NewString(), "no number", 1, 10002},
			{"no uuid", unknown, 2, 10002},
			{"no uuid", unknown, "1", 10002},
			{"no uuid", unknown, 1, 10004},
			{uuid.NewString(), unknown, 1, 10004},
			{a.ID.String(), unknown, 0, 10002},
			{a.ID.String(), unknown, 1, 10011},
		} {
			got := w.post("/message", fields("req", "send", "uuid", c.uuid, "callee", c.callee, "length", c.length), "\x00x")
			w.want(fmt.Sprint(c), got, c.want)
		}
		w.want("login", w.post("/login", fields("req", "login", "appid", "a", "build", "bu", "name", "na", "locale", "lo", "token", "tokentok",
			"uuid", []string{"x"}), ""), 10002)
	})
}

// troubled is a store that does not get its changes done.
type troubled struct {
	comms.Store
	err error
}

func (s troubled) Change(context.Context, func(context.Context, *ent.Client) error, func()) error {
	return s.err
}

type busy struct{ error }

func (busy) Temporary() bool { return true }

func TestATroubledServer(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		for err, want := range map[error]int{
			busy{errors.New("secret detail")}:                         10009,
			&comms.Error{Code: comms.Unavailable, Text: "shed"}:       10009,
			&comms.Error{Code: comms.Limited, Text: "secret detail"}:  10009,
			errors.New("secret detail"):                               10001,
			&comms.Error{Code: comms.Internal, Text: "secret detail"}: 10001,
		} {
			store := open(t)
			w := newWorldOver(t, store, troubled{store, err})
			a, b := w.number("Ann"), w.number("")
			for _, got := range []answer{
				w.post("/message", fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", 5), "\x00hello"),
				w.login("a-push-token", a),
			} {
				w.want(err.Error(), got, want)
				if got.Error != "server busy, try again" && got.Error != "server error" {
					t.Errorf("%v: the client reads %q", err, got.Error)
				}
			}
			log := w.log.String()
			if (want == 10001) != strings.Contains(log, "level=ERROR") {
				t.Errorf("%v: the log is %q", err, log)
			}
			for _, secret := range []string{a.ID.String(), a.Number, b.Number, "hello", "a-push-token"} {
				if strings.Contains(log, secret) {
					t.Errorf("%q is in the log: %s", secret, log)
				}
			}
		}
	})
}

// A server whose changes queue up turns away what it can't take on, and keeps what it took.
func TestAServerThatShedsLoad(t *testing.T) {
	store, err := db.Open(t.Context(), db.Options{Data: t.TempDir(), MaxQueue: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w := newWorld(t, store)
	a, b := w.number("Ann"), w.number("")
	busy, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- store.Change(t.Context(), func(context.Context, *ent.Client) error {
			close(busy)
			<-release
			return nil
		}, nil)
	}()
	<-busy
	answers := make(chan answer)
	for range 4 {
		go func() {
			answers <- w.post("/message", fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", 1), "\x00x")
		}()
	}
	for range 3 {
		if got := <-answers; got.Answer != 10009 || got.Error != "server busy, try again" {
			t.Errorf("%+v", got)
		}
	}
	close(release)
	w.want("the one that waited", <-answers, 10000)
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.wantStored(1, 0)
}
