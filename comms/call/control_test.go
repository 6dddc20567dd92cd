package call

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
)

// talking is an answered call of alice's desk to an outsider.
func (x *exchange) talking() *comms.Call {
	x.Helper()
	placed, err := x.calls.PlaceCall(x.alice, PlaceCall{From: x.number[desk].ID, To: outsider})
	x.must(err)
	x.must(x.calls.CallAnswered(x.Context(), placed.Call.ConversationID))
	return placed.Call
}

func TestHangUp(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		row, err := x.calls.HangUp(x.alice, x.talking().ID)
		if err != nil || *row.Outcome != call.OutcomeAnswered || row.Reason != "hung_up" || x.engine.asked() != "hang up hung_up" {
			t.Errorf("%+v, %v", row, err)
		}
		again, err := x.calls.HangUp(x.alice, row.ID)
		if err != nil || *again.EndedAt != *row.EndedAt || x.engine.asked() != "" {
			t.Errorf("%+v, %v", again, err)
		}
		x.must(x.calls.CallEnded(t.Context(), row.ConversationID, End{Why: WhyHungUp}))
		v := x.route("3000", desk) // robin's call: each side hangs up by its own record
		mine := x.recordOf(x.alice, v.Call)
		if _, err := x.calls.HangUp(x.alice, v.Call); refusal(err) != "NOT_FOUND id" {
			t.Errorf("by another account's record: %v", err)
		}
		x.engine.refuse["hang"] = comms.Refused(comms.NotFound, "", "", "") // the engine lost it
		row, err = x.calls.HangUp(x.alice, mine)
		if err != nil || *row.Outcome != call.OutcomeCancelled {
			t.Errorf("%+v, %v", row, err)
		}
		x.engine.refuse["hang"] = errors.New("no way")
		if _, err := x.calls.HangUp(x.alice, x.talking().ID); err == nil {
			t.Error("the engine refuses, and nobody says so")
		}
	})
}

// recordOf is the firm's record of a conversation.
func (x *exchange) recordOf(firm context.Context, conversation uuid.UUID) uuid.UUID {
	x.Helper()
	id, err := x.store.Read().Call.Query().Where(call.ConversationID(conversation), call.AccountID(comms.ActorOf(firm).AccountID)).OnlyID(x.Context())
	x.must(err)
	return id
}

func TestControl(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		id := x.talking().ID
		for _, c := range []struct {
			what string
			do   func(ctx context.Context, id uuid.UUID) error
			want string // of the engine
		}{
			{"digits", func(ctx context.Context, id uuid.UUID) error {
				_, err := x.calls.SendDigits(ctx, SendDigits{Call: id, Digits: "12,a#"})
				return err
			}, "digits 12,A#"},
			{"transfer", func(ctx context.Context, id uuid.UUID) error {
				_, err := x.calls.Transfer(ctx, Transfer{id, shop})
				return err
			}, "transfer +8657151860001 as +862151860000"},
			{"record", func(ctx context.Context, id uuid.UUID) error {
				_, err := x.calls.StartRecording(ctx, id)
				return err
			}, "record"},
			{"record again", func(ctx context.Context, id uuid.UUID) error {
				r, err := x.calls.StartRecording(ctx, id)
				if err == nil && r.CallID != id {
					return errors.New("it says nothing of the recording that runs")
				}
				return err
			}, ""},
			{"stop", func(ctx context.Context, id uuid.UUID) error {
				_, err := x.calls.StopRecording(ctx, id)
				return err
			}, "stop"},
		} {
			reader := comms.WithActor(t.Context(), &comms.Actor{AccountID: comms.ActorOf(x.alice).AccountID, Scopes: comms.ReadRecords})
			for ctx, want := range map[context.Context]string{t.Context(): "UNAUTHENTICATED", x.robin: "NOT_FOUND id", reader: "FORBIDDEN  SCOPE"} {
				if err := c.do(ctx, id); refusal(err) != want {
					t.Errorf("%s: %v, want %s", c.what, err, want)
				}
			}
			if err := c.do(x.alice, id); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			if got := x.engine.asked(); got != c.want {
				t.Errorf("%s: ordered %q", c.what, got)
			}
			if c.what == "record" {
				continue
			}
			if err := c.do(x.alice, x.route("2000", outsider).Call); refusal(err) != "CONFLICT id" {
				t.Errorf("%s before the answer: %v", c.what, err)
			}
		}
	})
}

func TestControlRefusals(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		id := x.talking().ID
		for _, digits := range []string{"", "12 3", "x", "１", fmt.Sprintf("%065d", 1)} {
			if _, err := x.calls.SendDigits(x.alice, SendDigits{Call: id, Digits: digits}); refusal(err) != "INVALID digits" {
				t.Errorf("%q: %v", digits, err)
			}
		}
		for to, want := range map[string]string{"alice": "NOT_FOUND to", "+12025550123": "FORBIDDEN to", quiet: "CONFLICT to"} {
			if _, err := x.calls.Transfer(x.alice, Transfer{id, to}); refusal(err) != want {
				t.Errorf("transfer to %s: %v", to, err)
			}
		}
	})
}

// A recording that the engine does not begin has failed, and says so; the call goes on.
func TestRecordingThatDoesNotBegin(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		x.engine.refuse["record"] = errors.New("no disk")
		row := x.talking()
		if _, err := x.calls.StartRecording(x.alice, row.ID); err == nil {
			t.Error("it began")
		}
		there, err := x.calls.RecordingsOfCalls(x.alice, []uuid.UUID{row.ID})
		if err != nil || len(there[row.ID]) != 1 || there[row.ID][0].Status != "failed" {
			t.Errorf("%+v, %v", there, err)
		}
		if now, err := x.calls.Call(x.alice, row.ID); err != nil || now.Status != call.StatusAnswered {
			t.Errorf("%+v, %v", now, err)
		}
	})
}

// The record names the new side when it has answered, and never one that has not.
func TestTransferIsTrueBeforeTold(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		row := x.talking()
		told := func(want int) {
			t.Helper()
			if got := strings.Count(strings.Join(x.told(x.alice), " "), "transferred"); got != want {
				t.Errorf("told %d times, want %d", got, want)
			}
		}
		second := func(want string) {
			t.Helper()
			if now, err := x.calls.Call(x.alice, row.ID); err != nil || now.Second != want {
				t.Errorf("%q, want %q: %v", now.Second, want, err)
			}
		}
		transfer := func() {
			t.Helper()
			_, err := x.calls.Transfer(x.alice, Transfer{row.ID, shop})
			x.must(err)
		}
		over := func(why Why) { t.Helper(); x.must(x.calls.CallTransferred(t.Context(), row.ConversationID, why)) }
		transfer()
		if _, err := x.calls.Transfer(x.alice, Transfer{row.ID, outsider}); refusal(err) != "CONFLICT id" {
			t.Errorf("another one meanwhile: %v", err)
		}
		over(WhyBusy)
		second("")
		transfer()
		second("")
		over("")
		over("") // a report may come twice
		second(shop)
		told(1)
		x.engine.refuse["transfer"] = errors.New("not now")
		if _, err := x.calls.Transfer(x.alice, Transfer{row.ID, outsider}); err == nil {
			t.Error("it was ordered")
		}
		over("")
		second(shop)
		told(1)
	})
}

// A recording that was stopped is not under way any more, though its file is not in the archive yet: the call can have another one.
func TestStopAndRecordAgain(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		id := x.talking().ID
		one, err := x.calls.StartRecording(x.alice, id)
		x.must(err)
		stopped, err := x.calls.StopRecording(x.alice, id)
		x.must(err)
		if r, err := x.calls.StopRecording(x.alice, id); refusal(err) != "CONFLICT id" || r != nil {
			t.Errorf("stopped twice: %v, %v", r, err)
		}
		two, err := x.calls.StartRecording(x.alice, id)
		x.must(err)
		if stopped.ID != one.ID || two.ID == one.ID {
			t.Errorf("%v, %v, %v", one.ID, stopped.ID, two.ID)
		}
		x.must(x.calls.RecordingEnded(t.Context(), one.ID, Recorded{}))
		if r, err := x.calls.StopRecording(x.alice, id); err != nil || r.ID != two.ID {
			t.Errorf("%v, %v", r, err)
		}
		if got := x.engine.asked(); got != "record; stop; record; stop" {
			t.Errorf("ordered %q", got)
		}
	})
}
