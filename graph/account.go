package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/comms/mail"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) Me(ctx context.Context) (*comms.Account, error) {
	a, err := r.svc.Me(ctx)
	return a, refusal(err)
}

func (r queryResolver) Accounts(ctx context.Context, first *int, after *string, last *int, before *string) (*model.AccountConnection, error) {
	return connection(r.svc.Accounts(ctx, comms.Page{First: first, After: after, Last: last, Before: before}))
}

func (r mutationResolver) Register(ctx context.Context, in gen.RegisterInput) (*gen.RegisterPayload, error) {
	c, err := r.svc.Register(ctx, comms.Register{Email: in.Email, Password: in.Password, IdempotencyKey: text(in.IdempotencyKey)})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.RegisterPayload{UserErrors: wrong}, err
	}
	return &gen.RegisterPayload{Account: c.Account, Token: &c.Token, ApiKey: &c.ApiKey, Replayed: c.Replayed}, nil
}

func (r mutationResolver) RegisterByMail(ctx context.Context, in gen.RegisterByMailInput) (*gen.RegisterByMailPayload, error) {
	c, err := r.mails.RegisterByMail(ctx, mail.RegisterByMail{Email: in.Email, Password: in.Password, Base: baseURL(ctx),
		IdempotencyKey: text(in.IdempotencyKey)})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.RegisterByMailPayload{UserErrors: wrong}, err
	}
	return &gen.RegisterByMailPayload{Account: c.Account, Replayed: c.Replayed}, nil
}

func (r mutationResolver) Login(ctx context.Context, in gen.LoginInput) (*gen.LoginPayload, error) {
	c, err := r.svc.Login(ctx, in.Email, in.Password)
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.LoginPayload{UserErrors: wrong}, err
	}
	return &gen.LoginPayload{Account: c.Account, Token: &c.Token, ApiKey: &c.ApiKey}, nil
}

func (r mutationResolver) SetMatrixID(ctx context.Context, in gen.SetMatrixIDInput) (*gen.SetMatrixIDPayload, error) {
	var a *comms.Account
	var err error
	if in.MatrixID == nil {
		a, err = r.svc.ClearMatrixID(ctx)
	} else {
		a, err = r.svc.SetMatrixID(ctx, *in.MatrixID)
	}
	wrong, err := userErrors(err)
	return &gen.SetMatrixIDPayload{Account: a, UserErrors: wrong}, err
}

func (r mutationResolver) RegenerateApiKey(ctx context.Context, in gen.RegenerateApiKeyInput) (*gen.RegenerateApiKeyPayload, error) {
	key, replayed, err := r.svc.RegenerateApiKey(ctx, text(in.IdempotencyKey))
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.RegenerateApiKeyPayload{UserErrors: wrong}, err
	}
	return &gen.RegenerateApiKeyPayload{ApiKey: &key, Replayed: replayed}, nil
}

func (r mutationResolver) ClaimOperator(ctx context.Context, in gen.ClaimOperatorInput) (*gen.ClaimOperatorPayload, error) {
	a, err := r.svc.ClaimOperator(ctx, in.Token)
	wrong, err := userErrors(err)
	return &gen.ClaimOperatorPayload{Account: a, UserErrors: wrong}, err
}

func (r mutationResolver) SetAccountPlan(ctx context.Context, in gen.SetAccountPlanInput) (*gen.SetAccountPlanPayload, error) {
	a, err := r.svc.SetAccountPlan(ctx, comms.SetAccountPlan{AccountID: idOf(in.AccountID), Plan: string(in.Plan)})
	wrong, err := userErrors(err)
	return &gen.SetAccountPlanPayload{Account: a, UserErrors: wrong}, err
}

// ApiKey is null for whoever may not see it, so that a token that may only read can ask for the whole account.
func (r accountResolver) ApiKey(ctx context.Context, a *comms.Account) (*string, error) {
	if a.ID != viewer(ctx) {
		return nil, nil
	}
	key, err := r.svc.ApiKey(ctx)
	if comms.IsCode(err, comms.Forbidden) {
		return nil, nil
	}
	return &key, refusal(err)
}

// LogCursor is null for an account that somebody else looks at: it has no use for it.
func (r accountResolver) LogCursor(ctx context.Context, a *comms.Account) (*string, error) {
	if a.ID != viewer(ctx) {
		return nil, nil
	}
	cursor, err := r.svc.LogCursor(ctx)
	return &cursor, refusal(err)
}
