package carrier

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/record"
)

// Records is what the rules of carriers ask of those of records (comms/record).
type Records interface {
	// Add stores records in a change; those that are there already stay as they are. It answers how many were new.
	Add(ctx context.Context, c *comms.Change, account, carrier uuid.UUID, rows []record.NewRecord) (added int, err error)
	// AddSound stores a recording with the call that it is of; false: there is no such call.
	AddSound(ctx context.Context, account uuid.UUID, sound record.AddSound) (found bool, err error)
}
