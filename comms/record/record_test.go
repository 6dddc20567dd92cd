package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/ent"
	entcall "switchboard/ent/call"
	"switchboard/ent/recording"
	"switchboard/internal/clock"
)

func TestWhatIsImportedTwiceIsThereOnce(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r := NewRecord{ForeignID: "1", Calling: "0033600000001", Called: desk, Dialed: desk, Direction: Incoming, StartedAt: day, Duration: 5}
		other := r
		other.ForeignID = "2"
		if n := o.add(o.aliceID, r, r); n != 1 {
			o.Errorf("%d were new", n)
		}
		if n := o.add(o.aliceID, r, other); n != 1 {
			o.Errorf("then %d were new", n)
		}
		if n := o.add(o.robins, r); n != 1 {
			o.Errorf("%d of another account were new", n)
		}
		if n, err := o.records.CountRecords(o.alice, Search{}); err != nil || n != 2 {
			o.Errorf("there are %d (%v)", n, err)
		}
	})
}

// What a carrier writes is stored as it can be: numbers in one form, everything else cut to what both databases take.
func TestWhatACarrierWrites(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.add(o.aliceID, NewRecord{ForeignID: "1", Calling: "anony\x00mous\xff", Called: "00 33 6 00 00 00 01", Dialed: "3008", Direction: Incoming,
			StartedAt: day, Duration: -3, Hangup: strings.Repeat("é", 200)})
		rows, err := o.records.RecordsAt(o.alice, Search{Numbers: []string{"anonymous"}}, 10, 0)
		if err != nil || len(rows) != 1 {
			o.Fatal(rows, err)
		}
		r := rows[0]
		if r.Calling != "anonymous" || r.Called != "+33600000001" || r.Dialed != "3008" || r.Duration != 0 || r.Way != "incoming" || len(r.Hangup) > 255 ||
			strings.Trim(r.Hangup, "é") != "" || r.Recording != "" {
			o.Errorf("it is %+v", r)
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		many := make([]string, MostNumbers+1)
		for i := range many {
			many[i] = fmt.Sprintf("+336%08d", i)
		}
		for name, q := range map[string]Search{
			"too many numbers":    {Numbers: many},
			"an empty number":     {Numbers: []string{" "}},
			"a long number":       {Numbers: []string{strings.Repeat("a", 65)}},
			"no text":             {Numbers: []string{"a\xff"}},
			"a direction":         {Direction: "sideways"},
			"a negative duration": {MinDuration: new(-1)},
			"another":             {MaxDuration: new(-1)},
		} {
			_, page := o.records.Records(o.alice, q, comms.Page{})
			_, at := o.records.RecordsAt(o.alice, q, 1, 0)
			_, count := o.records.CountRecords(o.alice, q)
			each := o.records.EachRecord(o.alice, q, func([]*Row) error { return nil })
			_, _, link := o.records.CSVLink(o.alice, q)
			for _, err := range []error{page, at, count, each, link} {
				if !comms.IsCode(err, comms.Invalid) {
					o.Errorf("%s: %v", name, err)
				}
			}
		}
		for _, place := range [][2]int{{-1, 0}, {MostAt + 1, 0}, {1, -1}} {
			if _, err := o.records.RecordsAt(o.alice, Search{}, place[0], place[1]); !comms.IsCode(err, comms.Invalid) {
				o.Errorf("%v: %v", place, err)
			}
		}
		for want, ctx := range map[comms.Code]context.Context{
			comms.Unauthenticated: o.Context(),
			comms.Forbidden:       comms.WithActor(o.Context(), &comms.Actor{AccountID: o.aliceID, Scopes: comms.ReadMessages}),
		} {
			if _, err := o.records.CountRecords(ctx, Search{}); !comms.IsCode(err, want) {
				o.Errorf("%v: %v", want, err)
			}
		}
	})
}

// ours stores calls of alice's number and has them end.
func (o *office) ours(calls ...*comms.Call) {
	o.Helper()
	err := o.svc.Inside().Change(o.Context(), func(ctx context.Context, c *comms.Change) error {
		for _, r := range calls {
			r.ID, r.AccountID, r.CreatedAt = uuid.New(), o.aliceID, day
			err := c.Tx().Call.Create().SetID(r.ID).SetConversationID(r.ID).SetAccountID(r.AccountID).SetNillableNumberID(r.NumberID).SetPeer(r.Peer).
				SetSecond(r.Second).SetDirection(r.Direction).SetCreatedAt(day).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return o.records.Ended(ctx, c, calls)
	})
	if err != nil {
		o.Fatal(err)
	}
}

// A call of ours becomes a record with what it showed to its account.
func TestOurCallsBecomeRecords(t *testing.T) {
	const ann, bob = "+33600000001", "+33600000002"
	officesOnBoth(t, func(o *office) {
		own := &o.own.ID
		cases := map[string]struct {
			call                         comms.Call
			calling, called, dialed, way string
		}{
			"an incoming call":             {comms.Call{NumberID: own, Peer: ann, Direction: "incoming"}, ann, desk, desk, "incoming"},
			"an outgoing call":             {comms.Call{NumberID: own, Peer: ann, Direction: "outgoing"}, desk, ann, ann, "outgoing"},
			"a caller who withholds it":    {comms.Call{NumberID: own, Direction: "incoming"}, "", desk, desk, "incoming"},
			"a masked call, for its owner": {comms.Call{NumberID: own, Peer: ann, Second: bob, Direction: "incoming"}, ann, bob, desk, "incoming"},
			"a call of two outsiders":      {comms.Call{NumberID: own, Peer: ann, Second: bob, Direction: "outgoing"}, desk, bob, ann, "outgoing"},
			"an incoming transfer":         {comms.Call{NumberID: own, Peer: ann, Second: bob, Direction: "incoming", Transferred: true}, ann, bob, desk, "transfer"},
			"an outgoing transfer":         {comms.Call{NumberID: own, Peer: ann, Second: bob, Direction: "outgoing", Transferred: true}, desk, bob, ann, "transfer"},
			"two telephones":               {comms.Call{Peer: "2001", Direction: "outgoing"}, "", "2001", "2001", "outgoing"},
		}
		for name, c := range cases {
			c.call.Duration, c.call.Reason = 17, "hung_up"
			o.ours(&c.call)
			page, err := o.records.Records(o.alice, Search{}, comms.Page{First: new(1)})
			if err != nil || len(page.Items) != 1 {
				o.Fatal(name, page, err)
			}
			r := page.Items[0]
			if r.Calling != c.calling || r.Called != c.called || r.Dialed != c.dialed || string(r.Way) != c.way || string(r.Direction) != string(c.call.Direction) ||
				r.StartedAt != day || r.Duration != 17 || r.Hangup != "hung up" || *r.CallID != c.call.ID {
				o.Errorf("%s: %+v", name, r.CallRecord)
			}
		}
		if n, err := o.records.CountRecords(o.robin, Search{}); err != nil || n != 0 {
			o.Errorf("another account has %d of them (%v)", n, err)
		}
	})
}

// Whatever ends a call of the rules, there is one record of it; and none of one that goes with its number.
func TestACallThatEndsIsARecord(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		calls := call.New(o.svc, call.Options{Ended: o.records.Ended})
		placed, err := calls.PlaceCall(o.alice, call.PlaceCall{From: o.own.ID, To: "+999000000001", Anyhow: true})
		if err != nil { // there is no engine: it ends at once
			o.Fatal(err)
		}
		for range 2 {
			if err := calls.CallEnded(o.Context(), placed.Call.ConversationID, call.End{Why: call.WhyHungUp}); err != nil {
				o.Fatal(err)
			}
		}
		rows, err := o.records.RecordsAt(o.alice, Search{}, 10, 0)
		if err != nil || len(rows) != 1 || rows[0].Calling != desk || rows[0].Called != "+999000000001" || *rows[0].CallID != placed.Call.ID {
			o.Fatal(rows, err)
		}
		o.add(o.aliceID, NewRecord{ForeignID: "1", Calling: desk, Direction: Outgoing, StartedAt: day})
		if _, err := o.svc.DeleteNumber(o.alice, o.own.ID); err != nil {
			o.Fatal(err)
		}
		for _, s := range []*Service{o.records, o.process()} {
			rows, err := s.RecordsAt(o.alice, Search{}, 10, 0)
			if err != nil || len(rows) != 1 || rows[0].ForeignID == nil {
				o.Errorf("what is left is %v, %v", rows, err)
			}
			if n, err := s.CountRecords(o.alice, Search{}); err != nil || n != 1 {
				o.Errorf("%d are left (%v)", n, err)
			}
		}
	})
}

// A deleted number takes its records along, and the tally follows.
func TestRecordsThatGoAreForgotten(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		for i := range 10 {
			o.add(o.aliceID, NewRecord{ForeignID: fmt.Sprint(i), Calling: fmt.Sprint("imported", i), Direction: Incoming, StartedAt: day.Add(time.Duration(i) * time.Second)})
			o.ours(&comms.Call{NumberID: &o.own.ID, Peer: fmt.Sprint("ours", i), Direction: "incoming"})
		}
		if n, err := o.records.CountRecords(o.alice, Search{}); err != nil || n != 20 {
			o.Fatal(n, err)
		}
		if _, err := o.svc.DeleteNumber(o.alice, o.own.ID); err != nil {
			o.Fatal(err)
		}
		o.add(o.aliceID, NewRecord{ForeignID: "new", Calling: "new", Direction: Incoming, StartedAt: day.Add(-time.Hour)})
		n, err := o.records.CountRecords(o.alice, Search{})
		last, err2 := o.records.RecordsAt(o.alice, Search{}, 1, 10)
		gone, err3 := o.records.CountRecords(o.alice, Search{Numbers: []string{"ours1"}})
		if err := errors.Join(err, err2, err3); err != nil || n != 11 || gone != 0 || len(last) != 1 || last[0].Calling != "new" {
			o.Errorf("%d records, %d of those that went, the oldest %v (%v)", n, gone, last, err)
		}
	})
}

// Several processes on one database, that add and search at once, all see what was committed before they asked.
func TestManyAtOnce(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		const each, times = 7, 12
		var group sync.WaitGroup
		for p := range 3 {
			s := o.process()
			group.Go(func() {
				for i := range times {
					_, add := some(newDice(), each, fmt.Sprint(p, "-", i, "-"))
					o.add(o.aliceID, add...)
					n, err := s.CountRecords(o.alice, Search{})
					if err != nil || n < (i+1)*each {
						t.Errorf("%d records after %d (%v)", n, (i+1)*each, err)
					}
				}
			})
		}
		group.Wait()
		for _, s := range []*Service{o.records, o.process()} {
			if n, err := s.CountRecords(o.alice, Search{}); err != nil || n != 3*times*each {
				t.Errorf("%d records in the end (%v)", n, err)
			}
		}
	})
}

// The link of a call of ours leads to the newest of its recordings that is ready.
func TestTheRecordingOfACall(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		recorded, bare := &comms.Call{NumberID: &o.own.ID, Direction: entcall.DirectionIncoming}, &comms.Call{NumberID: &o.own.ID, Direction: entcall.DirectionIncoming}
		o.ours(recorded, bare)
		var want uuid.UUID
		err := o.store.Change(o.Context(), func(ctx context.Context, tx *ent.Client) error {
			for i, status := range []recording.Status{recording.StatusReady, recording.StatusReady, recording.StatusFailed, recording.StatusDeleted} {
				r := tx.Recording.Create().SetAccountID(o.aliceID).SetCallID(recorded.ID).SetStatus(status).SetCreatedAt(day + clock.Micros(i)).SaveX(ctx)
				if i == 1 {
					want = r.ID
				}
			}
			return nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := o.records.RecordsAt(o.alice, Search{}, 10, 0)
		if err != nil || len(rows) != 2 {
			t.Fatal(rows, err)
		}
		links := map[uuid.UUID]string{*rows[0].CallID: rows[0].Recording, *rows[1].CallID: rows[1].Recording}
		if links[recorded.ID] != "/recordings/"+want.String() || links[bare.ID] != "" {
			t.Errorf("the links are %v, want %s", links, want)
		}
		if !slices.IsSortedFunc(rows, func(a, b *Row) int { return int(b.ID - a.ID) }) {
			t.Error("of one time the newer comes first")
		}
	})
}
