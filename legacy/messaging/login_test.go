package messaging_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
)

func (w *world) login(token string, numbers ...*comms.Number) answer {
	w.Helper()
	ids := make([]uuid.UUID, 0, len(numbers))
	for _, n := range numbers {
		ids = append(ids, n.ID)
	}
	return w.post("/login", fields("req", "login", "appid", "org.example", "build", "1.0", "name", "Ann's phone", "locale", "zh_CN",
		"token", token, "uuid", ids), "")
}

// devices is the name of each number's device, in order; "" where it has none. How many devices there are follows.
func (w *world) devices(numbers ...*comms.Number) (ids []uuid.UUID, all int) {
	w.Helper()
	for _, n := range numbers {
		row, err := w.store.Read().Number.Get(w.Context(), n.ID)
		if err != nil {
			w.Fatal(err)
		}
		id := uuid.Nil
		if row.DeviceID != nil {
			id = *row.DeviceID
		}
		ids = append(ids, id)
	}
	all, err := w.store.Read().Device.Query().Count(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return ids, all
}

func TestLoginBindsNumbersToADevice(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b, c := w.number("Ann"), w.number("Bob"), w.number("")
		got := w.login("first-token", b, a, b)
		w.want("two numbers, one twice", got, 10000)
		if len(got.Numbers) != 2 || got.Numbers[0].UUID != b.ID.String() || got.Numbers[0].Number != b.Number || got.Numbers[1].UUID != a.ID.String() {
			t.Errorf("bound: %+v, want b and a", got.Numbers)
		}
		first, n := w.devices(a, b, c)
		if n != 1 || first[0] == uuid.Nil || first[0] != first[1] || first[2] != uuid.Nil {
			t.Fatalf("devices %v of %d", first, n)
		}

		w.want("the same token again", w.login("first-token", a, c), 10000)
		if got, n := w.devices(a, b, c); n != 1 || got[0] != first[0] || got[1] != uuid.Nil || got[2] != first[0] {
			t.Errorf("devices %v of %d: what the token was bound to must be cleared", got, n)
		}

		w.want("another device", w.login("second-token", c), 10000)
		got2, n := w.devices(a, b, c)
		if n != 2 || got2[0] != first[0] || got2[2] == first[0] || got2[2] == uuid.Nil {
			t.Errorf("devices %v of %d: an earlier device must be replaced", got2, n)
		}

		unknown := &comms.Number{ID: uuid.New()}
		w.want("an unknown number", w.login("second-token", b, unknown), 10004)
		w.want("an unknown number of a new device", w.login("third-token", unknown), 10004)
		if got, n := w.devices(a, b, c); n != 2 || got[1] != uuid.Nil || got[2] != got2[2] {
			t.Errorf("devices %v of %d: a refused login must change nothing", got, n)
		}

		got = w.login("first-token")
		w.want("no numbers", got, 10000)
		if got.Numbers == nil || len(got.Numbers) != 0 {
			t.Errorf("bound: %v, want an empty list", got.Numbers)
		}
		if got, n := w.devices(a, b, c); n != 1 || got[0] != uuid.Nil || got[2] != got2[2] {
			t.Errorf("devices %v of %d: no numbers must clear this token and no other", got, n)
		}
		w.want("no numbers of a new device", w.login("fourth-token"), 10000)
		if _, n := w.devices(); n != 1 {
			t.Errorf("%d devices: a token that nothing is bound to must not be kept", n)
		}
	})
}

func TestPushTokensAreSealed(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.number("Ann")
		token := "a-token-that-nobody-may-read"
		w.want("login", w.login(token, a), 10000)
		d, err := w.store.Read().Device.Query().Only(w.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d.AppID != "org.example" || d.Build != "1.0" || d.Name != "Ann's phone" || d.Locale != "zh_CN" {
			t.Errorf("%v", d)
		}
		if len(d.TokenHash) == 0 || len(d.TokenSealed) <= len(token) || bytes.Contains(d.TokenHash, []byte("token")) ||
			bytes.Contains(d.TokenSealed, []byte("token")) {
			t.Errorf("the token is stored as %q, found by %q", d.TokenSealed, d.TokenHash)
		}
	})
}

// However logins fall together, each number ends at one device that is there, and no device is left without a number.
func TestLoginsAtOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		numbers := []*comms.Number{w.number(""), w.number(""), w.number("")}
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				token := "token-" + strings.Repeat("x", 2+i%4)
				for j := range 5 {
					got := w.login(token, numbers[(i+j)%3], numbers[(i+j+1)%3])
					w.want(token, got, 10000)
				}
			})
		}
		wg.Wait()
		w.want("the last", w.login("the-last-token", numbers[0]), 10000)
		ids, all := w.devices(numbers...)
		left := map[uuid.UUID]bool{}
		for _, id := range ids {
			if id != uuid.Nil {
				left[id] = true
			}
		}
		if all != len(left) || ids[0] == uuid.Nil {
			t.Errorf("%d devices, and the numbers are bound to %v", all, ids)
		}
	})
}
