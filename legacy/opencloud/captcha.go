package opencloud

import (
	"net/http"

	"github.com/google/uuid"

	"switchboard/comms"
)

type questionBody struct {
	A        int    `json:"a"`
	B        int    `json:"b"`
	Question string `json:"question"`
}

func (d *door) askCaptcha(r *http.Request, _ *object) (any, error) {
	q, err := d.svc.AskCaptcha(r.Context())
	if err != nil {
		return nil, err
	}
	return questionBody{q.A, q.B, q.Text}, nil
}

type tokenBody struct {
	Token uuid.UUID `json:"token"`
}

func (d *door) solveCaptcha(r *http.Request, in *object) (any, error) {
	answer := comms.SolveCaptcha{A: in.integer("a"), B: in.integer("b"), Answer: in.integer("answer")}
	if in.err != nil {
		return nil, in.err
	}
	token, _, err := d.svc.SolveCaptcha(r.Context(), answer)
	if err != nil {
		return nil, err
	}
	return tokenBody{token}, nil
}
