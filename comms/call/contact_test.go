package call

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/contact"
	"switchboard/internal/clock"
)

// binding is a telephone at a place, for an hour.
func binding(p *comms.SipNumber, uri string, cseq int64) SaveContact {
	return SaveContact{Phone: p.ID, URI: uri, Source: "192.0.2.7:5060", Transport: "udp", UserAgent: "test", CallID: "c" + uri, CSeq: cseq,
		Expires: clock.Now().Add(time.Hour)}
}

func (o *office) save(in SaveContact) {
	o.Helper()
	if err := o.calls.SaveContact(o.Context(), in); err != nil {
		o.Fatal(err)
	}
}

func (o *office) register(p *comms.SipNumber, uri string, cseq int64) {
	o.Helper()
	o.save(binding(p, uri, cseq))
}

// stored are the contacts in the store, by their URIs.
func (o *office) stored() map[string]*comms.Contact {
	o.Helper()
	rows, err := o.store.Read().Contact.Query().All(o.Context())
	if err != nil {
		o.Fatal(err)
	}
	out := map[string]*comms.Contact{}
	for _, r := range rows {
		out[r.URI] = r
	}
	return out
}

func TestRegistrationsAreTold(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		p := o.phone()
		end := clock.Now()
		for _, step := range []struct {
			save SaveContact
			told string
			left int
		}{
			{SaveContact{Phone: p.ID, URI: "sip:a", Expires: end}, "created", 0},
			{binding(p, "sip:a", 1), "created registered", 1},
			{binding(p, "sip:b", 1), "created registered", 2},
			{binding(p, "sip:a", 2), "created registered", 2},
			{SaveContact{Phone: p.ID, URI: "sip:a", Expires: end}, "created registered", 1},
			{SaveContact{Phone: p.ID, URI: "sip:b", Expires: end}, "created registered unregistered", 0},
			{binding(p, "sip:a", 3), "created registered unregistered registered", 1},
			{binding(p, "sip:c", 3), "created registered unregistered registered", 2},
			{SaveContact{Phone: p.ID, URI: "*", Expires: end}, "created registered unregistered registered unregistered", 0},
			{SaveContact{Phone: p.ID, URI: "*", Expires: end}, "created registered unregistered registered unregistered", 0},
		} {
			o.save(step.save)
			states, err := o.calls.PhonesOf(o.ctx, []uuid.UUID{p.ID})
			if err != nil || len(states[p.ID].Contacts) != step.left || len(o.stored()) != step.left || o.told("phone") != step.told {
				o.Errorf("after %+v: %+v, told %s, %v", step.save, states[p.ID], o.told("phone"), err)
			}
		}
		o.is("no such telephone", o.calls.SaveContact(o.Context(), SaveContact{Phone: uuid.New(), Expires: end.Add(time.Hour)}), "NOT_FOUND id")
	})
}

func TestRegistrationsSurviveARestart(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		p := o.phone()
		o.register(p, "sip:a", 1)
		refreshed := binding(p, "sip:a", 2)
		refreshed.Expires = refreshed.Expires.Add(time.Hour)
		o.save(refreshed)
		if row := o.stored()["sip:a"]; row.Cseq != 1 {
			o.Errorf("a refresh was written at once: %+v", row)
		}
		ended, end := context.WithCancel(o.Context())
		end()
		o.calls.runContacts(ended) // a stop writes what is noted
		o.restart()
		list, err := o.calls.Contacts(o.Context())
		if err != nil || len(list) != 1 {
			o.Fatalf("%v, %v", list, err)
		}
		c := list[0]
		if got := fmt.Sprintln(c.SipNumberID, c.URI, c.Source, c.Transport, c.UserAgent, c.CallID, c.Cseq, *c.ExpiresAt, c.Node); got !=
			fmt.Sprintln(p.ID, "sip:a", "192.0.2.7:5060", "udp", "test", "csip:a", 2, refreshed.Expires, "test") {
			o.Errorf("it is %s", got)
		}
		// The new process knows it: the next refresh needs no change either.
		o.save(binding(p, "sip:a", 3))
		if row := o.stored()["sip:a"]; row.Cseq != 2 {
			o.Errorf("a refresh was written at once: %+v", row)
		}
		if err := o.calls.writeRefreshes(o.Context()); err != nil {
			o.Fatal(err)
		}
		if row := o.stored()["sip:a"]; row.Cseq != 3 {
			o.Errorf("a refresh was not written: %+v", row)
		}
		if got := o.told("phone"); got != "created registered" {
			o.Errorf("told: %s", got)
		}
	})
}

func TestRegistrationsEnd(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		p := o.phone()
		short, long := binding(p, "sip:short", 1), binding(p, "sip:long", 1)
		short.Expires = clock.Now().Add(time.Minute)
		o.save(short)
		o.save(long)
		for _, step := range []struct {
			after time.Duration
			left  int
			told  string
		}{
			{time.Minute, 2, "created registered"}, // another process may hold a refresh
			{time.Minute + 2*expireSlack, 1, "created registered"},
			{2 * time.Hour, 0, "created registered unregistered"},
			{2 * time.Hour, 0, "created registered unregistered"},
		} {
			if err := o.calls.expireContacts(o.Context(), clock.Now().Add(step.after)); err != nil {
				o.Fatal(err)
			}
			if left := o.stored(); len(left) != step.left || o.told("phone") != step.told {
				o.Errorf("after %v: %v, told %s", step.after, left, o.told("phone"))
			}
		}
		// It is not remembered as one that only needs a refresh.
		o.register(p, "sip:long", 2)
		if len(o.stored()) != 1 || o.told("phone") != "created registered unregistered registered" {
			o.Errorf("%v, told %s", o.stored(), o.told("phone"))
		}
	})
}

// RFC 3261 section 10.3, step 7.
func TestRegistrationsOutOfOrder(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		p := o.phone()
		o.register(p, "sip:a", 5)
		for range 2 { // by what this process remembers, and by what is stored
			o.is("an older one", o.calls.SaveContact(o.Context(), binding(p, "sip:a", 4)), "CONFLICT cseq")
			o.restart()
		}
		again := binding(p, "sip:a", 1)
		again.CallID = "another" // the telephone was switched off and on
		o.save(again)
		if row := o.stored()["sip:a"]; row.Cseq != 1 || row.CallID != "another" {
			o.Errorf("%+v", row)
		}
		moved := binding(p, "sip:a", 2)
		moved.CallID, moved.Source = "another", "192.0.2.8:5060"
		o.save(moved)
		if row := o.stored()["sip:a"]; row.Source != "192.0.2.8:5060" {
			o.Errorf("%+v", row)
		}
	})
}

func TestATelephoneAtManyPlaces(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		p := o.phone()
		for i := range mostContacts {
			o.register(p, fmt.Sprint("sip:", i), 1)
		}
		o.is("one more", o.calls.SaveContact(o.Context(), binding(p, "sip:more", 1)), "CONFLICT contact")
		o.register(p, "sip:3", 2)
		list, err := o.calls.Contacts(o.Context())
		if err != nil || len(list) != mostContacts {
			o.Fatalf("%d, %v", len(list), err)
		}
		var ids []uuid.UUID
		for _, c := range list {
			ids = append(ids, c.ID)
		}
		if err := o.calls.ForgetContacts(o.Context(), ids[1:]); err != nil {
			o.Fatal(err)
		}
		if left := o.stored(); len(left) != 1 || o.told("phone") != "created registered" {
			o.Errorf("%v, told %s", left, o.told("phone"))
		}
		if err := o.calls.ForgetContacts(o.Context(), ids); err != nil {
			o.Fatal(err)
		}
		if left := o.stored(); len(left) != 0 || o.told("phone") != "created registered unregistered" {
			o.Errorf("%v, told %s", left, o.told("phone"))
		}
	})
}

// Whoever has the old password is out, and the registrar hears of it.
func TestRegistrationsAreForgotten(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		var forgotten []uuid.UUID
		o.calls.OnPhoneForgotten(func(id uuid.UUID) { forgotten = append(forgotten, id) })
		p, other := o.phone(), o.phone()
		o.register(p, "sip:a", 1)
		o.register(other, "sip:other", 1)
		if _, err := o.calls.ChangeSipPassword(o.ctx, ChangeSipPassword{ID: p.ID}); err != nil {
			o.Fatal(err)
		}
		if left := o.stored(); len(left) != 1 || left["sip:other"] == nil {
			o.Errorf("%v", left)
		}
		o.register(p, "sip:a", 2)
		if left := o.stored(); len(left) != 2 {
			o.Errorf("it was taken for a refresh: %v", left)
		}
		if _, err := o.calls.DeleteSipNumber(o.ctx, p.ID); err != nil {
			o.Fatal(err)
		}
		o.is("a deleted one's refresh", o.calls.SaveContact(o.Context(), binding(p, "sip:a", 3)), "NOT_FOUND id")
		if !slices.Equal(forgotten, []uuid.UUID{p.ID, p.ID}) {
			o.Errorf("forgotten: %v", forgotten)
		}
		if got := o.told("phone"); got != "created created registered registered unregistered updated registered unregistered deleted" {
			o.Errorf("told: %s", got)
		}
	})
}

// Refreshes that can't be written are kept for the next time, unless something newer is known.
func TestRefreshesWait(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		p := o.phone()
		o.register(p, "sip:a", 1)
		o.register(p, "sip:a", 2)
		away, leave := context.WithCancel(o.Context())
		leave()
		if err := o.calls.writeRefreshes(away); err == nil {
			o.Fatal("it was written though the caller is gone")
		}
		if err := o.calls.writeRefreshes(o.Context()); err != nil || o.stored()["sip:a"].Cseq != 2 {
			o.Errorf("%+v, %v", o.stored()["sip:a"], err)
		}
		// A contact that another process holds since is not called back by what this one noted before.
		o.register(p, "sip:a", 3)
		err := o.store.Change(o.Context(), func(ctx context.Context, tx *ent.Client) error {
			return tx.Contact.Update().Where(contact.URI("sip:a")).SetNode("other").SetCseq(4).Exec(ctx)
		}, nil)
		if err != nil {
			o.Fatal(err)
		}
		if err := o.calls.writeRefreshes(o.Context()); err != nil || o.stored()["sip:a"].Cseq != 4 {
			o.Errorf("%+v, %v", o.stored()["sip:a"], err)
		}
	})
}
