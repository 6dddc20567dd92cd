package opencloud

import (
	"context"
	"net/http"
	"strings"

	"switchboard/comms"
)

// presented is what the request shows: `Authorization: Bearer` or `X-API-Key`, either one on every route that needs a user (found). An
// Authorization of another scheme is somebody else's, a proxy's perhaps.
func presented(r *http.Request) comms.Presented {
	p := comms.Presented{ApiKey: r.Header.Get("X-API-Key")}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		p.Bearer = strings.TrimSpace(token)
	}
	return p
}

// asUser is the context of whoever shows these credentials; the socket shows them again with each frame.
func (d *door) asUser(ctx context.Context, p comms.Presented) (context.Context, *comms.Actor, error) {
	a, err := d.svc.Authenticate(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if a == nil {
		return nil, nil, &comms.Error{Code: comms.Unauthenticated,
			Text: "authentication is required: Authorization: Bearer <token> or X-API-Key"}
	}
	return comms.WithActor(ctx, a), a, nil
}
