package graph

import (
	"slices"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/clock"
)

type callSeen struct {
	Direction, Peer, Status, UserData, CreatedAt string
	Outcome, Reason                              *string
	DialledAt, RingingAt, AnsweredAt, EndedAt    *string
}

// everyCall does what each kind of event about calls tells of, once at least.
func (k *kit) everyCall(me *person) {
	k.Helper()
	c := k.placed(me, call.PlaceCall{UserData: "flowers"})
	k.answers(c)
	rec := k.recorded(me, c)
	must(k.calls.DeleteRecording(me.ctx, rec.ID))(k)
	lost := must(k.calls.StartRecording(me.ctx, c.ID))(k)
	if err := k.calls.RecordingEnded(k.Context(), lost.ID, call.Recorded{File: "nowhere.wav"}); err != nil {
		k.Fatal(err)
	}
	must(k.calls.Transfer(me.ctx, call.Transfer{Call: c.ID, To: "+999000000002"}))(k)
	if err := k.calls.CallTransferred(k.Context(), c.ID, ""); err != nil { // the new side answered
		k.Fatal(err)
	}
	k.ends(c, hungUp)

	m := k.masked(me, "+8613800000001", "+8613800000002")
	must(k.calls.UnmaskNumbers(me.ctx, m.ID))(k)
	made := must(k.svc.Provision(k.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{{Email: me.email,
		Applications: []comms.ProvisionApplication{{Name: "shop", Pool: []string{me.numbers[0].Number}}}}}}))(k).Accounts[0].Applications[0]
	app := must(k.calls.AuthenticateApplication(k.Context(), made.AppID, made.AccountToken))(k)
	bind := call.BindCall{Application: app, Caller: "+8613800000003", Callee: "+8613800000004"}
	for range 2 { // the second renews it
		must(k.calls.BindCall(call.AsApplication(k.Context(), bind.Application), bind))(k)
	}

	phone := must(k.calls.CreateSipNumber(me.ctx, call.CreateSipNumber{Alias: "desk"}))(k).SipNumber
	must(k.calls.UpdateSipNumber(me.ctx, call.UpdateSipNumber{ID: phone.ID, Rings: []string{me.numbers[0].Number}}))(k)
	contact := call.SaveContact{Phone: phone.ID, URI: "sip:desk@192.0.2.1", Source: "192.0.2.1:5060", Transport: "udp", CallID: "c", CSeq: 1,
		Expires: clock.Now().Add(time.Hour)}
	for range 2 { // the second goes
		if err := k.calls.SaveContact(k.Context(), contact); err != nil {
			k.Fatal(err)
		}
		contact.CSeq, contact.Expires = 2, 0
	}
	must(k.calls.DeleteSipNumber(me.ctx, phone.ID))(k)
}

// toldOfCall is told for what is about calls: each step shows the call as it was then, whatever became of it since.
func (k *kit) toldOfCall(e eventSeen) bool {
	k.Helper()
	switch e.Typename {
	case "CallEvent":
		if e.Call.UserData != "flowers" { // the binding's
			return e.Call.Status != ""
		}
		step := slices.Index([]string{"CALL_QUEUED", "CALL_DIALLED", "CALL_RANG", "CALL_ANSWERED", "CALL_ENDED"}, e.Kind)
		times := []*string{&e.Call.CreatedAt, e.Call.DialledAt, e.Call.RingingAt, e.Call.AnsweredAt, e.Call.EndedAt}
		if e.Kind == "CALL_TRANSFERRED" {
			step = 3
		}
		ended := e.Call.Outcome != nil && *e.Call.Outcome == "ANSWERED" && *e.Call.Reason == "HUNG_UP"
		for i, at := range times {
			if (at != nil) != (i <= step) {
				k.Errorf("%s: time %d is %v", e.Kind, i, at)
			}
		}
		return e.Call.Status == wholeCall[step] && e.Call.Direction == "OUTGOING" && e.Call.Peer == "+999000000001" && ended == (e.Kind == "CALL_ENDED")
	case "RecordingEvent":
		ready := e.Kind == "RECORDING_READY"
		known := map[string]string{"RECORDING_STARTED": "RECORDING", "RECORDING_READY": "READY", "RECORDING_FAILED": "FAILED", "RECORDING_DELETED": "DELETED"}
		return e.Recording.Status == known[e.Kind] && (e.Recording.URL != nil) == ready && (!ready || e.Recording.Duration == 0.5 && e.Recording.Size == 44+4*4000)
	case "MaskEvent":
		return e.Mask.Kind == "AXB" && e.Mask.First != "" && e.Mask.Second != "" && e.Mask.Live == (e.Kind != "MASK_ENDED")
	case "PhoneEvent":
		return e.SipNumber.Alias == "desk"
	}
	return false
}
