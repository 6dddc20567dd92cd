package graph

import (
	"testing"
	"time"

	"switchboard/comms"
)

const (
	register = `mutation($in: RegisterInput!) { register(input: $in) { account { id email plan operator matrixId apiKey logCursor } token apiKey replayed userErrors { code field } } }`
	login    = `mutation($in: LoginInput!) { login(input: $in) { account { id } token apiKey } }`
)

type accountSeen struct {
	ID, Email, Plan, LogCursor string
	Operator                   bool
	MatrixID, ApiKey           *string
}

type credentialsSeen struct {
	Account       *accountSeen
	Token, ApiKey *string
	Replayed      bool
	UserErrors    []struct{ Code, Field string }
}

// The way in: register, log in, and be known by each of the credentials.
func TestAccount(t *testing.T) {
	onBoth(t, func(k *kit) {
		var data struct {
			Register, Login credentialsSeen
			Me              accountSeen
		}
		in := map[string]any{"in": map[string]any{"email": "Ann@Example.com", "password": "correct horse", "idempotencyKey": "once"}}
		k.get(k.Context(), register, in, &data)
		first := data.Register
		if a := first.Account; a == nil || a.Email != "ann@example.com" || a.Plan != "FREE" || a.Operator || a.MatrixID != nil || a.ApiKey != nil || first.Replayed {
			k.Fatalf("%+v", first)
		}
		k.get(k.Context(), register, in, &data)
		if again := data.Register; !again.Replayed || again.Account.ID != first.Account.ID || *again.ApiKey != *first.ApiKey {
			k.Errorf("the same again: %+v", again)
		}
		k.get(k.Context(), login, map[string]any{"in": map[string]any{"email": "ann@example.com", "password": "correct horse"}}, &data)
		for name, shown := range map[string]comms.Presented{"token": {Bearer: *first.Token}, "login": {Bearer: *data.Login.Token}, "key": {ApiKey: *first.ApiKey}} {
			ctx := comms.WithActor(k.Context(), must(k.svc.Authenticate(k.Context(), shown))(k))
			k.get(ctx, `{ me { id email plan operator matrixId apiKey logCursor } }`, nil, &data)
			if data.Me.ID != first.Account.ID || *data.Me.ApiKey != *first.ApiKey || data.Me.LogCursor == "" {
				k.Errorf("by %s: %+v", name, data.Me)
			}
		}
	})
}

func TestChangesOfAnAccount(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, operator := k.person(0), k.person(0)
		var data struct {
			SetMatrixID, Clear, ClaimOperator, SetAccountPlan credentialsSeen
			RegenerateApiKey, Same, Other                     credentialsSeen
			Me                                                accountSeen
		}
		k.get(me.ctx, `mutation { setMatrixId(input: {matrixId: "@ann:example.com"}) { account { matrixId } } }`, nil, &data)
		if *data.SetMatrixID.Account.MatrixID != "@ann:example.com" {
			k.Errorf("%+v", data.SetMatrixID)
		}
		k.get(me.ctx, `mutation { clear: setMatrixId(input: {}) { account { matrixId } userErrors { code } } }`, nil, &data)
		if data.Clear.Account == nil || data.Clear.Account.MatrixID != nil {
			k.Errorf("cleared: %+v", data.Clear)
		}
		k.get(me.ctx, `mutation { regenerateApiKey(input: {idempotencyKey: "k"}) { apiKey replayed } same: regenerateApiKey(input: {idempotencyKey: "k"}) { apiKey replayed } other: regenerateApiKey { apiKey replayed } }`, nil, &data)
		one, two, three := data.RegenerateApiKey, data.Same, data.Other
		if one.Replayed || !two.Replayed || three.Replayed || *one.ApiKey != *two.ApiKey || *one.ApiKey == *three.ApiKey {
			k.Errorf("%+v %+v %+v", one, two, three)
		}
		token := must(k.svc.OperatorToken(k.Context()))(k)
		k.get(operator.ctx, `mutation($t: String!) { claimOperator(input: {token: $t}) { account { operator } } }`, map[string]any{"t": token}, &data)
		if !data.ClaimOperator.Account.Operator {
			k.Errorf("%+v", data.ClaimOperator)
		}
		set := `mutation($id: ID!) { setAccountPlan(input: {accountId: $id, plan: BUSINESS}) { account { plan email } userErrors { code field } } }`
		k.get(operator.ctx, set, map[string]any{"id": me.account.ID.String()}, &data)
		if a := data.SetAccountPlan.Account; a.Plan != "BUSINESS" || a.Email != me.email {
			k.Errorf("%+v", a)
		}
		k.get(operator.ctx, set, map[string]any{"id": "nobody"}, &data)
		if e := data.SetAccountPlan.UserErrors; len(e) != 1 || e[0].Code != "NOT_FOUND" || e[0].Field != "input.accountId" {
			k.Errorf("%+v", e)
		}
	})
}

func TestApiTokens(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(0)
		type tokenSeen struct {
			ID, Comment string
			Scopes      []string
			ExpiresAt   *string
		}
		var data struct {
			CreateApiToken struct {
				ApiToken tokenSeen
				Value    string
			}
			RevokeApiToken struct{ ApiToken *tokenSeen }
			ApiTokens      struct{ Nodes []tokenSeen }
		}
		k.get(me.ctx, `mutation { createApiToken(input: {scopes: [MESSAGES_SEND, ACCOUNT_READ], ttl: 3600, comment: "bot"}) { apiToken { id comment scopes expiresAt } value } }`, nil, &data)
		made := data.CreateApiToken
		if at, err := time.Parse(time.RFC3339Nano, *made.ApiToken.ExpiresAt); err != nil || time.Until(at).Round(time.Minute) != time.Hour {
			k.Errorf("it ends at %s: %v", *made.ApiToken.ExpiresAt, err)
		}
		if s := made.ApiToken.Scopes; len(s) != 2 || s[0] != "ACCOUNT_READ" || s[1] != "MESSAGES_SEND" {
			k.Errorf("scopes %v", s)
		}
		bot := comms.WithActor(k.Context(), must(k.svc.Authenticate(k.Context(), comms.Presented{Bearer: made.Value}))(k))
		k.get(bot, `{ apiTokens { nodes { id comment scopes expiresAt } } }`, nil, &data)
		if n := data.ApiTokens.Nodes; len(n) != 1 || n[0].ID != made.ApiToken.ID {
			k.Errorf("%+v", n)
		}
		k.get(me.ctx, `mutation($id: ID!) { revokeApiToken(input: {id: $id}) { apiToken { id } } }`, map[string]any{"id": made.ApiToken.ID}, &data)
		if _, err := k.svc.Authenticate(k.Context(), comms.Presented{Bearer: made.Value}); data.RevokeApiToken.ApiToken == nil || !comms.IsCode(err, comms.Unauthenticated) {
			k.Errorf("%+v, %v", data.RevokeApiToken, err)
		}
	})
}

func TestSessions(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(0)
		live := must(k.svc.OpenSession(me.ctx, "graphql"))(k)
		gone := must(k.svc.OpenSession(me.ctx, "opencloud"))(k)
		gone.Close(k.Context())
		var data struct {
			Sessions []struct {
				ID, Kind, CreatedAt, LastSeenAt string
				Active                          bool
			}
		}
		k.get(me.ctx, `{ sessions { id kind createdAt lastSeenAt active } }`, nil, &data)
		if s := data.Sessions; len(s) != 2 || s[0].Kind != "opencloud" || s[0].Active || s[1].ID != live.ID().String() || !s[1].Active {
			k.Errorf("%+v", s)
		}
	})
}
