package graph

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"switchboard/comms/call"
	"switchboard/internal/clock"
)

type phoneSeen struct {
	ID, Number, Alias, Password string
	Secure, Registered          bool
	Rings                       []string
	Registrations               []struct{ Source, Transport, UserAgent string }
}

const phoneFields = `id number alias password secure registered rings registrations { source transport userAgent createdAt expiresAt }`

// A telephone from its making to its end: what it rings for stays in the order in which it was given, and its password can be shown again.
func TestSipNumbers(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(1)
		var data struct {
			CreateSipNumber, UpdateSipNumber, ChangeSipPassword, DeleteSipNumber struct {
				SipNumber phoneSeen
				Password  string
				Replayed  bool
			}
			SipNumber *phoneSeen
		}
		create := fmt.Sprintf(`mutation { createSipNumber(input: {number: "1001", alias: "desk", rings: [%q, "+4930123456", "+4930123400"], idempotencyKey: "k"})
			{ sipNumber { %s } password replayed } }`, me.numbers[0].Number, phoneFields)
		k.get(me.ctx, create, nil, &data)
		p := data.CreateSipNumber.SipNumber
		rings := []string{me.numbers[0].Number, "+4930123456", "+4930123400"}
		if p.Number != "1001" || p.Alias != "desk" || p.Registered || !slices.Equal(p.Rings, rings) || len(p.Registrations) != 0 ||
			len(data.CreateSipNumber.Password) < 8 || p.Password != data.CreateSipNumber.Password {
			k.Errorf("%+v", data.CreateSipNumber)
		}
		first := data.CreateSipNumber.Password
		k.get(me.ctx, create, nil, &data)
		if !data.CreateSipNumber.Replayed || data.CreateSipNumber.SipNumber.ID != p.ID || data.CreateSipNumber.Password != first {
			k.Errorf("again: %+v", data.CreateSipNumber)
		}
		if err := k.calls.SaveContact(k.Context(), call.SaveContact{Phone: idOf(p.ID), URI: "sip:desk@192.0.2.1", Source: "192.0.2.1:5060", Transport: "tls",
			UserAgent: "Desk 1", CallID: "c", CSeq: 1, Expires: clock.Now().Add(time.Hour)}); err != nil {
			k.Fatal(err)
		}
		k.get(me.ctx, fmt.Sprintf(`{ sipNumber(id: %q) { %s } }`, p.ID, phoneFields), nil, &data)
		if got := data.SipNumber; !got.Registered || fmt.Sprint(got.Registrations) != "[{192.0.2.1:5060 tls Desk 1}]" || got.Password != first {
			k.Errorf("registered: %+v", got)
		}
		k.get(me.ctx, fmt.Sprintf(`mutation { updateSipNumber(input: {id: %q, rings: ["+4930123400"], secure: true}) { sipNumber { %s } } }`, p.ID, phoneFields), nil, &data)
		if got := data.UpdateSipNumber.SipNumber; got.Alias != "desk" || !got.Secure || !slices.Equal(got.Rings, []string{"+4930123400"}) {
			k.Errorf("changed: %+v", got)
		}
		k.get(me.ctx, fmt.Sprintf(`mutation { changeSipPassword(input: {id: %q, password: "correct-horse"}) { sipNumber { %s } password } }`, p.ID, phoneFields), nil, &data)
		if got := data.ChangeSipPassword; got.Password != "correct-horse" || got.SipNumber.Password != "correct-horse" || got.SipNumber.Registered {
			k.Errorf("with a new password: %+v", got)
		}
		k.get(me.ctx, fmt.Sprintf(`mutation { deleteSipNumber(input: {id: %q}) { sipNumber { id number } } }`, p.ID), nil, &data)
		k.get(me.ctx, fmt.Sprintf(`{ sipNumber(id: %q) { id } }`, p.ID), nil, &data)
		if data.DeleteSipNumber.SipNumber.Number != "1001" || data.SipNumber != nil {
			k.Errorf("deleted: %+v %+v", data.DeleteSipNumber, data.SipNumber)
		}
	})
}

// A trunk says nothing of its password; what an update doesn't name stays.
func TestTrunks(t *testing.T) {
	onBoth(t, func(k *kit) {
		operator := k.person(0)
		must(k.svc.ClaimOperator(operator.ctx, must(k.svc.OperatorToken(k.Context()))(k)))(k)
		type trunkSeen struct {
			ID, Name, Address, Transport, CallerID string
			Username, FixedCaller                  *string
			Prefixes, Sources                      []string
			Concurrency, PerMinute                 int
			Register, Disabled                     bool
		}
		var data struct {
			CreateTrunk, UpdateTrunk, DeleteTrunk struct {
				Trunk      trunkSeen
				UserErrors []struct{ Code, Field string }
			}
			Trunk *trunkSeen
		}
		fields := `trunk { id name address transport username register prefixes sources callerId fixedCaller concurrency perMinute disabled } userErrors { code field }`
		k.get(operator.ctx, `mutation { createTrunk(input: {name: "carrier", address: "sip.example.com:5070", transport: TLS, username: "we", password: "secret-word", register: true,
			prefixes: ["86", "+49"], callerId: FIXED, fixedCaller: "+86 21 5186 0000", perMinute: 5}) { `+fields+` } }`, nil, &data)
		made := data.CreateTrunk.Trunk
		if made.Name != "carrier" || made.Transport != "TLS" || *made.Username != "we" || !made.Register || !slices.Equal(made.Prefixes, []string{"49", "86"}) ||
			made.CallerID != "FIXED" || *made.FixedCaller != "+862151860000" || made.Concurrency != 30 || made.PerMinute != 5 || made.Disabled {
			k.Errorf("%+v", data.CreateTrunk)
		}
		k.get(operator.ctx, fmt.Sprintf(`mutation { updateTrunk(input: {id: %q, disabled: true, prefixes: []}) { %s } }`, made.ID, fields), nil, &data)
		if got := data.UpdateTrunk.Trunk; !got.Disabled || len(got.Prefixes) != 0 || got.Address != "sip.example.com:5070" || *got.Username != "we" || got.PerMinute != 5 {
			k.Errorf("%+v", data.UpdateTrunk)
		}
		for input, want := range map[string]string{
			`name: "carrier", address: "sip.example.com"`:                 "[{CONFLICT input.name}]",
			`name: "", address: "sip.example.com"`:                        "[{INVALID input.name}]",
			`name: "other", address: "no host"`:                           "[{INVALID input.address}]",
			`name: "other", address: "192.0.2.1", prefixes: ["086"]`:      "[{INVALID input.prefixes[0]}]",
			`name: "other", address: "192.0.2.1", sources: ["here"]`:      "[{INVALID input.sources[0]}]",
			`name: "other", address: "192.0.2.1", concurrency: 0`:         "[{INVALID input.concurrency}]",
			`name: "other", address: "192.0.2.1", callerId: FIXED`:        "[{INVALID input.fixedCaller}]",
			`name: "other", address: "192.0.2.1", fixedCaller: "nothing"`: "[{INVALID input.fixedCaller}]",
		} {
			k.get(operator.ctx, `mutation { createTrunk(input: {`+input+`}) { `+fields+` } }`, nil, &data)
			if got := fmt.Sprint(data.CreateTrunk.UserErrors); got != want {
				k.Errorf("%s: %s, want %s", input, got, want)
			}
		}
		k.get(operator.ctx, fmt.Sprintf(`mutation { deleteTrunk(input: {id: %q}) { %s } }`, made.ID, fields), nil, &data)
		k.get(operator.ctx, fmt.Sprintf(`{ trunk(id: %q) { id } }`, made.ID), nil, &data)
		if data.DeleteTrunk.Trunk.ID != made.ID || data.Trunk != nil {
			k.Errorf("%+v %+v", data.DeleteTrunk, data.Trunk)
		}
	})
}
