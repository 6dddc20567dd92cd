package call

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
)

func TestTelephoneFromBirthToDeath(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		made, err := o.calls.CreateSipNumber(o.ctx, CreateSipNumber{Number: "2000", Password: "pa55-word", Rings: []string{"+86 21 5186 0000", "+4930000001"},
			Alias: "Desk", Secure: true})
		if err != nil {
			o.Fatal(err)
		}
		p := made.SipNumber
		if p.Number != "2000" || made.Password != "pa55-word" || p.Alias != "Desk" || !p.Secure || fmt.Sprint(ringsOf(p)) != "[+862151860000 +4930000001]" {
			o.Errorf("%+v %v", made, ringsOf(p))
		}
		if password, err := o.calls.SipPassword(o.ctx, p.ID); password != "pa55-word" || err != nil {
			o.Errorf("its password is %q, %v", password, err)
		}
		// The order is the wish's, because the first number is the one that it shows: exchanging them is a change.
		for _, rings := range [][]string{{"+4930000001", "+862151860000"}, {}, {"+4930000002", "+4930000001"}} {
			if p, err = o.calls.UpdateSipNumber(o.ctx, UpdateSipNumber{ID: p.ID, Rings: rings}); err != nil || fmt.Sprint(ringsOf(p)) != fmt.Sprint(rings) {
				o.Errorf("%v, %v", ringsOf(p), err)
			}
			states, err := o.calls.PhonesOf(o.ctx, []uuid.UUID{p.ID})
			if err != nil || fmt.Sprint(states[p.ID].Rings) != fmt.Sprint(rings) || states[p.ID].Registered() {
				o.Errorf("%+v, %v", states[p.ID], err)
			}
		}
		alias, secure := "Hall", false
		p, err = o.calls.UpdateSipNumber(o.ctx, UpdateSipNumber{ID: p.ID, Alias: &alias, Secure: &secure})
		if err != nil || p.Alias != "Hall" || p.Secure || len(ringsOf(p)) != 2 {
			o.Errorf("%+v, %v", p, err)
		}
		changed, err := o.calls.ChangeSipPassword(o.ctx, ChangeSipPassword{ID: p.ID})
		if err != nil || len(changed.Password) != 32 || changed.SipNumber.ID != p.ID {
			o.Errorf("%+v, %v", changed, err)
		}
		if password, err := o.calls.SipPassword(o.ctx, p.ID); password != changed.Password || err != nil {
			o.Errorf("its password is %q, %v", password, err)
		}
		if gone, err := o.calls.DeleteSipNumber(o.ctx, p.ID); err != nil || gone.Number != "2000" || len(ringsOf(gone)) != 2 {
			o.Errorf("%+v, %v", gone, err)
		}
		_, err = o.calls.SipNumber(o.ctx, p.ID)
		o.is("a deleted one", err, "NOT_FOUND id")
		if got := o.told("phone"); got != "created updated updated updated updated updated deleted" {
			o.Errorf("told: %s", got)
		}
	})
}

func TestTelephonesThatAreRefused(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.phone()
		many := make([]string, 101)
		for i := range many {
			many[i] = fmt.Sprintf("+49300000%03d", i)
		}
		taken, err := o.calls.CreateSipNumber(o.stranger, CreateSipNumber{Number: "3000"})
		if err != nil {
			o.Fatal(err)
		}
		for want, in := range map[string]CreateSipNumber{
			"INVALID number":         {Number: "1"},
			"INVALID  number":        {Number: "bob"},
			"INVALID   number":       {Number: "1234567890123456"},
			"INVALID password":       {Password: "short"},
			"INVALID  password":      {Password: "with a space"},
			"INVALID   password":     {Password: strings.Repeat("x", 129)},
			"INVALID rings[0]":       {Rings: []string{"x"}},
			"CONFLICT rings[1]":      {Rings: []string{"+4930000001", "004930000001"}},
			"INVALID rings":          {Rings: many},
			"INVALID alias":          {Alias: "a\nb"},
			"CONFLICT number":        {Number: taken.SipNumber.Number},
			"INVALID idempotencyKey": {IdempotencyKey: "\n"},
		} {
			_, err := o.calls.CreateSipNumber(o.ctx, in)
			o.is(fmt.Sprintf("%+v", in), err, strings.Join(strings.Fields(want), " "))
		}
		if n, err := o.calls.CountSipNumbers(o.ctx); n != 1 || err != nil {
			o.Errorf("there are %d, %v", n, err)
		}
	})
}

func TestTelephonesOfOthers(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		p := o.phone("+862151860000")
		o.register(p, "tls:a", 1)
		reader := comms.WithActor(o.Context(), &comms.Actor{AccountID: o.account, Scopes: comms.ReadNumbers})
		alias := "mine now"
		for name, do := range map[string]func(ctx context.Context) error{
			"read":     func(ctx context.Context) error { _, err := o.calls.SipNumber(ctx, p.ID); return err },
			"password": func(ctx context.Context) error { _, err := o.calls.SipPassword(ctx, p.ID); return err },
			"update": func(ctx context.Context) error {
				_, err := o.calls.UpdateSipNumber(ctx, UpdateSipNumber{ID: p.ID, Alias: &alias})
				return err
			},
			"change": func(ctx context.Context) error {
				_, err := o.calls.ChangeSipPassword(ctx, ChangeSipPassword{ID: p.ID})
				return err
			},
			"delete":  func(ctx context.Context) error { _, err := o.calls.DeleteSipNumber(ctx, p.ID); return err },
			"loaders": func(ctx context.Context) error { return found(o.calls.PhonesOf(ctx, []uuid.UUID{p.ID})) },
		} {
			o.is("a stranger: "+name, do(o.stranger), "NOT_FOUND id")
			o.is("nobody: "+name, do(o.Context()), "UNAUTHENTICATED")
			if name != "read" && name != "loaders" {
				o.is("without the scope: "+name, do(reader), "FORBIDDEN")
			}
		}
		if list, err := o.calls.SipNumbers(o.stranger, comms.Page{}); err != nil || len(list.Items) != 0 {
			o.Errorf("a stranger's list: %+v, %v", list, err)
		}
		if list, err := o.calls.SipNumbers(reader, comms.Page{}); err != nil || len(list.Items) != 1 || list.Items[0].ID != p.ID {
			o.Errorf("the owner's list: %+v, %v", list, err)
		}
		if got := o.told("phone"); got != "created registered" {
			o.Errorf("told: %s", got)
		}
	})
}

// found makes a loader that found nothing look like a verb that did.
func found(states map[uuid.UUID]*PhoneState, err error) error {
	if err == nil && len(states) == 0 {
		return noRecording("id")
	}
	return err
}

func TestTheSameTelephoneTwice(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		in := CreateSipNumber{Rings: []string{"+862151860000"}, IdempotencyKey: "k"}
		first, err := o.calls.CreateSipNumber(o.ctx, in)
		if err != nil {
			o.Fatal(err)
		}
		again, err := o.calls.CreateSipNumber(o.ctx, in)
		if err != nil || !again.Replayed || first.Replayed || again.SipNumber.ID != first.SipNumber.ID || again.Password != first.Password ||
			fmt.Sprint(ringsOf(again.SipNumber)) != "[+862151860000]" {
			o.Errorf("%+v and then %+v, %v", first, again, err)
		}
		in.Password = "pa55-word"
		_, err = o.calls.CreateSipNumber(o.ctx, in)
		o.is("another under that key", err, "CONFLICT idempotencyKey")
		if got := o.told("phone"); got != "created" {
			o.Errorf("told: %s", got)
		}
	})
}

// Of many who want one number one gets it, and the others are told so.
func TestManyWantOneNumber(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		var all sync.WaitGroup
		var mu sync.Mutex
		got := map[string]int{}
		for range 8 {
			all.Go(func() {
				_, err := o.calls.CreateSipNumber(o.ctx, CreateSipNumber{Number: "4000"})
				mu.Lock()
				defer mu.Unlock()
				if e := comms.AsError(err); e != nil {
					got[e.Code.String()+e.Field]++
				} else {
					got["made"]++
				}
			})
		}
		all.Wait()
		if got["made"] != 1 || got["CONFLICTnumber"] != 7 {
			o.Errorf("%v", got)
		}
	})
}

func TestTelephonesProveWhoTheyAre(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		made, err := o.calls.CreateSipNumber(o.ctx, CreateSipNumber{Number: "2000", Password: "pa55-word"})
		if err != nil {
			o.Fatal(err)
		}
		proves := func(want string) func(string) bool { return func(password string) bool { return password == want } }
		if p, err := o.calls.AuthenticatePhone(o.Context(), "2000", proves("pa55-word")); err != nil || p.ID != made.SipNumber.ID {
			o.Errorf("%+v, %v", p, err)
		}
		_, err = o.calls.AuthenticatePhone(o.Context(), "2000", proves("another"))
		o.is("a wrong password", err, "UNAUTHENTICATED")
		asked := false
		_, unknown := o.calls.AuthenticatePhone(o.Context(), "2001", func(string) bool { asked = true; return true })
		if unknown == nil || !asked || unknown.Error() != err.Error() {
			o.Errorf("unknown: %v, wrong: %v", unknown, err)
		}
		// What was provisioned is as good as what was created, and the other way round.
		there, err := o.svc.Provision(o.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{{Email: "owner@example.com",
			SipNumbers: []comms.ProvisionSipNumber{{Number: "2000", Password: "not-this-one"}, {Number: "2002"}}}}})
		if err != nil || there.Accounts[0].SipNumbers[0].Password != "pa55-word" {
			o.Fatalf("%+v, %v", there, err)
		}
		if _, err := o.calls.AuthenticatePhone(o.Context(), "2002", proves(there.Accounts[0].SipNumbers[1].Password)); err != nil {
			o.Error(err)
		}
	})
}

// A number that is deleted is nobody's: a telephone that rang for it must not stand for it as for an outside one.
func TestARingedNumberIsDeleted(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		p := o.phone("+862151860000", "+4930000001")
		o.phone("+4930000001")
		if _, err := o.svc.DeleteNumber(o.ctx, o.number.ID); err != nil {
			o.Fatal(err)
		}
		states, err := o.calls.PhonesOf(o.ctx, []uuid.UUID{p.ID})
		if err != nil || fmt.Sprint(states[p.ID].Rings) != "[+4930000001]" {
			o.Errorf("it rings for %v, %v", states[p.ID].Rings, err)
		}
		if got := o.told("phone"); got != "created created updated" {
			o.Errorf("told: %s", got)
		}
	})
}
