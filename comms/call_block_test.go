package comms_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// calls puts calls to a number into the store, a second apart.
func (w *world) calls(n *comms.Number, outcomes ...call.Outcome) {
	w.Helper()
	w.change(func(ctx context.Context, tx *ent.Client) error {
		for _, outcome := range outcomes {
			w.drawn++
			at := clock.Micros(w.drawn) * 1e6
			err := tx.Call.Create().SetAccountID(n.AccountID).SetNumberID(n.ID).SetPeer("+886912345678").SetDirection(call.DirectionIncoming).
				SetConversationID(uuid.New()).SetStatus(call.StatusEnded).SetOutcome(outcome).SetDuration(45).SetCreatedAt(at).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func TestBlocks(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.register("a@example.com")
		got := race(4, func(int) error {
			return second(w.svc.BlockNumber(c.ctx, comms.BlockNumber{Number: "+886 912-345-678"}))
		})
		if got[""] != 4 {
			t.Error(got)
		}
		first, err := w.svc.BlockNumber(c.ctx, comms.BlockNumber{Number: "886912345678", IdempotencyKey: "k"})
		if err != nil || first.Block.Number != "+886912345678" {
			t.Fatalf("%+v, %v", first, err)
		}
		page, err := w.svc.BlockedNumbers(c.ctx, comms.Page{})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != first.Block.ID {
			t.Errorf("%v %v", page, err)
		}
		if _, err := w.svc.BlockNumber(c.ctx, comms.BlockNumber{Number: "me"}); refusal(err) != "INVALID number" {
			t.Error(err)
		}
		got = race(3, func(int) error { return second(w.svc.UnblockNumber(c.ctx, "00886912345678")) })
		if got[""] != 1 || got["NOT_FOUND number"] != 2 {
			t.Error(got)
		}
		again, err := w.svc.BlockNumber(c.ctx, comms.BlockNumber{Number: "886912345678", IdempotencyKey: "k"})
		if err != nil || !again.Replayed || again.Block.ID != first.Block.ID {
			t.Errorf("the key gives the first result: %+v, %v", again, err)
		}
		if kinds, _ := w.story(c.ctx); fmt.Sprint(kinds) != "[number.blocked number.unblocked]" {
			t.Error(kinds)
		}
	})
}

// Nothing is done by nobody.
func TestVerbsNeedAnActor(t *testing.T) {
	onBoth(t, func(w *world) {
		ctx := t.Context()
		id := uuid.New()
		expired := comms.WithActor(ctx, &comms.Actor{AccountID: id, Scopes: 1<<16 - 1, ExpiresAt: time.Now().Add(-time.Second)})
		for _, ctx := range []context.Context{ctx, expired, comms.AsNumber(ctx, id)} {
			for name, err := range map[string]error{
				"me": second(w.svc.Me(ctx)), "key": second(w.svc.ApiKey(ctx)), "regenerate": third(w.svc.RegenerateApiKey(ctx, "")),
				"token": second(w.svc.IssueToken(ctx)), "matrix": second(w.svc.SetMatrixID(ctx, "@a:b")),
				"claim": second(w.svc.ClaimOperator(ctx, "")), "accounts": second(w.svc.Accounts(ctx, comms.Page{})),
				"plan":   second(w.svc.SetAccountPlan(ctx, comms.SetAccountPlan{})),
				"tokens": second(w.svc.ApiTokens(ctx, comms.Page{})), "new token": second(w.svc.CreateApiToken(ctx, comms.CreateApiToken{})),
				"revoke": second(w.svc.RevokeApiToken(ctx, id)), "revoke all": second(w.svc.RevokeApiTokens(ctx, "")),
				"open": second(w.svc.OpenSession(ctx, "opencloud")), "sessions": second(w.svc.Sessions(ctx, 1)),
				"number": second(w.svc.Number(ctx, id)), "numbers": second(w.svc.Numbers(ctx, comms.Page{})),
				"all": second(w.svc.AllNumbers(ctx)), "by id": second(w.svc.NumbersByID(ctx, nil)),
				"create": second(w.svc.CreateNumber(ctx, comms.CreateNumber{})), "update": second(w.svc.UpdateNumber(ctx, id, "")),
				"pin": w.svc.ChangeNumberPIN(ctx, comms.ChangeNumberPIN{}), "delete": second(w.svc.DeleteNumber(ctx, id)),
				"block": second(w.svc.BlockNumber(ctx, comms.BlockNumber{})), "unblock": second(w.svc.UnblockNumber(ctx, "")),
				"blocks": second(w.svc.BlockedNumbers(ctx, comms.Page{})),
			} {
				if refusal(err) != "UNAUTHENTICATED" {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	})
}
