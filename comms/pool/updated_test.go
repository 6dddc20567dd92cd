package pool_test

import (
	"context"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/ent"
	"switchboard/ent/number"
	"switchboard/ent/sipnumber"
	"switchboard/internal/clock"
)

// What changes a number or a telephone moves its time of change; what only uses it does not.
func TestTimesOfChange(t *testing.T) {
	onBoth(t, func(f *firm) {
		const long = clock.Micros(1e15)
		phone := f.store.Read().SipNumber.Query().Where(sipnumber.Number("2001")).OnlyX(t.Context())
		g := f.group("g", "sticky", one)
		for name, c := range map[string]struct {
			do            func() error
			number, phone bool
		}{
			"an alias": {func() error { _, err := f.svc.UpdateNumber(f.owner, f.number[one], "desk"); return err }, true, false},
			"an ability": {func() error {
				return f.provision(comms.ProvisionAccount{Numbers: []comms.ProvisionNumber{{Number: one, Ability: "display"}}})
			}, true, false},
			"nothing new": {func() error {
				return f.provision(comms.ProvisionAccount{Numbers: []comms.ProvisionNumber{{Number: one}}, SipNumbers: []comms.ProvisionSipNumber{{Number: "2001"}}})
			}, false, false},
			"a call": {func() error { _, err := f.tryCall(call.PlaceCall{Group: g.ID, To: world(1)}); return err }, false, false},
			"messages": {func() error {
				if _, err := f.svc.SendMessage(f.owner, comms.SendMessage{From: f.number[two], To: []string{one}, Text: "hello"}); err != nil {
					return err
				}
				_, err := f.svc.TakeMessages(comms.AsNumber(t.Context(), f.number[one]), comms.TakeMessages{Numbers: f.ids(one)})
				return err
			}, false, false},
			"a password": {func() error {
				_, err := f.calls.ChangeSipPassword(f.owner, call.ChangeSipPassword{ID: phone.ID})
				return err
			}, false, true},
			"a name": {func() error {
				_, err := f.calls.UpdateSipNumber(f.owner, call.UpdateSipNumber{ID: phone.ID, Alias: new("desk")})
				return err
			}, false, true},
			"rings": {func() error {
				return f.provision(comms.ProvisionAccount{SipNumbers: []comms.ProvisionSipNumber{{Number: "2001", Rings: []string{two}}}})
			}, false, true},
			"a registration": {func() error {
				return f.calls.SaveContact(t.Context(), call.SaveContact{Phone: phone.ID, URI: "sip:2001@192.0.2.7", Source: "192.0.2.7:5060", Transport: "udp",
					CallID: "c", CSeq: 1, Expires: clock.Now().Add(time.Hour)})
			}, false, false},
		} {
			f.change(func(ctx context.Context, tx *ent.Client) error {
				if err := tx.Number.Update().SetUpdatedAt(long).Exec(ctx); err != nil {
					return err
				}
				return tx.SipNumber.Update().SetUpdatedAt(long).Exec(ctx)
			})
			if err := c.do(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			n := f.store.Read().Number.Query().Where(number.Number(one)).OnlyX(t.Context())
			p := f.store.Read().SipNumber.GetX(t.Context(), phone.ID)
			if (n.UpdatedAt != long) != c.number || (p.UpdatedAt != long) != c.phone {
				t.Errorf("%s: the number is of %s, the telephone of %s", name, n.UpdatedAt.Time(), p.UpdatedAt.Time())
			}
		}
	})
}

// Groups that are provisioned are told as any others are, and only what changes.
func TestProvisionedGroupsAreTold(t *testing.T) {
	onBoth(t, func(f *firm) {
		f.group("g", "sticky", one)
		for range 2 { // the second time nothing differs
			f.must(f.provision(comms.ProvisionAccount{Groups: []comms.ProvisionGroup{{Name: "g", Numbers: []string{two}}, {Name: "new"}}}))
		}
		if got := f.told(f.owner, "group"); got != "group.created group.updated group.created" {
			t.Error(got)
		}
	})
}

// provision provisions something of the owner's.
func (f *firm) provision(a comms.ProvisionAccount) error {
	a.Email = "owner@example.com"
	_, err := f.svc.Provision(f.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{a}})
	return err
}
