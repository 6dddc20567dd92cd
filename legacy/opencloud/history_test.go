package opencloud

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/internal/house"
)

func TestHistory(t *testing.T) {
	onBoth(t, func(w *world) {
		u := w.join("user@example.com")
		n := w.number(u)
		w.want(http.StatusOK, nil, "PUT", "/api/numbers/"+n.ID.String(), `{"alias":"業務專線"}`, u.bearer...)
		w.change(func(ctx context.Context, tx *ent.Client) error {
			owner, err := tx.Number.Get(ctx, n.ID)
			if err != nil {
				return err
			}
			for i, outcome := range []call.Outcome{call.OutcomeAnswered, call.OutcomeCancelled, call.OutcomeBlocked} {
				err := tx.Call.Create().SetAccountID(owner.AccountID).SetNumberID(n.ID).SetPeer("+886912345678").SetConversationID(uuid.New()).SetStatus(call.StatusEnded).SetOutcome(outcome).SetDuration(45).
					SetDirection(call.DirectionIncoming).SetCreatedAt(owner.CreatedAt.Add(time.Duration(i) * time.Second)).Exec(ctx)
				if err != nil {
					return err
				}
			}
			return nil
		})
		var h historyBody
		w.want(http.StatusOK, &h, "GET", "/api/history?limit=2", "", u.bearer...)
		if h.Total != 3 || h.Limit != 2 || len(h.History) != 2 || h.History[0].Status != "blocked" || h.History[1].Status != "missed" {
			t.Fatalf("%+v", h)
		}
		s := &script{world: w, chosen: map[string]string{"number": n.Number, "n": n.ID.String()}}
		s.request([]string{"GET /api/history?status=answered", "X-API-Key: " + u.key}, []string{"200", `{"history":[{"id":"{id:uuid}","number_id":"{n}",` +
			`"caller_num":"+886912345678","status":"answered","duration":45,"created_at":{at:ms},"number":"{number}","alias":"業務專線"}],"total":1,"limit":50,"offset":0}`})
		w.want(http.StatusOK, nil, "DELETE", "/api/numbers/"+n.ID.String(), "", u.bearer...)
		w.want(http.StatusOK, &h, "GET", "/api/history", "", u.bearer...)
		if h.Total != 0 || len(h.History) != 0 {
			t.Errorf("the records of a deleted number: %+v", h)
		}
	})
}

func TestHistoryQueries(t *testing.T) {
	w := newWorld(t, house.SQLite(t), settings{})
	u := w.join("user@example.com")
	for query, want := range map[string]int{
		"": 200, "status=all": 200, "status=answered": 200, "status=blocked&limit=1&offset=0": 200, "other=1": 200, "limit=500": 200,
		"status=": 400, "status=Missed": 400, "status=busy": 400, "limit=": 400, "limit=0": 400, "limit=-1": 400, "limit=501": 400, "limit=1.0": 400,
		"limit=99999999999999999999": 400, "offset=-1": 400, "offset=": 400, "limit=%zz": 400, "a=1;b=2": 400,
	} {
		if got := w.do("GET", "/api/history?"+query, "", u.bearer...); got.StatusCode != want {
			t.Errorf("%q: %d %s", query, got.StatusCode, got.body)
		}
	}
}
