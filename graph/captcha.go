package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/graph/gen"
)

func (r queryResolver) Captcha(ctx context.Context) (*gen.Captcha, error) {
	q, err := r.svc.AskCaptcha(ctx)
	if err != nil {
		return nil, refusal(err)
	}
	return &gen.Captcha{A: q.A, B: q.B, Question: q.Text}, nil
}

func (r mutationResolver) SolveCaptcha(ctx context.Context, in gen.SolveCaptchaInput) (*gen.SolveCaptchaPayload, error) {
	token, expires, err := r.svc.SolveCaptcha(ctx, comms.SolveCaptcha{A: in.A, B: in.B, Answer: in.Answer})
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.SolveCaptchaPayload{UserErrors: wrong}, err
	}
	id := token.String()
	return &gen.SolveCaptchaPayload{Token: &id, ExpiresAt: &expires}, nil
}
