package call

import (
	"context"

	"github.com/google/uuid"

	"switchboard/comms"
)

// CallAnswered reports that both sides hear each other. A call that is to be recorded is from then on: the recording comes into the store
// with the answer.
func (s *Service) CallAnswered(ctx context.Context, id uuid.UUID) error {
	var started *comms.Recording
	_, err := s.move(ctx, id, turn{report: wasAnswered, also: func(ctx context.Context, c *comms.Change, rows []*comms.Call) (err error) {
		started = nil // of an attempt that met a conflict
		for _, row := range rows {
			if row.Record { // one recording, also where two accounts have records of the call
				started, err = s.startRecording(ctx, c, row)
				return err
			}
		}
		return nil
	}})
	if err != nil || started == nil {
		return err
	}
	// Apart: whoever reports may hold what the order needs.
	s.orders.Go(func() {
		ctx := context.WithoutCancel(ctx)
		if err := s.record(ctx, id, started); err != nil {
			s.in.Log().ErrorContext(ctx, "record a call", "call", id, "error", err)
		}
	})
	return nil
}

// record has the engine write a recording that is in the store. If it won't, the recording has failed.
func (s *Service) record(ctx context.Context, id uuid.UUID, r *comms.Recording) error {
	err := s.engine.Order(ctx, id, Order{StartRecord: &StartRecord{Recording: r.ID}})
	if err == nil {
		return nil
	}
	if failed := s.RecordingEnded(ctx, r.ID, Recorded{Err: err}); failed != nil {
		s.in.Log().ErrorContext(ctx, "end a recording that never began", "recording", r.ID, "error", failed)
	}
	return err
}
