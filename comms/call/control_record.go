package call

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/ent/recording"
)

// StartRecording records an answered call from now on. One that is recorded already goes on being so.
func (s *Service) StartRecording(ctx context.Context, id uuid.UUID) (r *comms.Recording, err error) {
	a, row, err := s.answered(ctx, id)
	if err != nil {
		return nil, err
	}
	var there bool
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, a.AccountID); err != nil {
			return err
		}
		r, err = s.runningRecording(ctx, c.Tx(), row.ID)
		if there = r != nil; there || err != nil {
			return err
		}
		live, err := c.Tx().Call.Query().Where(call.ID(row.ID), call.StatusEQ(call.StatusAnswered)).Exist(ctx)
		if err != nil {
			return fmt.Errorf("look for a call: %w", err)
		}
		if !live { // it ended since it was looked at
			return conflict("id", "the call has ended")
		}
		r, err = s.startRecording(ctx, c, row)
		return err
	})
	if err != nil || there {
		return r, err
	}
	if err := s.record(ctx, row.ConversationID, r); err != nil {
		if comms.IsCode(err, comms.NotFound) {
			return nil, conflict("id", "the call has ended")
		}
		return nil, err
	}
	return r, nil
}

// StopRecording ends the recording of a call. Its file is ready a moment later: recording.ready says when.
func (s *Service) StopRecording(ctx context.Context, id uuid.UUID) (*comms.Recording, error) {
	_, row, err := s.controlled(ctx, id)
	if err != nil {
		return nil, err
	}
	running, err := s.runningRecording(ctx, s.in.Read(), row.ID)
	if err != nil {
		return nil, err
	}
	if running == nil {
		return nil, conflict("id", "the call is not being recorded")
	}
	if err := s.order(ctx, row, Order{StopRecord: true}); err != nil {
		return nil, err
	}
	s.recordings.stopped(running.ID)
	return running, nil
}

// runningRecording is the one that the call has under way; nil: there is none. One that was stopped is under way no more, though its row
// says so until its file is in the archive.
func (s *Service) runningRecording(ctx context.Context, db *ent.Client, of uuid.UUID) (*comms.Recording, error) {
	rows, err := db.Recording.Query().Where(recording.CallID(of), recording.StatusEQ(recording.StatusRecording)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for a recording: %w", err)
	}
	for _, r := range rows {
		if !s.recordings.isStopped(r.ID) {
			return r, nil
		}
	}
	return nil, nil
}
