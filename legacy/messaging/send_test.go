package messaging_test

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
)

func TestSendAndGet(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		start := time.Now().Unix()
		for _, c := range []struct {
			data, fname string
			name        string // caller_name, if not the alias
			text        bool
		}{
			{data: "hello", text: true},
			{data: "", text: true},
			{data: "grüß dich 👋 \"<\\\x00\n", text: true, name: "Änne"},
			{data: strings.Repeat("я", 2048), text: true},
			{data: strings.Repeat("я", 2048) + "!"},
			{data: strings.Repeat("long ", 50_000), name: strings.Repeat("я", 32)},
			{data: "\xff\xfe\x00", fname: "a.bin"},
			{data: "", fname: strings.Repeat("ü", 100)},
			{data: strings.Repeat("\xff", 200_000), fname: "../<b>\"\\.jpg"},
		} {
			var more []any
			want := message{Caller: a.Number, Callee: b.Number, CallerName: "Ann", Fname: c.fname, Length: int64(len(c.data))}
			if c.fname != "" {
				more = append(more, "fname", c.fname)
			}
			if c.name != "" {
				more = append(more, "caller_name", c.name)
				want.CallerName = c.name
			}
			want.Msgid = w.send(a, b, c.data, more...)
			got := w.get(b)
			if len(got) != 1 {
				t.Fatalf("%.20q: %d messages", c.data, len(got))
			}
			m := got[0]
			if m.Time < start || m.Time > time.Now().Unix() {
				t.Errorf("%.20q came at %d", c.data, m.Time)
			}
			if (m.Text != nil) != c.text || c.text && *m.Text != c.data {
				t.Errorf("%.20q is the text %v", c.data, m.Text)
			}
			for side, n := range map[string]*comms.Number{"sender": a, "receiver": b} {
				res := w.file(n.ID, m.URI)
				data, err := io.ReadAll(res.Body)
				if err != nil || string(data) != c.data || res.ContentLength != int64(len(c.data)) {
					t.Errorf("%.20q: the %s's file is %d bytes (%d) %.20q, %v", c.data, side, len(data), res.ContentLength, data, err)
				}
			}
			want.URI, want.Time, want.Text, m.Text = m.URI, m.Time, nil, nil
			if m != want {
				t.Errorf("%.20q: %+v, want %+v", c.data, m, want)
			}
		}
		if got := w.get(b); len(got) != 0 {
			t.Errorf("they come again: %v", got)
		}
	})
}

func TestSendsStoresOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.number("Ann")
		var callees []string
		var to []*comms.Number
		for range 40 {
			n := w.number("")
			to, callees = append(to, n), append(callees, n.Number)
		}
		to, callees = append(to, to[0]), append(callees, callees[0]) // one callee twice: a message each time
		data := strings.Repeat("data ", 50_000)
		got := w.post("/login", fields("req", "sends", "uuid", a.ID, "callees", callees, "length", len(data), "fname", "d.txt"), "\x00"+data)
		if got.Answer != 10000 || len(got.Msgids) != len(to) {
			t.Fatalf("%+v", got)
		}
		w.wantStored(len(to), 1)
		uris := map[string]bool{}
		first := w.get(to[0])
		if len(first) != 2 || first[0].Msgid != got.Msgids[0] || first[1].Msgid != got.Msgids[40] {
			t.Errorf("the callee named twice gets %+v, want %s and %s", first, got.Msgids[0], got.Msgids[40])
		}
		for i, n := range to[1:40] {
			m := w.get(n)
			if len(m) != 1 || m[0].Msgid != got.Msgids[i+1] || m[0].Callee != callees[i+1] {
				t.Fatalf("callee %d gets %+v, want %s", i+1, m, got.Msgids[i+1])
			}
			uris[m[0].URI] = true
		}
		if uris[first[0].URI] = true; len(uris) != 1 {
			t.Errorf("the receivers see the uris %v, want one", uris)
		}
		w.send(a, to[0], data, "fname", "again.txt")
		w.wantStored(len(to)+1, 1)
	})
}

func TestCalleesAreWrittenInManyWays(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		digits := b.Number[1:]
		for _, callee := range []string{b.Number, digits, "+" + digits[:3] + " " + digits[3:6] + "-" + digits[6:], digits[:3] + "-" + digits[3:]} {
			got := w.post("/message", fields("req", "send", "uuid", a.ID, "callee", callee, "length", 1), "\x00x")
			w.want(callee, got, 10000)
			if m := w.get(b); len(m) != 1 || m[0].Callee != b.Number {
				t.Errorf("%q: %+v", callee, m)
			}
		}
	})
}

// A `get` by many devices at once gives each unread message to exactly one.
func TestConcurrentGetsGiveEachMessageOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b, c := w.number("Ann"), w.number(""), w.number("")
		const each = 60
		for range each {
			w.send(a, b, "x")
			w.send(a, c, "y")
		}
		var mu sync.Mutex
		times := map[string]int{}
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				numbers := [][]*comms.Number{{b}, {c}, {b, c}, {c, b}}[i%4]
				for range 4 {
					for _, m := range w.get(numbers...) {
						mu.Lock()
						times[m.Msgid]++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		if len(times) != 2*each {
			t.Errorf("%d messages came, want %d", len(times), 2*each)
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("message %s came %d times", id, n)
			}
		}
	})
}

func TestWhatIsSentWhileOthersGetComesOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		const senders, each = 4, 15
		var mu sync.Mutex
		sent, came := map[string]bool{}, map[string]int{}
		take := func() {
			for _, m := range w.get(b) {
				mu.Lock()
				came[m.Msgid]++
				mu.Unlock()
			}
		}
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				for range each {
					id := w.send(a, b, "x")
					mu.Lock()
					sent[id] = true
					mu.Unlock()
				}
			})
			wg.Go(func() {
				for range each {
					take()
				}
			})
		}
		wg.Wait()
		take()
		if len(sent) != senders*each || len(came) != len(sent) {
			t.Errorf("%d were sent and %d came", len(sent), len(came))
		}
		for id, n := range came {
			if n != 1 || !sent[id] {
				t.Errorf("message %s came %d times; sent: %v", id, n, sent[id])
			}
		}
	})
}

func TestAfter(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b, c := w.number("Ann"), w.number(""), w.number("")
		now := time.Now()
		ago := func(d time.Duration) time.Time { return now.Add(-d).Truncate(time.Second) }
		tooOld := w.arrived(a, b, ago(25*time.Hour), "too old")
		ids := []string{
			decimal(w.arrived(a, b, ago(23*time.Hour), "yesterday")),
			decimal(w.arrived(a, b, ago(time.Hour), "an hour ago")),
			decimal(w.arrived(a, b, ago(time.Minute), "a minute ago")),
		}
		w.arrived(a, c, ago(time.Minute), "somebody else's")
		since := func(name string, after int64, want ...string) {
			t.Helper()
			var got []string
			for _, m := range w.getSince(&after, b) {
				got = append(got, m.Msgid)
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		since("the future", now.Unix()+1000)
		since("as far as an int64 goes", 1<<63-1)
		since("inclusive", ago(time.Minute).Unix(), ids[2])
		since("a second later", ago(time.Minute).Unix()+1)
		if got := w.get(b); len(got) != 3 || got[0].Msgid != decimal(tooOld) || got[2].Msgid != ids[1] {
			t.Errorf("unread is %+v: reading with after did not deliver, or delivered too much", got)
		}
		since("again", ago(time.Hour).Unix(), ids[1:]...)
		since("a week counts as a day", ago(7*24*time.Hour).Unix(), ids...)
		since("before there was time", -1<<63, ids...)
		since("0", 0, ids...)
		if got := w.get(b); len(got) != 0 {
			t.Errorf("unread is %+v, want nothing", got)
		}
	})
}

func TestAMessageOutlivesItsSender(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.number("Ann"), w.number("")
		long := strings.Repeat("long ", 2000)
		want := []string{w.send(a, b, "short"), w.send(a, b, long)}
		if _, err := w.svc.DeleteNumber(w.owner(a), a.ID); err != nil {
			t.Fatal(err)
		}
		got := w.get(b)
		if len(got) != 2 || got[0].Msgid != want[0] || got[1].Msgid != want[1] || got[0].Caller != a.Number || got[0].CallerName != "Ann" {
			t.Fatalf("%+v", got)
		}
		if data, err := io.ReadAll(w.file(b.ID, got[1].URI).Body); err != nil || string(data) != long {
			t.Errorf("%d bytes, %v", len(data), err)
		}
		w.want("its own file", w.read(w.file(a.ID, got[1].URI)), 10004)
		w.want("another message", w.post("/message", fields("req", "send", "uuid", a.ID, "callee", b.Number, "length", 0), "\x00"), 10004)
	})
}

func TestFile(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b, c := w.number("Ann"), w.number(""), w.number("")
		w.send(a, b, "\x01\x02", "fname", "x.bin")
		uri := w.get(b)[0].URI
		res := w.file(b.ID, uri)
		for name, want := range map[string]string{"Content-Type": "application/octet-stream", "Content-Disposition": "attachment",
			"X-Content-Type-Options": "nosniff", "Content-Length": "2"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		for name, c := range map[string]struct {
			id   uuid.UUID
			uri  string
			want int
		}{
			"a stranger":             {c.ID, uri, 10013},
			"no such data":           {b.ID, "1", 10013},
			"no number at all":       {b.ID, "missed.call", 10013},
			"too large":              {b.ID, "9223372036854775807", 10013},
			"larger than an int64":   {b.ID, "9223372036854775808", 10013},
			"written otherwise":      {b.ID, "+" + uri, 10013},
			"nothing":                {b.ID, "", 10013},
			"an unknown UUID":        {uuid.New(), uri, 10004},
			"both":                   {uuid.New(), "x", 10004},
			"the UUID of no version": {uuid.Max, uri, 10004},
		} {
			w.want(name, w.read(w.file(c.id, c.uri)), c.want)
		}
	})
}
