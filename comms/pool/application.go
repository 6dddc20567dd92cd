package pool

import (
	"context"
	"fmt"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/application"
)

// ApplicationKey is the application of that key, with the secret that its requests are signed with.
func (s *Service) ApplicationKey(ctx context.Context, appKey string) (*comms.Application, []byte, error) {
	app, err := s.in.Read().Application.Query().Where(application.AppKey(appKey)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil, comms.Refused(comms.Unauthenticated, "", comms.ReasonNone, "the application is unknown")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look for an application: %w", err)
	}
	secret, err := s.in.Open(comms.SecretKeyOf(app.AppID), app.SecretKeySealed)
	if err != nil {
		return nil, nil, err
	}
	return app, secret, nil
}

// AsApplication is ctx for an application that has proved who it is by its secret: it may see its account's pool, passwords and all.
func AsApplication(ctx context.Context, app *comms.Application) context.Context {
	return comms.WithActor(ctx, &comms.Actor{AccountID: app.AccountID, Scopes: comms.ReadNumbers | comms.WriteNumbers})
}
