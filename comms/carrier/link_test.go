package carrier_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/ent/carrierlink"
	"switchboard/providers/ovh"
	"switchboard/providers/ovh/ovhtest"
)

func TestLinking(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		linked, err := o.links.LinkCarrier(o.alice, carrier.LinkCarrier{Carrier: "ovh", Base: ours + "/"})
		o.must(err)
		credential := o.ovh.Credential(linked.Page)
		check, found := strings.CutPrefix(credential.Redirection, ours+"/ovh/check/")
		if !found || len(check) < 26 || linked.Link.State != carrierlink.StatePending {
			o.Errorf("sent back to %s, %+v", credential.Redirection, linked.Link)
		}
		for _, rule := range credential.Rules {
			if rule.Method != http.MethodGet || rule.Path == "/*" || rule.Path == "/telephony/*" {
				o.Errorf("asked for more than is read: %+v", rule)
			}
		}
		row := o.reread(linked.Link)
		for _, secret := range []string{check, credential.Key} {
			if strings.Contains(string(row.KeySealed)+string(row.CheckHash), secret) {
				o.Error("a secret lies in the open")
			}
		}
		_, err = o.links.CheckCarrier(o.Context(), check)
		wants(o, err, comms.Forbidden, comms.ReasonNotConsented)
		if row := o.reread(linked.Link); row.State != carrierlink.StatePending || row.Problem != "PENDING" || row.NextAt != nil {
			o.Errorf("before consent: %+v", row)
		}
		o.ovh.Consent(linked.Page, "aa1-ovh")
		for range 2 { // a page that is loaded again changes nothing
			link, err := o.links.CheckCarrier(o.Context(), check)
			o.must(err)
			if link.ID != linked.Link.ID || link.State != carrierlink.StateActive || link.Identity != "aa1-ovh" || link.Problem != "" || link.LinkedAt == nil ||
				link.NextAt == nil || time.Until(link.NextAt.Time()) > 0 || link.Every != 3600 {
				o.Errorf("consented: %+v", link)
			}
		}
		same(o, o.kinds(o.alice), []string{"carrier.linked"})
		for _, wrong := range []string{"", check + "x", linked.Link.ID.String(), strings.ToUpper(check)} {
			_, err := o.links.CheckCarrier(o.Context(), wrong)
			wants(o, err, comms.NotFound, "")
		}
	})
}

func TestTheSameCustomerAgain(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 3)
		first := o.link(o.alice, "aa1-ovh")
		o.must(o.importNow(o.links))
		before := o.records(o.alice)
		second := o.link(o.alice, "aa1-ovh")
		if second.ID != first.ID || len(before) != 3 {
			o.Errorf("linked as %s and %s, %d records", first.ID, second.ID, len(before))
		}
		o.ovh.Change(func() {}) // the new key is the one that is used from now on
		o.must(o.importNow(o.links))
		same(o, o.records(o.alice), before)
		third, err := o.links.UnlinkCarrier(o.alice, second.ID)
		o.must(err)
		if third.ID != second.ID {
			o.Error("another link was ended")
		}
		anew := o.link(o.alice, "aa1-ovh") // and so it is with a link that is all new
		o.must(o.importNow(o.links))
		same(o, o.records(o.alice), before)
		if anew.ID == first.ID {
			o.Error("an ended link is there again")
		}
		other := o.link(o.robin, "aa1-ovh") // what somebody else links is his own
		if other.ID == anew.ID || len(o.records(o.robin)) != 0 {
			o.Error("accounts share a link")
		}
	})
}

func TestLinkedTwiceAtOnce(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		const times = 6
		checks := make([]string, times)
		for i := range checks {
			var page string
			page, checks[i] = o.ask(o.alice)
			o.ovh.Consent(page, "aa1-ovh")
		}
		var all sync.WaitGroup
		for i := range 2 * times {
			all.Go(func() {
				_, err := o.links.CheckCarrier(o.Context(), checks[i%times])
				if err != nil && !comms.IsCode(err, comms.Limited) && !comms.IsCode(err, comms.NotFound) {
					o.Errorf("check: %v", err)
				}
			})
		}
		all.Wait()
		rows := o.store.Read().CarrierLink.Query().AllX(o.Context())
		if len(rows) != 1 || rows[0].State != carrierlink.StateActive {
			o.Errorf("%d links: %v", len(rows), rows)
		}
		if kinds := o.kinds(o.alice); len(kinds) != times {
			o.Errorf("told %q", kinds)
		}
	})
}

func TestLinkingIsAskedOnce(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		in := carrier.LinkCarrier{Carrier: "ovh", Base: ours, IdempotencyKey: "once"}
		first, err := o.links.LinkCarrier(o.alice, in)
		o.must(err)
		again, err := o.links.LinkCarrier(o.alice, in)
		o.must(err)
		if !again.Replayed || again.Page != first.Page || again.Link.ID != first.Link.ID || o.ovh.Asked("/auth/credential") != 1 {
			o.Errorf("first %+v, again %+v", first, again)
		}
	})
}

func TestWhoMayLink(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		link := o.link(o.alice, "aa1-ovh")
		bare := carrier.New(mustService(o), nil, carrier.Options{})
		reader := as(o.Context(), id(o.alice), comms.ReadRecords)
		verbs := map[string]func(ctx context.Context, id uuid.UUID) error{
			"read":   func(ctx context.Context, id uuid.UUID) error { _, err := o.links.CarrierLink(ctx, id); return err },
			"import": func(ctx context.Context, id uuid.UUID) error { _, err := o.links.ImportRecords(ctx, id); return err },
			"update": func(ctx context.Context, id uuid.UUID) error {
				_, err := o.links.UpdateCarrierLink(ctx, carrier.UpdateCarrierLink{ID: id, Every: time.Hour})
				return err
			},
			"unlink": func(ctx context.Context, id uuid.UUID) error { _, err := o.links.UnlinkCarrier(ctx, id); return err },
		}
		for name, verb := range verbs {
			o.Log(name)
			wants(o, verb(o.Context(), link.ID), comms.Unauthenticated, "")
			wants(o, verb(reader, link.ID), comms.Forbidden, comms.ReasonScope)
			wants(o, verb(o.robin, link.ID), comms.NotFound, "")
			wants(o, verb(o.alice, uuid.New()), comms.NotFound, "")
		}
		_, err := o.links.LinkCarrier(reader, carrier.LinkCarrier{Carrier: "ovh", Base: ours})
		wants(o, err, comms.Forbidden, comms.ReasonScope)
		_, err = o.links.LinkCarrier(o.alice, carrier.LinkCarrier{Carrier: "sms", Base: ours})
		wants(o, err, comms.Invalid, "")
		_, err = o.links.LinkCarrier(o.alice, carrier.LinkCarrier{Carrier: "ovh", Base: "calls.example.org"})
		wants(o, err, comms.Invalid, "")
		_, err = bare.LinkCarrier(o.alice, carrier.LinkCarrier{Carrier: "ovh", Base: ours})
		wants(o, err, comms.Unavailable, comms.ReasonNotConfigured)
		page, err := o.links.CarrierLinks(o.robin, comms.Page{})
		o.must(err)
		byID, err := o.links.LinksByID(o.robin, []uuid.UUID{link.ID})
		o.must(err)
		if len(page.Items) != 0 || len(byID) != 0 {
			o.Error("somebody else's link is listed")
		}
	})
}

func mustService(o *office) *comms.Service {
	svc, err := comms.New(comms.Options{Store: o.store, Secret: slices.Repeat([]byte{7}, 32), HashCost: 4})
	o.must(err)
	return svc
}

func TestSchedule(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		link := o.link(o.alice, "aa1-ovh")
		for _, every := range []time.Duration{0, time.Second, -time.Hour, 31 * 24 * time.Hour} {
			_, err := o.links.UpdateCarrierLink(o.alice, carrier.UpdateCarrierLink{ID: link.ID, Every: every})
			wants(o, err, comms.Invalid, "")
		}
		o.must(o.importNow(o.links))
		if got := time.Until(o.reread(link).NextAt.Time()); got < 59*time.Minute || got > time.Hour {
			o.Errorf("the next in %s", got)
		}
		row, err := o.links.UpdateCarrierLink(o.alice, carrier.UpdateCarrierLink{ID: link.ID, Every: 5 * time.Minute})
		o.must(err)
		if got := time.Until(row.NextAt.Time()); row.Every != 300 || got > 5*time.Minute {
			o.Errorf("every %d, the next in %s", row.Every, got)
		}
		row, err = o.links.ImportRecords(o.alice, link.ID)
		o.must(err)
		if time.Until(row.NextAt.Time()) > 0 {
			o.Error("it is not due")
		}
	})
}

// A customer whom OVH asks for consent again and again, and who gives none.
func TestPendingLinksAreBounded(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		for range 20 {
			o.ask(o.alice)
		}
		_, err := o.links.LinkCarrier(o.alice, carrier.LinkCarrier{Carrier: "ovh", Base: ours})
		wants(o, err, comms.Limited, "")
		if after := comms.AsError(err).RetryAfter; after <= 0 || after > time.Hour+time.Second {
			o.Errorf("come again after %s", after)
		}
		o.ask(o.robin)
	})
}

// What a caller is told when OVH does not do what it should, while he waits.
// As many as are allowed get through however many ask at once.
func TestPendingLinksAreBoundedAtOnce(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				_, err := o.links.LinkCarrier(o.alice, carrier.LinkCarrier{Carrier: "ovh", Base: ours})
				if err != nil && !comms.IsCode(err, comms.Limited) {
					o.Errorf("link: %v", err)
				}
			})
		}
		all.Wait()
		if n, err := o.links.CountCarrierLinks(o.alice); err != nil || n != 20 {
			o.Errorf("%d links wait (%v)", n, err)
		}
	})
}

func TestLinkingWithoutOVH(t *testing.T) {
	cases := map[string]struct {
		breaks http.HandlerFunc
		code   comms.Code
		reason comms.Reason
	}{
		"down":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, comms.Unavailable, "CARRIER_UNREACHABLE"},
		"limited": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "40"); w.WriteHeader(429) }, comms.Limited, ""},
		"unknown": {func(w http.ResponseWriter, _ *http.Request) {
			ovhtest.Refuse(w, 403, "INVALID_KEY", "This application key is invalid")
		}, comms.Unavailable, "CARRIER_REFUSED"},
		"html":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>welcome")) }, comms.Unavailable, "CARRIER_NONSENSE"},
		"empty": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }, comms.Unavailable, "CARRIER_NONSENSE"},
		"strange": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"consumerKey":"x","validationUrl":"javascript:x"}`))
		}, comms.Unavailable, "CARRIER_NONSENSE"},
		"slow": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only behind it does the server notice that the other side has gone
			<-r.Context().Done()
		}, comms.Unavailable, "CARRIER_SLOW"},
	}
	officesOnBoth(t, func(o *office) {
		page, check := o.ask(o.alice)
		o.ovh.Consent(page, "aa1-ovh")
		impatient := o.process(carrier.Options{}, ovh.Options{Timeout: time.Second})
		for name, c := range cases {
			o.Log(name)
			o.ovh.Break(func(w http.ResponseWriter, r *http.Request) bool { c.breaks(w, r); return true })
			_, err := impatient.LinkCarrier(o.alice, carrier.LinkCarrier{Carrier: "ovh", Base: ours})
			wants(o, err, c.code, c.reason)
			_, err = impatient.CheckCarrier(o.Context(), check)
			wants(o, err, c.code, c.reason)
		}
		o.ovh.Break(nil)
		_, err := o.links.CheckCarrier(o.Context(), check)
		o.must(err)
		if n := o.store.Read().CarrierLink.Query().CountX(o.Context()); n != 1 {
			o.Errorf("%d links", n)
		}
	})
}
