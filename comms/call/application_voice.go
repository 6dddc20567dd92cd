package call

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/ent/recording"
)

// RecordingOf is the newest recording of one of an application's calls. An application hears nothing of its account's other calls.
func (s *Service) RecordingOf(ctx context.Context, app *comms.Application, id uuid.UUID) (*comms.Recording, error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return nil, err
	}
	there, err := s.in.Read().Call.Query().Where(call.ID(id), call.AccountID(a.AccountID), call.ApplicationID(app.ID)).Exist(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for a call: %w", err)
	}
	if !there {
		return nil, refused(comms.NotFound, "call", "there is no such call")
	}
	r, err := s.in.Read().Recording.Query().Where(recording.CallID(id), recording.StatusEQ(recording.StatusReady)).
		Order(recording.ByCreatedAt(sql.OrderDesc())).First(ctx)
	if ent.IsNotFound(err) {
		return nil, refused(comms.Conflict, "recording", "this call was not recorded, or its recording is not ready yet")
	}
	if err != nil {
		return nil, fmt.Errorf("look for a recording: %w", err)
	}
	return r, nil
}
