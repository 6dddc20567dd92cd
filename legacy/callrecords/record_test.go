package callrecords

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/comms/record"
	"switchboard/internal/house"
)

// A recording is shown by an address that anybody can open, under the address that the client used.
func TestRecordings(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.join("user@domain.com")
		w.add(c, theRecords...)
		found, err := w.records.AddSound(t.Context(), c.id, record.AddSound{Calling: "+33112233", Called: "+33999000111", StartedAt: begun,
			Within: time.Second, Data: strings.NewReader("RIFF")})
		if err != nil || !found {
			t.Fatal(found, err)
		}
		var rows []recordRow
		w.want(http.StatusOK, &rows, "GET", "/records", "", append([]string{"Host", "rec.over.ovh"}, c.read...)...)
		for i, row := range rows {
			if last := i == len(rows)-1; (row.Recording != nil) != last || last && !strings.HasPrefix(*row.Recording, "http://rec.over.ovh/records/"+row.ID+"/recording?") {
				t.Errorf("%+v", row)
			}
		}
	})
}

// The finest time that this API shows is a millisecond: whoever asks from one record to another by what was shown finds both.
func TestTimesThatWereShownFindTheirRecords(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	c := w.join("user@domain.com")
	w.put(c, record.NewRecord{ForeignID: "x", Calling: "+33112233", Called: "+33123456789", Dialed: "+33123456789", Direction: record.Incoming,
		StartedAt: begun.Add(789 * time.Microsecond), Duration: 1})
	var rows []recordRow
	w.want(http.StatusOK, &rows, "GET", "/records", "", c.read...)
	if len(rows) != 1 {
		t.Fatal(rows)
	}
	at := rows[0].CreationDatetime
	for query, want := range map[string]int{"from=" + at + "&to=" + at: 1, "to=2021-06-29T21:46:32.005Z": 0, "from=2021-06-29T21:46:32.007Z": 0,
		"from=2021-06-29T21:46:32.006789Z&to=2021-06-29T21:46:32.006789Z": 1, "to=2021-06-29T21:46:32.006788Z": 0} {
		if w.want(http.StatusOK, &rows, "GET", "/records?"+query, "", c.read...); len(rows) != want {
			t.Errorf("%s: %d records", query, len(rows))
		}
	}
}

// At most a thousand come at once, and all of them in parts.
func TestManyRecords(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	c := w.join("user@domain.com")
	var rows []record.NewRecord
	for i := range 1005 {
		rows = append(rows, record.NewRecord{ForeignID: fmt.Sprint(i), Calling: "+33112233", Called: "+33123456789", Dialed: "+33123456789",
			Direction: record.Incoming, StartedAt: begun, Duration: i})
	}
	w.put(c, rows...)
	for query, want := range map[string]int{"": 100, "?limit=1000": 1000, "?limit=5000": 1000, "?limit=5000&offset=1000": 5, "?offset=99999999999": 0} {
		var rows []recordRow
		got := w.do("GET", "/records"+query, "", c.read...)
		if w.want(http.StatusOK, &rows, "GET", "/records"+query, "", c.read...); len(rows) != want || got.Header.Get("X-Total-Count") != "1005" {
			t.Errorf("%q: %d records of %s", query, len(rows), got.Header.Get("X-Total-Count"))
		}
	}
}
