package graph

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchboard/comms/carrier"
	"switchboard/internal/house"
)

type linkPayload struct {
	CarrierLink *linkSeen
	ConsentURL  string
	Replayed    bool
	UserErrors  []struct{ Code, Field string }
}

const linkFields = `id carrier state identity problem failures importing progress { done total added } nextImportAt importedAt`

// From the asking to the first import, and to the end of a link.
func TestLifeOfALink(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(0)
		var data struct {
			LinkCarrier, ImportRecords, UpdateCarrierLink, UnlinkCarrier linkPayload
			CarrierLink                                                  *linkSeen
		}
		ask := `mutation { linkCarrier(input: {carrier: OVH, idempotencyKey: "k"}) { carrierLink { ` + linkFields + ` } consentUrl replayed userErrors { code field } } }`
		k.get(me.ctx, ask, nil, &data)
		l := data.LinkCarrier.CarrierLink
		if l.State != "PENDING" || l.Identity != nil || l.NextImportAt != nil || data.LinkCarrier.ConsentURL != "https://carrier.example/consent" || data.LinkCarrier.Replayed {
			k.Fatalf("%+v %+v", data.LinkCarrier, l)
		}
		back, id, ok := strings.Cut(k.lines.back, "/ovh/check/")
		if !ok || back != "https://sb.example" || id == l.ID {
			k.Errorf("the customer is sent back to %s", k.lines.back)
		}
		k.get(me.ctx, ask, nil, &data)
		if !data.LinkCarrier.Replayed || data.LinkCarrier.CarrierLink.ID != l.ID || data.LinkCarrier.ConsentURL != "https://carrier.example/consent" {
			k.Errorf("the same again: %+v", data.LinkCarrier)
		}
		must(k.carriers.CheckCarrier(k.Context(), id))(k)
		k.get(me.ctx, fmt.Sprintf(`mutation { importRecords(input: {id: %q}) { carrierLink { %s } userErrors { code } } }`, l.ID, linkFields), nil, &data)
		if l := data.ImportRecords.CarrierLink; l == nil || l.State != "ACTIVE" || *l.Identity != "xx1111-ovh" || l.NextImportAt == nil || l.ImportedAt != nil {
			k.Errorf("due at once: %+v", l)
		}
		k.get(me.ctx, fmt.Sprintf(`mutation { updateCarrierLink(input: {id: %q, importEvery: 600}) { carrierLink { %s importEvery } userErrors { code } } }`, l.ID, linkFields), nil, &data)
		k.lines.fails = &carrier.Trouble{Problem: carrier.ProblemSlow, Err: errors.New("no answer")}
		k.imports(me)
		var seen struct {
			CarrierLink *struct {
				linkSeen
				ImportEvery int
			}
		}
		k.get(me.ctx, fmt.Sprintf(`{ carrierLink(id: %q) { %s importEvery } }`, l.ID, linkFields), nil, &seen)
		if l := seen.CarrierLink; l.Problem == nil || *l.Problem != "SLOW" || l.Failures != 1 || l.ImportEvery != 600 || l.NextImportAt == nil || l.State != "ACTIVE" {
			k.Errorf("after a failure: %+v", l)
		}
		k.get(me.ctx, fmt.Sprintf(`mutation { unlinkCarrier(input: {id: %q}) { carrierLink { id } userErrors { code } } }`, l.ID), nil, &data)
		data.CarrierLink = &linkSeen{}
		k.get(me.ctx, fmt.Sprintf(`{ carrierLink(id: %q) { id } }`, l.ID), nil, &data)
		if data.UnlinkCarrier.CarrierLink.ID != l.ID || data.CarrierLink != nil {
			k.Errorf("it is still there: %+v %+v", data.UnlinkCarrier, data.CarrierLink)
		}
	})
}

// What is no matter of the input refuses the request as a whole, and says when to come again.
func TestCarriersRefusedAsAWhole(t *testing.T) {
	k := newKit(t, house.SQLite(t))
	me := k.person(0)
	link := k.linked(me)
	refused := func(exec *kit, query, code string, retry bool) {
		t.Helper()
		r := exec.ask(me.ctx, query, nil)
		if len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != code || (r.Errors[0].Extensions["retryAfter"] != nil) != retry || string(r.Data) != "null" {
			t.Errorf("%s: %s %v, want %s", query, r.Data, r.Errors, code)
		}
	}
	k.lines.fails = &carrier.Trouble{Problem: carrier.ProblemLimited, After: time.Hour, Err: errors.New("429")}
	k.imports(me)
	refused(k, fmt.Sprintf(`mutation { importRecords(input: {id: %q}) { userErrors { code } } }`, link.ID), "LIMITED", true)
	k.lines.mute = &carrier.Trouble{Problem: carrier.ProblemUnreachable, Err: errors.New("503")}
	refused(k, `mutation { linkCarrier(input: {carrier: OVH}) { userErrors { code } } }`, "CARRIER_UNREACHABLE", true)
	bare := carrier.New(k.svc, k.records, carrier.Options{})
	o := k.rules(Options{})
	o.Carriers = bare
	refused(over(t, newSchema(k.svc, o)), `mutation { linkCarrier(input: {carrier: OVH}) { userErrors { code } } }`, "NOT_CONFIGURED", false)
}
