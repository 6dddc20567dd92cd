package call

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/ent/predicate"
	"switchboard/ent/recording"
)

func recordingOr(err error) error {
	if ent.IsNotFound(err) {
		return noRecording("id")
	}
	return fmt.Errorf("read a recording: %w", err)
}

// DeleteRecording removes a recording's file. Its row stays, so that the call shows that there was one, and goes with the call.
func (s *Service) DeleteRecording(ctx context.Context, id uuid.UUID) (*comms.Recording, error) {
	a, err := comms.Demand(ctx, comms.PlaceCalls)
	if err != nil {
		return nil, err
	}
	return s.deleteRecording(ctx, a.AccountID, id)
}

// deleteRecording tells recording.deleted once. The file goes after the commit: until then a link may serve it. Where that fails the sweep
// finds a file that nothing asks to be kept.
func (s *Service) deleteRecording(ctx context.Context, account, id uuid.UUID) (gone *comms.Recording, err error) {
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, account); err != nil {
			return err
		}
		row, err := c.Tx().Recording.Query().Where(recording.ID(id), recording.AccountID(account)).WithCall().Only(ctx)
		if err != nil {
			return recordingOr(err)
		}
		switch row.Status {
		case recording.StatusRecording:
			return comms.Refused(comms.Conflict, "id", comms.ReasonNone, "the recording goes on: stop it first")
		case recording.StatusDeleted:
			gone = row
			return nil
		}
		if gone, err = c.Tx().Recording.UpdateOneID(id).SetStatus(recording.StatusDeleted).Save(ctx); err != nil {
			return fmt.Errorf("store a recording: %w", err)
		}
		tellRecording(c, comms.RecordingDeleted, gone, row.Edges.Call)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.complain(ctx, "remove a recording", s.dropFile(ctx, id, ""))
	return gone, nil
}

// ofNumber are the recordings of a number's calls: found by the calls, which the number's index finds, not by a look at each recording.
func ofNumber(id uuid.UUID) predicate.Recording {
	return func(q *sql.Selector) {
		calls := sql.Table(call.Table)
		q.Where(sql.In(q.C(recording.FieldCallID), sql.Select(calls.C(call.FieldID)).From(calls).Where(sql.EQ(calls.C(call.FieldNumberID), id))))
	}
}

// forgetRecordings tells of the recordings that go with a number and its calls, and answers what removes their files once that is committed. Files
// of a process that dies before it comes to that are found by the sweep.
func (s *Service) forgetRecordings(ctx context.Context, c *comms.Change, n *comms.Number) (after func(context.Context), err error) {
	rows, err := c.Tx().Recording.Query().Where(ofNumber(n.ID)).Order(recording.ByCreatedAt(), recording.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read recordings: %w", err)
	}
	for _, r := range rows {
		if r.Status != recording.StatusDeleted {
			then := *r
			then.Status = recording.StatusDeleted
			c.Tell(&comms.Event{Kind: comms.RecordingDeleted, AccountID: r.AccountID, NumberID: n.ID, Recording: &then})
		}
	}
	return func(ctx context.Context) {
		for _, r := range rows {
			if !s.recordings.isWritten(r.ID) { // its writer finds that it has no row
				s.complain(ctx, "remove a recording", s.dropFile(ctx, r.ID, ""))
			}
		}
	}, nil
}
