package call

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/application"
	"switchboard/internal/clock"
	"switchboard/internal/content"
)

// The same as TestEveryStatementOfACallSeeks of telephones and where they are registered.
func TestEveryStatementOfATelephoneSeeks(t *testing.T) {
	overheard(t, func(x *exchange, w *watched) {
		ctx, now := t.Context(), clock.Now()
		made, err := x.calls.CreateSipNumber(x.alice, CreateSipNumber{Rings: []string{desk}, IdempotencyKey: "k"})
		x.must(err)
		id := made.SipNumber.ID
		_, err = x.calls.UpdateSipNumber(x.alice, UpdateSipNumber{ID: id, Rings: []string{mobile, desk}})
		x.must(err)
		_, err = x.calls.SipNumbers(x.alice, comms.Page{})
		x.must(err)
		_, err = x.calls.CountSipNumbers(x.alice)
		x.must(err)
		_, err = x.calls.SipPassword(x.alice, id)
		x.must(err)
		_, err = x.calls.AuthenticatePhone(ctx, made.SipNumber.Number, func(string) bool { return true })
		x.must(err)
		at := SaveContact{Phone: id, URI: "sip:a@192.0.2.1", Source: "192.0.2.1:5060", Transport: "udp", CallID: "c", CSeq: 1, Expires: now.Add(time.Hour)}
		x.must(x.calls.SaveContact(ctx, at))
		at.CSeq, at.Expires = 2, at.Expires.Add(time.Hour)
		x.must(x.calls.SaveContact(ctx, at))
		x.must(x.calls.writeRefreshes(ctx))
		at.UserAgent = "another"
		x.must(x.calls.SaveContact(ctx, at))
		there, err := x.calls.Contacts(ctx)
		x.must(err)
		_, err = x.calls.PhonesOf(x.alice, []uuid.UUID{id})
		x.must(err)
		x.must(x.calls.ForgetContacts(ctx, []uuid.UUID{there[0].ID}))
		x.must(x.calls.SaveContact(ctx, at))
		x.must(x.calls.expireContacts(ctx, now.Add(24*time.Hour)))
		_, err = x.calls.ChangeSipPassword(x.alice, ChangeSipPassword{ID: id})
		x.must(err)
		_, err = x.calls.ExplainRoute(x.alice, ExplainRoute{From: desk, To: outsider})
		x.must(err)
		_, err = x.calls.DeleteSipNumber(x.alice, id)
		x.must(err)
		x.seeks(w, 35)
	})
}

// The same of masks, and of the calls that digits lead on.
func TestEveryStatementOfAMaskSeeks(t *testing.T) {
	overheard(t, func(x *exchange, w *watched) {
		ctx, now := t.Context(), clock.Now()
		_, err := x.svc.Provision(ctx, comms.Provision{Accounts: []comms.ProvisionAccount{{Email: "alice@example.com",
			Applications: []comms.ProvisionApplication{{Name: "app", Pool: []string{quiet, mobile}}}}}})
		x.must(err)
		app := x.store.Read().Application.Query().Where(application.Name("app")).OnlyX(ctx)
		w.forget()
		for _, in := range []MaskNumbers{{Kind: "axb", First: ann, Second: bob, TTL: time.Minute}, {Kind: "axyb", First: ann, Second: outsider, AreaCode: ""},
			{Kind: "ax", First: bob, NumberID: x.number[shown].ID}, {Kind: "axe", First: "+8613800000055", NumberID: x.number[quiet].ID, Extension: "12"},
			{Kind: "axe", First: "+8613800000056", NumberID: x.number[quiet].ID}, {Kind: "axb", First: cleo, Second: bob, ApplicationID: app.ID, AreaCode: "0571"}} {
			_, err := x.calls.MaskNumbers(x.alice, in)
			if err != nil && refusal(err) != "CONFLICT numberId NO_NUMBER_FREE" {
				t.Error(err)
			}
		}
		asked := x.route("+8613900000077", quiet)
		if asked.Ask == nil {
			x.Fatalf("%+v", asked.Refuse)
		}
		_, err = x.calls.RouteDigits(ctx, asked.Call, "12")
		x.must(err)
		bound, err := x.calls.BindCall(AsApplication(ctx, app), BindCall{Application: app, Caller: "+8613800000066", Callee: "+8613800000067"})
		x.must(err)
		_, err = x.calls.BindCall(AsApplication(ctx, app), BindCall{Application: app, Caller: "+8613800000067", Callee: "+8613800000066", AreaCode: "0571"})
		if err != nil && refusal(err) != "CONFLICT numberId NO_NUMBER_FREE" {
			t.Error(err)
		}
		for _, f := range []MaskFilter{{}, {Party: bob, Live: new(true)}, {NumberIDs: ids(x.number[quiet]), ApplicationID: app.ID}} {
			_, err = x.calls.Masks(x.alice, f, comms.Page{})
			x.must(err)
			_, err = x.calls.CountMasks(x.alice, f)
			x.must(err)
		}
		_, err = x.calls.MasksByID(x.alice, []uuid.UUID{bound.Mask.ID})
		x.must(err)
		_, err = x.calls.UnmaskNumbers(x.alice, bound.Mask.ID)
		x.must(err)
		_, err = x.calls.endMasksInTime(ctx)
		x.must(err)
		x.must(x.calls.SpendSignature(ctx, "door", "signed"))
		x.must(x.calls.SweepMasks(ctx, now.Add(365*24*time.Hour)))
		x.must(x.calls.SweepSignatures(ctx, now.Add(24*time.Hour)))
		_, err = x.svc.DeleteNumber(x.alice, x.number[quiet].ID)
		x.must(err)
		x.seeks(w, 60)
	})
}

// The same of recordings.
func TestEveryStatementOfARecordingSeeks(t *testing.T) {
	overheard(t, func(x *exchange, w *watched) {
		ctx, now := t.Context(), clock.Now()
		var err error
		x.calls.archive, err = content.OpenArchive(content.Options{Data: t.TempDir()})
		x.must(err)
		talk := x.talking()
		one, err := x.calls.StartRecording(x.alice, talk.ID)
		x.must(err)
		_, err = x.calls.StopRecording(x.alice, talk.ID)
		x.must(err)
		x.must(x.calls.RecordingEnded(ctx, one.ID, Recorded{}))
		for _, f := range []RecordingFilter{{}, {CallIDs: []uuid.UUID{talk.ID}}, {NumberIDs: ids(x.number[desk]), Since: 1, Until: now}} {
			_, err = x.calls.Recordings(x.alice, f, comms.Page{})
			x.must(err)
			_, err = x.calls.CountRecordings(x.alice, f)
			x.must(err)
		}
		_, err = x.calls.RecordingsOfCalls(x.alice, []uuid.UUID{talk.ID})
		x.must(err)
		x.must(x.calls.settleRecordings(ctx, now))
		x.must(x.calls.retireRecordings(ctx, now.Add(365*24*time.Hour)))
		x.must(x.calls.removeUnwanted(ctx, []uuid.UUID{one.ID}))
		_, err = x.calls.DeleteRecording(x.alice, one.ID)
		x.must(err)
		_, err = x.svc.DeleteNumber(x.alice, x.number[desk].ID)
		x.must(err)
		x.calls.orders.Wait()
		x.seeks(w, 30)
	})
}
