package record

import (
	"errors"
	"io"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// sound adds a recording to alice's records.
func (o *office) sound(in AddSound) bool {
	o.Helper()
	found, err := o.records.AddSound(o.Context(), o.aliceID, in)
	if err != nil {
		o.Fatal(err)
	}
	return found
}

// A recording belongs to the record with the same start and numbers, and no other.
func TestARecordingFindsItsCall(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		at := func(s int) clock.Micros { return day.Add(time.Duration(s) * time.Second) }
		o.add(o.aliceID,
			NewRecord{ForeignID: "1", Calling: "0033600000001", Called: desk, Direction: Incoming, StartedAt: at(0)},
			NewRecord{ForeignID: "2", Calling: "0033600000001", Called: desk, Direction: Incoming, StartedAt: at(3)},
			NewRecord{ForeignID: "3", Calling: "0033600000002", Called: "3008", Dialed: desk, Direction: Incoming, StartedAt: at(0)})
		in := func(calling string, s int, data string) AddSound {
			return AddSound{Calling: calling, Called: "0033972000001", StartedAt: at(s), Within: 2 * time.Second, Data: strings.NewReader(data)}
		}
		for _, c := range []struct {
			in    AddSound
			found bool
		}{
			{in("+33600000001", 2, "RIFF second"), true}, // nearer to the second
			{in("+33600000001", 2, "RIFF again"), true},  // which has one
			{in("+33600000002", 1, "RIFF third"), true},
			{in("+33600000003", 0, "RIFF nobody's"), false},
			{in("+33600000001", 9, "RIFF too late"), false},
		} {
			if found := o.sound(c.in); found != c.found {
				o.Errorf("%+v: %v", c.in, found)
			}
		}
		rows, err := o.records.RecordsAt(o.alice, Search{}, 10, 0)
		if err != nil {
			o.Fatal(err)
		}
		want := map[string]string{"1": "", "2": "RIFF second", "3": "RIFF third"}
		for _, r := range rows {
			if got := o.heard(r.Recording); got != want[*r.ForeignID] {
				o.Errorf("the recording of %s is %q", *r.ForeignID, got)
			}
		}
	})
}

// heard is what a link leads to.
func (o *office) heard(link string) string {
	o.Helper()
	if link == "" {
		return ""
	}
	d, err := o.openSound(link)
	if err != nil {
		o.Fatal(err)
	}
	defer d.Reader.Close()
	text, err := io.ReadAll(d.Reader)
	if err != nil || int64(len(text)) != d.Size {
		o.Fatal(len(text), d.Size, err)
	}
	return string(text)
}

func (o *office) openSound(link string) (*comms.Data, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, err
	}
	id := strings.TrimSuffix(strings.TrimPrefix(u.Path, "/records/"), "/recording")
	return o.records.OpenSoundLink(o.Context(), id, u.Query())
}

func TestALinkThatIsNotGood(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.add(o.aliceID, NewRecord{ForeignID: "1", Calling: "1", Called: desk, Direction: Incoming, StartedAt: day},
			NewRecord{ForeignID: "2", Calling: "2", Called: desk, Direction: Incoming, StartedAt: day})
		o.sound(AddSound{Calling: "1", Called: desk, StartedAt: day, Data: strings.NewReader("one")})
		o.sound(AddSound{Calling: "2", Called: desk, StartedAt: day, Data: strings.NewReader("two")})
		rows, err := o.records.RecordsAt(o.alice, Search{}, 2, 0)
		if err != nil {
			o.Fatal(err)
		}
		one, two, _ := strings.Cut(rows[0].Recording, "?")
		other, _, _ := strings.Cut(rows[1].Recording, "?")
		for name, link := range map[string]string{"another's signature": other + "?" + two, "a later end": strings.Replace(one+"?"+two, "expires=", "expires=1", 1),
			"nothing signed": one, "no number": "/records/x/recording?" + two, "no record": "/records/999/recording?" + two} {
			if _, err := o.openSound(link); !comms.IsCode(err, comms.NotFound) {
				o.Errorf("%s: %v", name, err)
			}
		}
		old := New(o.svc, Options{Contents: o.contents, LinkTTL: -time.Hour})
		rows, err = old.RecordsAt(o.alice, Search{}, 1, 0)
		if err != nil {
			o.Fatal(err)
		}
		if _, err := o.openSound(rows[0].Recording); comms.AsError(err).Reason != comms.ReasonLinkExpired {
			o.Errorf("an old one: %v", err)
		}
	})
}

// endless never ends.
type endless struct{ err error }

func (e endless) Read(p []byte) (int, error) { return len(p), e.err }

func TestARecordingThatDoesNotCome(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.add(o.aliceID, NewRecord{ForeignID: "1", Calling: "1", Called: desk, Direction: Incoming, StartedAt: day})
		broken := errors.New("broken")
		if _, err := o.records.AddSound(o.Context(), o.aliceID, AddSound{Calling: "1", Called: desk, StartedAt: day, Data: endless{broken}}); !errors.Is(err, broken) {
			t.Error(err)
		}
		rows, err := o.records.RecordsAt(o.alice, Search{}, 1, 0)
		if err != nil || len(rows) != 1 || rows[0].Recording != "" {
			t.Error(rows, err)
		}
	})
}

// A link carries the whole search and whose it is, and holds for nothing else.
func TestLinksOfACSV(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		for name, q := range filters() {
			path, expires, err := o.records.CSVLink(o.alice, q)
			if err != nil || expires <= clock.Now() {
				t.Fatal(name, expires, err)
			}
			u, err := url.Parse(path)
			if err != nil || u.Path != "/records.csv" {
				t.Fatal(path, err)
			}
			ctx, got, err := o.records.OpenCSVLink(o.Context(), u.Query())
			if err != nil {
				t.Fatal(name, err)
			}
			if a := comms.ActorOf(ctx); a.AccountID != o.aliceID || a.Scopes != comms.ReadRecords || !reflect.DeepEqual(got, q) {
				t.Errorf("%s: %+v for %+v", name, got, a)
			}
			for _, change := range []string{"number=%2B33600000009", "account=" + o.robins.String(), "direction=OUT", "x=1"} {
				forged, err := url.ParseQuery(change + "&" + u.RawQuery)
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := o.records.OpenCSVLink(o.Context(), forged); !comms.IsCode(err, comms.NotFound) {
					t.Errorf("%s with %s: %v", name, change, err)
				}
			}
		}
		old := New(o.svc, Options{LinkTTL: -time.Hour})
		path, _, err := old.CSVLink(o.alice, Search{})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := o.records.OpenCSVLink(o.Context(), u.Query()); comms.AsError(err).Reason != comms.ReasonLinkExpired {
			t.Errorf("an old one: %v", err)
		}
	})
}

func TestTheWordsOfASearch(t *testing.T) {
	at := func(text string) *clock.Micros {
		v, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return new(clock.From(v))
	}
	for text, want := range map[string]Search{
		"":                                   {},
		"number=0033112233&number=%2B331122": {Numbers: []string{"0033112233", "+331122"}},
		"number=1&not=1":                     {Numbers: []string{"1"}, Not: true},
		"not=0":                              {},
		"durationmin=600&direction=IN":       {MinDuration: new(600), Direction: Incoming},
		"durationmax=0&direction=out":        {MaxDuration: new(0), Direction: Outgoing},
		"from=2026-01-02T03:04:05Z":          {From: at("2026-01-02T03:04:05Z")},
		"from=2026-01-02T03:04:05.678Z":      {From: at("2026-01-02T03:04:05.678Z")},
		"from=2026-01-02T03:04:05%2B02:00":   {From: at("2026-01-02T01:04:05Z")},
		"from=2026-01-02T03:04:05+02:00":     {From: at("2026-01-02T01:04:05Z")},
		"from=2026-01-02T03:04:05":           {From: at("2026-01-02T03:04:05Z")},
		"from=20260102T030405Z":              {From: at("2026-01-02T03:04:05Z")},
		"to=2026-01-02T03:04:05.678Z":        {To: at("2026-01-02T03:04:05.678999Z")}, // as the list shows what began within it
		"to=2026-01-02T03:04:05Z":            {To: at("2026-01-02T03:04:05.000999Z")},
		"to=2026-01-02T03:04:05.678912Z":     {To: at("2026-01-02T03:04:05.678912Z")},
		(Search{To: at("2026-01-02T03:04:05.678Z")}).Query().Encode(): {To: at("2026-01-02T03:04:05.678Z")},
		"from=2026-01-02&to=2026-01-02":                               {From: at("2026-01-02T00:00:00Z"), To: at("2026-01-02T23:59:59.999999Z")},
	} {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := SearchOf(v); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"not=perhaps", "direction=UP", "durationmin=", "durationmin=ten", "durationmin=-1", "durationmin=1.5", "durationmax=99999999999999999999",
		"from=", "from=yesterday", "from=2026-13-01", "to=1750000000"} {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := SearchOf(v); !comms.IsCode(err, comms.Invalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
