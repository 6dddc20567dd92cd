package call

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// past puts calls into the store, a second apart, the first an hour ago: "number direction peer outcome seconds" each.
func (x *exchange) past(rows ...string) (ids []uuid.UUID) {
	x.Helper()
	start := clock.Now().Add(-time.Hour)
	x.change(func(ctx context.Context, tx *ent.Client) error {
		ids = ids[:0]
		for i, text := range rows {
			var number, way, peer, outcome string
			var seconds int
			if _, err := fmt.Sscan(text, &number, &way, &peer, &outcome, &seconds); err != nil {
				return err
			}
			n := x.number[number]
			at := start.Add(time.Duration(i) * time.Second)
			row := tx.Call.Create().SetConversationID(uuid.New()).SetAccountID(n.AccountID).SetNumberID(n.ID).SetPeer(peer).SetDirection(call.Direction(way)).
				SetDuration(seconds).SetCreatedAt(at).SetNode("past")
			if outcome != "live" {
				row.SetStatus(call.StatusEnded).SetOutcome(call.Outcome(outcome)).SetEndedAt(at.Add(time.Second))
			}
			made, err := row.Save(ctx)
			if err != nil {
				return err
			}
			ids = append(ids, made.ID)
		}
		return nil
	})
	return ids
}

func TestCalls(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		made := x.past(desk+" incoming "+ann+" answered 61", desk+" incoming "+bob+" missed 0", mobile+" outgoing "+ann+" busy 0",
			mobile+" outgoing 2001 answered 5", shop+" incoming "+ann+" answered 9", desk+" incoming "+cleo+" live 0")
		start := clock.Now().Add(-time.Hour)
		for _, c := range []struct {
			f    CallFilter
			want string // places in made, newest first
		}{
			{CallFilter{}, "53210"},
			{CallFilter{NumberIDs: ids(x.number[mobile])}, "32"},
			{CallFilter{NumberIDs: ids(x.number[mobile], x.number[desk], x.number[desk])}, "53210"},
			{CallFilter{Peer: "13800000001"}, ""},
			{CallFilter{Peer: "008613800000001"}, "20"},
			{CallFilter{Peer: "2001"}, "3"},
			{CallFilter{Status: []call.Status{call.StatusQueued, call.StatusRinging}}, "5"},
			{CallFilter{Outcome: []call.Outcome{call.OutcomeBusy, call.OutcomeMissed}}, "21"},
			{CallFilter{Direction: call.DirectionOutgoing}, "32"},
			{CallFilter{MinDuration: new(5), MaxDuration: new(60)}, "3"},
			{CallFilter{Since: start.Add(2500 * time.Millisecond)}, "53"},
			{CallFilter{Until: start.Add(1500 * time.Millisecond)}, "10"},
			{CallFilter{Live: new(true)}, "5"},
			{CallFilter{Live: new(false), Direction: call.DirectionIncoming}, "10"},
		} {
			page, err := x.calls.Calls(x.alice, c.f, comms.Page{})
			x.must(err)
			got := ""
			for _, row := range page.Items {
				got += fmt.Sprint(slices.Index(made, row.ID))
			}
			n, err := x.calls.CountCalls(x.alice, c.f)
			if got != c.want || err != nil || n != len(c.want) {
				t.Errorf("%+v: %s, counted %d, want %s; %v", c.f, got, n, c.want, err)
			}
		}
		var walked []uuid.UUID
		for p := (comms.Page{First: new(2)}); ; {
			page, err := x.calls.Calls(x.alice, CallFilter{}, p)
			x.must(err)
			for _, row := range page.Items {
				walked = append(walked, row.ID)
			}
			if !page.HasNext {
				break
			}
			p.After = &page.Cursors[len(page.Cursors)-1]
		}
		if want := []uuid.UUID{made[5], made[3], made[2], made[1], made[0]}; !slices.Equal(walked, want) {
			t.Errorf("page by page %v, want %v", walked, want)
		}
		byID, err := x.calls.CallsByID(x.alice, made)
		if err != nil || len(byID) != 5 || byID[made[4]] != nil {
			t.Errorf("%v, %v", byID, err)
		}
	})
}

func TestCallsRefusals(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		for want, f := range map[string]CallFilter{"NOT_FOUND numberIds": {NumberIDs: ids(x.number[desk], x.number[shop])}, "INVALID peer": {Peer: "alice"},
			"INVALID numberIds": {NumberIDs: make([]uuid.UUID, mostNumbers+1)}} {
			if _, err := x.calls.Calls(x.alice, f, comms.Page{}); refusal(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
			if _, err := x.calls.CountCalls(x.alice, f); refusal(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		bad := "x"
		if _, err := x.calls.Calls(x.alice, CallFilter{}, comms.Page{After: &bad}); refusal(err) != "INVALID after BAD_CURSOR" {
			t.Error(err)
		}
		sender := comms.WithActor(t.Context(), &comms.Actor{AccountID: x.number[desk].AccountID, Scopes: comms.SendMessages | comms.PlaceCalls})
		for ctx, want := range map[context.Context]string{t.Context(): "UNAUTHENTICATED", sender: "FORBIDDEN  SCOPE"} {
			_, list := x.calls.Calls(ctx, CallFilter{}, comms.Page{})
			_, count := x.calls.CountCalls(ctx, CallFilter{})
			_, one := x.calls.Call(ctx, uuid.New())
			_, several := x.calls.CallsByID(ctx, nil)
			_, _, history := x.calls.CallHistory(ctx, History{Limit: 1})
			for _, err := range []error{list, count, one, several, history} {
				if refusal(err) != want {
					t.Errorf("%v, want %s", err, want)
				}
			}
		}
	})
}

func TestCallHistory(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		x.past(desk+" incoming "+ann+" answered 45", desk+" incoming "+ann+" missed 0", desk+" incoming "+ann+" live 0", desk+" incoming "+ann+" busy 0",
			desk+" outgoing "+ann+" answered 3", desk+" incoming "+ann+" blocked 0", desk+" incoming "+ann+" answered 1", shop+" incoming "+ann+" answered 1")
		for _, q := range []struct {
			in    History
			rows  string
			total int
		}{
			{History{Limit: 50}, "answered blocked missed missed answered", 5},
			{History{Limit: 50, Status: "all"}, "answered blocked missed missed answered", 5},
			{History{Limit: 2, Offset: 1}, "blocked missed", 5},
			{History{Limit: 50, Offset: 9}, "", 5},
			{History{Limit: 1, Status: "missed"}, "missed", 2},
			{History{Limit: 50, Status: "blocked"}, "blocked", 1},
		} {
			rows, total, err := x.calls.CallHistory(x.alice, q.in)
			var outcomes []string
			for _, r := range rows {
				outcomes = append(outcomes, r.Outcome)
				if r.Number != desk || *r.Call.NumberID != x.number[desk].ID {
					t.Errorf("%+v", r)
				}
			}
			if got := strings.Join(outcomes, " "); err != nil || got != q.rows || total != q.total {
				t.Errorf("%+v: %q of %d, %v", q.in, got, total, err)
			}
		}
		for _, c := range []struct {
			in   History
			want string
		}{{History{Status: "ringing", Limit: 1}, "INVALID status"}, {History{}, "INVALID limit"}, {History{Limit: 501}, "INVALID limit"},
			{History{Limit: 1, Offset: -1}, "INVALID offset"}} {
			if _, _, err := x.calls.CallHistory(x.alice, c.in); refusal(err) != c.want {
				t.Errorf("%+v: %v", c.in, err)
			}
		}
	})
}
