package call

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/recording"
	"switchboard/internal/clock"
)

// Inventory tells what an Archive holds. One that can't be listed keeps the files of recordings whose rows went without their verb.
type Inventory interface {
	Each(ctx context.Context, fn func(recording uuid.UUID) error) error
}

const (
	settleEvery  = time.Minute
	retireEvery  = 10 * time.Minute
	collectEvery = time.Hour

	defaultRetention = 90 * 24 * time.Hour
	// writerSilence is after how long without a word a recording counts as left behind, though this process began it.
	writerSilence = 10 * time.Minute
	// strangerSilence is the same for one that another process began. No call lasts that long.
	strangerSilence = 24 * time.Hour
)

// runRecordings settles what a dead process left, at once, and then does what time demands until ctx ends.
func (s *Service) runRecordings(ctx context.Context) {
	settle := time.NewTicker(settleEvery)
	defer settle.Stop()
	var retired, collected time.Time
	for ctx.Err() == nil {
		now := time.Now()
		s.complain(ctx, "settle recordings", s.settleRecordings(ctx, clock.From(now)))
		if now.Sub(retired) >= retireEvery {
			s.complain(ctx, "remove old recordings", s.retireRecordings(ctx, clock.From(now)))
			retired = now
		}
		if now.Sub(collected) >= collectEvery {
			s.complain(ctx, "collect the files of recordings that are gone", s.collectRecordings(ctx))
			collected = now
		}
		select {
		case <-ctx.Done():
		case <-settle.C:
		}
	}
}

// settleRecordings brings to an end what nobody writes any more: what could not be kept when it ended, and what a dead process left,
// whose file is mended and kept like any other.
func (s *Service) settleRecordings(ctx context.Context, now clock.Micros) error {
	// In no order: for one SQLite would walk the index on time through all recordings that there are.
	rows, err := s.in.Read().Recording.Query().Where(recording.ReadyAtIsNil()).WithCall().All(ctx)
	if err != nil {
		return fmt.Errorf("look for recordings that did not end: %w", err)
	}
	s.recordings.prune(rows)
	ended := s.recordings.ended()
	var errs []error
	for _, r := range rows {
		if _, known := ended[r.ID]; !known && s.leftBehind(r, now) {
			errs = append(errs, s.settleRecording(ctx, r.ID, Recorded{}))
		}
	}
	for id, how := range ended {
		errs = append(errs, s.settleRecording(ctx, id, how))
	}
	return errors.Join(errs...)
}

// leftBehind tells whether nobody writes the recording any more.
func (s *Service) leftBehind(r *ent.Recording, now clock.Micros) bool {
	switch {
	case r.Node != s.in.Node():
		return now.Sub(r.CreatedAt) > strangerSilence
	case s.recordings.isWritten(r.ID): // the room that speaks SIP should have said so
		c := r.Edges.Call
		return c != nil && c.EndedAt != nil && now.Sub(*c.EndedAt) > writerSilence
	}
	return true
}

// prune forgets what was begun in a transaction that was not committed.
func (d *recordingDesk) prune(rows []*ent.Recording) {
	there := make(map[uuid.UUID]bool, len(rows))
	for _, r := range rows {
		there[r.ID] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, began := range d.writing {
		if !there[id] && time.Since(began) > writerSilence {
			delete(d.writing, id)
		}
	}
}

// retireRecordings deletes those that are older than the retention allows.
func (s *Service) retireRecordings(ctx context.Context, now clock.Micros) error {
	keep := s.recordings.retention
	if keep < 0 {
		return nil
	}
	if keep == 0 {
		keep = defaultRetention
	}
	const batch = 200
	last := now.Add(-keep)
	for more := true; more; {
		// The rows of deleted ones stay with their calls: what was swept before is not looked through again.
		rows, err := s.in.Read().Recording.Query().Where(recording.CreatedAtGT(s.recordings.sweptTo), recording.CreatedAtLTE(last),
			recording.StatusIn(recording.StatusReady, recording.StatusFailed)).Order(recording.ByCreatedAt()).Limit(batch).All(ctx)
		if err != nil {
			return fmt.Errorf("look for old recordings: %w", err)
		}
		for _, r := range rows {
			if _, err := s.deleteRecording(ctx, r.AccountID, r.ID); err != nil && !comms.IsCode(err, comms.NotFound) {
				return err
			}
		}
		more = len(rows) == batch
	}
	s.recordings.sweptTo = max(s.recordings.sweptTo, last.Add(-2*strangerSilence)) // what ran longer than a day has been settled since
	return nil
}

// collectRecordings removes files that no row asks for: of recordings that went with their call or number, or were deleted by a process
// that died over it. A row is there before its file is begun, so a file without one is not one that is being written.
func (s *Service) collectRecordings(ctx context.Context) error {
	var batch []uuid.UUID
	sift := func() error {
		ids := batch
		batch = batch[:0]
		return s.removeUnwanted(ctx, ids)
	}
	add := func(id uuid.UUID) error {
		if batch = append(batch, id); len(batch) < 500 {
			return nil
		}
		return sift()
	}
	if archive, ok := s.archive.(Inventory); ok {
		if err := archive.Each(ctx, add); err != nil {
			return fmt.Errorf("list the archive: %w", err)
		}
	}
	names, err := os.ReadDir(s.folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("list recordings: %w", err)
	}
	for _, name := range names {
		stem, isWAV := strings.CutSuffix(name.Name(), filepath.Ext(s.recordingFile(uuid.Nil)))
		id, err := uuid.Parse(stem)
		if err != nil || !isWAV {
			continue // not ours
		}
		if err := add(id); err != nil {
			return err
		}
	}
	return sift()
}

// removeUnwanted removes the files of those that have no row, or a row that says that they are deleted.
func (s *Service) removeUnwanted(ctx context.Context, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.in.Read().Recording.Query().Where(recording.IDIn(ids...), recording.StatusNEQ(recording.StatusDeleted)).
		Select(recording.FieldID, recording.FieldStatus).All(ctx)
	if err != nil {
		return fmt.Errorf("read recordings: %w", err)
	}
	wanted := make(map[uuid.UUID]bool, len(rows))
	for _, r := range rows {
		wanted[r.ID] = true
	}
	for _, id := range ids {
		if wanted[id] || s.recordings.isWritten(id) {
			continue
		}
		if err := s.dropFile(ctx, id, ""); err != nil {
			return err
		}
	}
	return nil
}
