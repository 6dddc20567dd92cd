package call

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/ent/application"
	"switchboard/ent/spentsignature"
	"switchboard/internal/clock"
)

// AuthenticateApplication tells which application shows its id with its account's authorisation token. The token of another account is
// no better than none, and which of the two is unknown is not told.
func (s *Service) AuthenticateApplication(ctx context.Context, appID, token string) (*comms.Application, error) {
	app, err := s.in.Read().Application.Query().Where(application.AppID(appID),
		application.HasAccountWith(account.AuthTokenHash(s.in.Lookup("authtoken", token)))).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, refused(comms.Unauthenticated, "", "the account or the application is unknown")
	}
	if err != nil {
		return nil, fmt.Errorf("look for an application: %w", err)
	}
	return app, nil
}

// AsApplication is ctx for an application that has proved who it is: it may mask and call with the numbers of its pool, and hear what was
// recorded.
func AsApplication(ctx context.Context, app *comms.Application) context.Context {
	return comms.WithActor(ctx, &comms.Actor{AccountID: app.AccountID, Scopes: comms.PlaceCalls | comms.ReadRecords})
}

// ErrSpent is what SpendSignature answers for a signature that was shown before.
var ErrSpent = refused(comms.Forbidden, "signature", "this signature was used before")

// signatureKept is how long a spent signature is remembered. A time stamp without a zone that may be China's time or UTC is good twice, eight
// hours apart: so long, and twice the ten minutes that it may be off (privacy call), and some more.
const signatureKept = 9 * time.Hour

// SpendSignature uses up what was signed. Of two requests with one signature exactly one is told that it is the first; the unique key
// decides. Only a keyed hash is stored: what was signed holds a credential.
func (s *Service) SpendSignature(ctx context.Context, door, signed string) error {
	id := door + ":" + hex.EncodeToString(s.in.Lookup("signature", signed))
	err := s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		return c.Tx().SpentSignature.Create().SetID(id).SetCreatedAt(c.Now()).Exec(ctx)
	})
	if ent.IsConstraintError(err) {
		return ErrSpent
	}
	if err != nil {
		return fmt.Errorf("spend a signature: %w", err)
	}
	return nil
}

// SweepSignatures forgets those whose time stamps are too old to be shown again.
func (s *Service) SweepSignatures(ctx context.Context, now clock.Micros) error {
	return s.in.InBatches(ctx, "sweep signatures", func(ctx context.Context, c *comms.Change) (int, error) {
		ids, err := c.Tx().SpentSignature.Query().Where(spentsignature.CreatedAtLTE(now.Add(-signatureKept))).Limit(maskBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return c.Tx().SpentSignature.Delete().Where(spentsignature.IDIn(ids...)).Exec(ctx)
	})
}
