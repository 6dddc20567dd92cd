package carrier_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/ent"
	"switchboard/ent/callrecord"
	"switchboard/providers/ovh/ovhtest"
)

// queue gives a customer a queue with recordings.
func (o *office) queue(customer, name string, records map[int64]ovhtest.Record) {
	o.ovh.Change(func() {
		o.ovh.Customer(customer).Accounts["nr7-ovh-1"].EasyHunting = map[string]map[int64]ovhtest.Record{name: records}
	})
}

// sound is the recording of a call as it is stored.
func (o *office) sound(foreign string) string {
	o.Helper()
	row, err := o.store.Read().CallRecord.Query().Where(callrecord.ForeignID(foreign)).Only(o.Context())
	o.must(err)
	if row.Sound == "" {
		return ""
	}
	data, err := o.contents.Open(o.Context(), row.Sound)
	o.must(err)
	text, err := io.ReadAll(data)
	o.must(errors.Join(err, data.Close()))
	if row.SoundSize != int64(len(text)) {
		o.Errorf("%d bytes, and the record says %d", len(text), row.SoundSize)
	}
	return string(text)
}

// A recording goes to the call with the same start and numbers, once.
func TestSounds(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		calls := o.calls("aa1-ovh", desk, 4)
		start := func(id int64) time.Time { return calls[id].CreationDatetime }
		record := func(id int64, at time.Time, caller, called, agent, file string) ovhtest.Record {
			return ovhtest.Record{ID: id, CallStart: at, CallerIDNumber: caller, DestinationNumber: called, Agent: agent, FileURL: file}
		}
		o.queue("aa1-ovh", desk, map[int64]ovhtest.Record{
			1: record(1, start(1000), "+33612345678", desk, "", o.ovh.File("one", []byte("RIFF one"))),
			2: record(2, start(1001).Add(2*time.Second), "0033612345678", "", "0033972000077", o.ovh.File("two", []byte("RIFF two"))),
			3: record(3, start(1002), "0033700000000", desk, "", o.ovh.File("stranger", []byte("RIFF stranger"))),
			4: record(4, start(1002).Add(-time.Minute), "0033612345678", desk, "", o.ovh.File("early", []byte("RIFF early"))),
			5: record(5, start(1003), "0033612345678", desk, "", "file:///etc/passwd"),
			6: record(6, time.Now().Add(-200*24*time.Hour), "0033612345678", desk, "", o.ovh.File("old", []byte("RIFF old"))),
		})
		o.link(o.alice, "aa1-ovh")
		o.must(o.importNow(o.links))
		for foreign, want := range map[string]string{"1000": "RIFF one", "1001": "RIFF two", "1002": "", "1003": ""} {
			if got := o.sound("ovh:" + desk + "/" + foreign); got != want {
				o.Errorf("call %s has %q, not %q", foreign, got, want)
			}
		}
		if n := o.ovh.Asked("/files/"); n != 2 {
			o.Errorf("%d files were fetched", n)
		}
		asked := o.ovh.Asked("/records/")
		o.must(o.importNow(o.links))
		if o.ovh.Asked("/files/") != 2 || o.ovh.Asked("/records/") != asked {
			o.Error("recordings were asked for again at once")
		}
	})
}

// A file that can't be fetched is fetched later, and the import is none the worse for it.
func TestSoundsThatFail(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		calls := o.calls("aa1-ovh", desk, 1)
		o.queue("aa1-ovh", desk, map[int64]ovhtest.Record{1: {ID: 1, CallStart: calls[1000].CreationDatetime, CallerIDNumber: "0033612345678", DestinationNumber: desk,
			FileURL: o.ovh.File("one", []byte("RIFF one"))}})
		breaks := []http.HandlerFunc{says(404, "gone"), says(500, ""), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("RIFF"))
		}, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "ftp://127.0.0.1/one", http.StatusFound)
		},
			func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }}
		link := o.link(o.alice, "aa1-ovh")
		for tries, fails := range breaks {
			o.ovh.Break(at("/files/one", fails))
			o.must(o.importNow(o.links))
			row := o.store.Read().ImportSound.Query().OnlyX(o.Context())
			if row.Done || row.Tries != tries+1 || time.Until(row.NextAt.Time()) < time.Hour<<tries-time.Minute {
				o.Errorf("after %d: %+v", tries+1, row)
			}
			o.dueNow(row)
		}
		if o.sound("ovh:"+desk+"/1000") != "" || o.reread(link).Problem != "" {
			o.Error("half a recording was stored, or the import failed by it")
		}
		o.ovh.Break(nil)
		o.must(o.importNow(o.links))
		if got := o.sound("ovh:" + desk + "/1000"); got != "RIFF one" {
			o.Errorf("the call has %q", got)
		}
		if row := o.store.Read().ImportSound.Query().OnlyX(o.Context()); !row.Done {
			o.Error("it is to be fetched again")
		}
	})
}

// A call that is known later than its recording, and one that never is.
func TestSoundsBeforeTheirCalls(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 0)
		when := time.Now().Add(-time.Hour).Truncate(time.Second)
		o.queue("aa1-ovh", desk, map[int64]ovhtest.Record{1: {ID: 1, CallStart: when, CallerIDNumber: "0033612345678", DestinationNumber: desk,
			FileURL: o.ovh.File("one", []byte("RIFF one"))}})
		o.link(o.alice, "aa1-ovh")
		for tries := 1; tries <= 8; tries++ {
			o.must(o.importNow(o.links))
			row := o.store.Read().ImportSound.Query().OnlyX(o.Context())
			if row.Done != (tries == 8) || row.Tries != tries {
				o.Fatalf("after %d: %+v", tries, row)
			}
			if tries == 5 {
				o.calls("rr2-ovh", shop, 1) // somebody else's call changes nothing
			}
			o.dueNow(row)
		}
		if o.ovh.Asked("/files/") != 0 {
			o.Error("a file was fetched for no call")
		}
	})
}

// dueNow makes a recording due.
func (o *office) dueNow(row *ent.ImportSound) {
	o.Helper()
	o.must(o.store.Change(o.Context(), func(ctx context.Context, tx *ent.Client) error {
		return tx.ImportSound.UpdateOneID(row.ID).SetNextAt(1).Exec(ctx)
	}, nil))
}

// Of all that is logged nothing names a telephone number or a key.
func TestWhatIsLogged(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		calls := o.calls("aa1-ovh", desk, 3)
		calls[1000] = ovhtest.Consumption{Raw: `{"called":"0033612345678"}`}
		o.serve("aa1-ovh", desk, calls)
		o.queue("aa1-ovh", desk, map[int64]ovhtest.Record{1: {ID: 1, CallStart: calls[1001].CreationDatetime, CallerIDNumber: "0033612345678", DestinationNumber: desk,
			FileURL: o.ovh.File("secret-file", nil) + "?signature=hush"}, 2: {ID: 2}})
		page, check := o.ask(o.alice)
		key := o.ovh.Credential(page).Key
		o.ovh.Consent(page, "aa1-ovh")
		_, err := o.links.CheckCarrier(o.Context(), check)
		o.must(err)
		for _, breaks := range []func(http.ResponseWriter, *http.Request) bool{at("/files/secret-file", says(404, "")), at("/voiceConsumption", hangUp),
			at("/1001", refuses(404, "NOT_FOUND", "The requested object (serviceName = 0033972000001) does not exist")), at("/1002", refuses(400, "X", "0033972000001"))} {
			o.ovh.Break(breaks)
			if err := o.importNow(o.links); err != nil && strings.Contains(err.Error(), "972000001") {
				o.Errorf("an error names a number: %v", err)
			}
		}
		for _, secret := range []string{"972000001", "612345678", key, check, "hush", "secret-file", ovhtest.ApplicationSecret} {
			if strings.Contains(o.log.String(), secret) {
				o.Errorf("%s is logged:\n%s", secret, o.log)
			}
		}
		if !strings.Contains(o.log.String(), "left out") {
			o.Error("nothing was logged")
		}
	})
}

func hangUp(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
