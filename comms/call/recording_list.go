package call

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/ent/predicate"
	"switchboard/ent/recording"
	"switchboard/internal/clock"
)

// RecordingFilter says which recordings. Empty fields say nothing.
type RecordingFilter struct {
	CallIDs, NumberIDs []uuid.UUID
	Status             []recording.Status
	Since, Until       clock.Micros // when they began: Since <= at < Until
}

func (f RecordingFilter) of(a *comms.Actor) []predicate.Recording {
	where := []predicate.Recording{recording.AccountID(a.AccountID)}
	if len(f.CallIDs) > 0 {
		where = append(where, recording.CallIDIn(f.CallIDs...))
	}
	if len(f.NumberIDs) > 0 {
		where = append(where, recording.HasCallWith(call.NumberIDIn(f.NumberIDs...)))
	}
	if len(f.Status) > 0 {
		where = append(where, recording.StatusIn(f.Status...))
	}
	if !f.Since.IsZero() {
		where = append(where, recording.CreatedAtGTE(f.Since))
	}
	if !f.Until.IsZero() {
		where = append(where, recording.CreatedAtLT(f.Until))
	}
	return where
}

// Recordings lists the caller's recordings, newest first; those that were deleted too, as long as their calls are remembered.
func (s *Service) Recordings(ctx context.Context, f RecordingFilter, p comms.Page) (*comms.PageOf[*comms.Recording], error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return nil, err
	}
	return comms.PageOfRows(ctx, s.in, p, comms.Rows[*comms.Recording]{Name: 'r', Newest: true,
		Place: func(r *comms.Recording) (clock.Micros, uuid.UUID) { return r.CreatedAt, r.ID },
		Read: func(ctx context.Context, where, order func(*sql.Selector), limit int) ([]*comms.Recording, error) {
			return s.in.Read().Recording.Query().Where(f.of(a)...).Where(where).Order(order).Limit(limit).All(ctx)
		}})
}

// CountRecordings is how many recordings the filter lets through.
func (s *Service) CountRecordings(ctx context.Context, f RecordingFilter) (int, error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return 0, err
	}
	return s.in.Read().Recording.Query().Where(f.of(a)...).Count(ctx)
}

// Recording is one of the caller's recordings.
func (s *Service) Recording(ctx context.Context, id uuid.UUID) (*comms.Recording, error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return nil, err
	}
	r, err := s.in.Read().Recording.Query().Where(recording.ID(id), recording.AccountID(a.AccountID)).Only(ctx)
	if err != nil {
		return nil, recordingOr(err)
	}
	return r, nil
}

// RecordingsOfCalls are the recordings of those of the calls that are the caller's, oldest first, in one statement for all.
func (s *Service) RecordingsOfCalls(ctx context.Context, calls []uuid.UUID) (map[uuid.UUID][]*comms.Recording, error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID][]*comms.Recording, len(calls))
	if len(calls) == 0 {
		return out, nil
	}
	rows, err := s.in.Read().Recording.Query().Where(recording.AccountID(a.AccountID), recording.CallIDIn(calls...)).
		Order(recording.ByCreatedAt(), recording.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read recordings: %w", err)
	}
	for _, r := range rows {
		out[r.CallID] = append(out[r.CallID], r)
	}
	return out, nil
}
