package call

import (
	"testing"

	"github.com/google/uuid"

	"switchboard/ent/call"
)

// Who is called by a transfer has a record of it: it is answered, and ends when that side leaves; or it was missed.
func TestWhoIsCalledByATransferHasARecord(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		talk := x.talking()
		_, err := x.calls.Transfer(x.alice, Transfer{talk.ID, shop})
		x.must(err)
		joined := x.joined(talk.ID)
		x.must(x.calls.CallRinging(t.Context(), joined))
		x.must(x.calls.CallAnswered(t.Context(), joined))
		x.must(x.calls.CallTransferred(t.Context(), talk.ID, ""))
		if got := x.records(joined); got != shop+` incoming "`+desk+`" answered` {
			t.Errorf("while it lasts: %s", got)
		}
		x.must(x.calls.CallEnded(t.Context(), joined, End{Why: WhyHungUp}))
		if got := x.records(joined); got != shop+` incoming "`+desk+`" answered hung_up ended` {
			t.Errorf("then: %s", got)
		}
		if row, err := x.calls.Call(x.alice, talk.ID); err != nil || row.Status != call.StatusAnswered || row.Second != shop {
			t.Errorf("the call that it joined: %+v, %v", row, err)
		}

		_, err = x.calls.Transfer(x.alice, Transfer{talk.ID, shop})
		x.must(err)
		joined = x.joined(talk.ID)
		x.must(x.calls.CallEnded(t.Context(), joined, End{Why: WhyNoAnswer}))
		x.must(x.calls.CallTransferred(t.Context(), talk.ID, WhyNoAnswer))
		if got := x.records(joined); got != shop+` incoming "`+desk+`" missed no_answer ended` {
			t.Errorf("nobody answered: %s", got)
		}
	})
}

// joined is the only live conversation beside that one.
func (x *exchange) joined(talk uuid.UUID) uuid.UUID {
	x.Helper()
	return x.store.Read().Call.Query().Where(call.ConversationIDNEQ(talk), call.EndedAtIsNil()).OnlyX(x.Context()).ConversationID
}

// Transfers are calls like any others: who may make so many a minute may not make more by transferring one on and on.
func TestTransfersCount(t *testing.T) {
	exchangesWith(t, Options{Limits: Limits{PerMinute: 3}}, func(x *exchange) {
		talk := x.talking()
		for _, want := range []string{"", "", "LIMITED"} {
			_, err := x.calls.Transfer(x.alice, Transfer{talk.ID, outsider})
			if got := refusal(err); got != want {
				t.Fatalf("%q, want %q", got, want)
			}
			x.must(x.calls.CallTransferred(t.Context(), talk.ID, ""))
		}
		if n := x.calls.live.load.trunks[x.trunk]; n != 3 { // one that has left is counted until that is reported
			t.Errorf("the trunk has %d calls", n)
		}
	})
}
