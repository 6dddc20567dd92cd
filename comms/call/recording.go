package call

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/recording"
	"switchboard/internal/clock"
)

// A recording's life: startRecording makes its row, the room that speaks SIP writes folder/ID.wav, RecordingEnded moves that file into
// the archive and tells that it is ready. What a crash or a full disk leaves in between is settled by recording_sweep.go.

// recordingDesk is what this process knows of the recordings in hand.
type recordingDesk struct {
	retention time.Duration

	mu      sync.Mutex
	writing map[uuid.UUID]time.Time // begun by this process, when, and not ended: their files are not to be touched
	unkept  map[uuid.UUID]Recorded  // ended, and not settled: the archive or the store was away
	over    map[uuid.UUID]struct{}  // stopped by order, and not settled
	sweptTo clock.Micros            // what began until then was swept by age
}

func (d *recordingDesk) begin(id uuid.UUID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writing == nil {
		d.writing = map[uuid.UUID]time.Time{}
	}
	d.writing[id] = time.Now()
}

// end says that nobody writes the file any more; how is kept until the recording is settled.
func (d *recordingDesk) end(id uuid.UUID, how Recorded) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.writing, id)
	if d.unkept == nil {
		d.unkept = map[uuid.UUID]Recorded{}
	}
	d.unkept[id] = how
}

// stopped says that the order to stop it was taken: the call can have another recording from now on.
func (d *recordingDesk) stopped(id uuid.UUID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, writes := d.writing[id]; !writes { // its end was told already
		return
	}
	if d.over == nil {
		d.over = map[uuid.UUID]struct{}{}
	}
	d.over[id] = struct{}{}
}

// isStopped tells whether nobody writes it any more, though it may not be settled.
func (d *recordingDesk) isStopped(id uuid.UUID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, over := d.over[id]
	_, ended := d.unkept[id]
	return over || ended
}

func (d *recordingDesk) settled(id uuid.UUID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.over, id)
	delete(d.unkept, id)
	delete(d.writing, id)
}

// ended are those that are to be settled still.
func (d *recordingDesk) ended() map[uuid.UUID]Recorded {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.unkept)
}

func (d *recordingDesk) isWritten(id uuid.UUID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, yes := d.writing[id]
	return yes
}

// recordingFile is where a recording is written while it lasts.
func (s *Service) recordingFile(id uuid.UUID) string {
	return filepath.Join(s.folder, id.String()+".wav")
}

// startRecording makes the row of a recording of the call, unless one runs already: then it is that one. The caller has locked the
// account and orders the room that speaks SIP to write it.
func (s *Service) startRecording(ctx context.Context, c *comms.Change, row *comms.Call) (*comms.Recording, error) {
	r, err := s.runningRecording(ctx, c.Tx(), row.ID)
	if r != nil || err != nil {
		return r, err
	}
	r, err = c.Tx().Recording.Create().SetAccountID(row.AccountID).SetCallID(row.ID).SetNode(s.in.Node()).SetCreatedAt(c.Now()).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("store a recording: %w", err)
	}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of recordings: %w", err)
	}
	// Before the commit: the sweep must not take it for one that a dead process began. If there is no commit the sweep forgets it.
	s.recordings.begin(r.ID)
	tellRecording(c, comms.RecordingStarted, r, row)
	return r, nil
}

func tellRecording(c *comms.Change, kind comms.Kind, r *comms.Recording, row *comms.Call) {
	e := &comms.Event{Kind: kind, AccountID: r.AccountID, Recording: r}
	if row != nil && row.NumberID != nil {
		e.NumberID = *row.NumberID
	}
	c.Tell(e)
}

// RecordingEnded says that a recording's file is written to its end, or as far as could be. It moves into the archive, and
// recording.ready, or recording.failed, is told once however often this is said. What there is of a failed one is kept too.
func (s *Service) RecordingEnded(ctx context.Context, id uuid.UUID, how Recorded) error {
	s.recordings.end(id, how)
	return s.settleRecording(ctx, id, how)
}

// settleRecording is done again by the sweep until it succeeds.
func (s *Service) settleRecording(ctx context.Context, id uuid.UUID, how Recorded) error {
	row, err := s.in.Read().Recording.Get(ctx, id)
	if ent.IsNotFound(err) { // its call was deleted meanwhile
		if err := s.dropFile(ctx, id, how.File); err != nil {
			return err
		}
		s.recordings.settled(id)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a recording: %w", err)
	}
	if row.Status == recording.StatusDeleted {
		if err := s.dropFile(ctx, id, how.File); err != nil {
			return err
		}
		s.recordings.settled(id)
		return nil
	}
	kept, err := s.keepRecording(ctx, id, how)
	if err != nil {
		return err
	}
	if how.Err != nil {
		s.in.Log().WarnContext(ctx, "a recording was not written to its end", "recording", id, "kept", kept.size, "error", how.Err)
	}
	if err := s.finishRecording(ctx, row, kept); err != nil {
		return err
	}
	s.recordings.settled(id)
	return nil
}

// outcome is what is known of a recording that is settled.
type outcome struct {
	size     int64
	duration time.Duration
	failed   bool
}

// keepRecording moves the file into the archive. A file that is there already, because the process died between the two, counts as kept.
func (s *Service) keepRecording(ctx context.Context, id uuid.UUID, how Recorded) (outcome, error) {
	file := how.File
	if file == "" {
		file = s.recordingFile(id)
	}
	sound, err := mendWAV(file)
	if errors.Is(err, os.ErrNotExist) {
		if sound, err = s.archivedSound(ctx, id); errors.Is(err, os.ErrNotExist) || errors.Is(err, errNoSound) {
			return outcome{failed: true}, nil
		}
		return outcome{size: sound.size, duration: sound.duration, failed: how.Err != nil}, err
	}
	if errors.Is(err, errNoSound) {
		return outcome{failed: true}, removeIfThere(file)
	}
	if err != nil {
		return outcome{}, fmt.Errorf("mend a recording: %w", err)
	}
	if err := s.archive.Keep(ctx, id, file); err != nil {
		return outcome{}, fmt.Errorf("keep a recording: %w", err)
	}
	return outcome{size: sound.size, duration: sound.duration, failed: how.Err != nil}, nil
}

func (s *Service) archivedSound(ctx context.Context, id uuid.UUID) (sound, error) {
	r, err := s.archive.Open(ctx, id)
	if err != nil {
		return sound{}, err
	}
	defer r.Close()
	return readWAV(r)
}

// finishRecording writes what became of it and tells so, once.
func (s *Service) finishRecording(ctx context.Context, row *comms.Recording, kept outcome) error {
	gone := false
	err := s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, row.AccountID); err != nil {
			return err
		}
		now, err := c.Tx().Recording.Query().Where(recording.ID(row.ID)).WithCall().Only(ctx)
		gone = ent.IsNotFound(err) || err == nil && now.Status == recording.StatusDeleted
		if gone || err == nil && now.Status != recording.StatusRecording {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a recording: %w", err)
		}
		status, kind := recording.StatusReady, comms.RecordingReady
		if kept.failed {
			status, kind = recording.StatusFailed, comms.RecordingFailed
		}
		done, err := c.Tx().Recording.UpdateOneID(row.ID).SetStatus(status).SetSize(kept.size).
			SetDuration(int(kept.duration.Milliseconds())).SetReadyAt(c.Now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("store a recording: %w", err)
		}
		tellRecording(c, kind, done, now.Edges.Call)
		return nil
	})
	if err == nil && gone {
		err = s.dropFile(ctx, row.ID, "")
	}
	return err
}

// dropFile removes a recording's file wherever it is.
func (s *Service) dropFile(ctx context.Context, id uuid.UUID, file string) error {
	if file == "" {
		file = s.recordingFile(id)
	}
	if err := errors.Join(removeIfThere(file), s.archive.Remove(ctx, id)); err != nil {
		return fmt.Errorf("remove a recording: %w", err)
	}
	return nil
}

func removeIfThere(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// recordingLinkTTL is how long a link is good (privacy call: one hour).
const recordingLinkTTL = time.Hour

// RecordingLink is a path under which anybody can fetch the recording until it expires. Whoever has seen the recording may pass it on.
func (s *Service) RecordingLink(r *comms.Recording) (path string, expires clock.Micros) {
	// The end is rounded up to a whole minute, so that a page that is loaded twice has the same link and caches hit.
	minute := int64(time.Minute / time.Second)
	end := (clock.Now().Add(recordingLinkTTL).Unix() + minute - 1) / minute * minute
	id, exp := r.ID.String(), strconv.FormatInt(end, 10)
	return "/recordings/" + id + "?expires=" + exp + "&signature=" + s.signRecording(id, exp), clock.Micros(end * 1e6)
}

func (s *Service) signRecording(id, expires string) string {
	return base64.RawURLEncoding.EncodeToString(s.in.Sign("recording", id, expires))
}

// OpenRecordingLink opens what a link of RecordingLink names. Its size and name are the recording's, its hash stands for what never changes.
func (s *Service) OpenRecordingLink(ctx context.Context, id string, query url.Values) (*comms.Data, error) {
	exp := query.Get("expires")
	if subtle.ConstantTimeCompare([]byte(s.signRecording(id, exp)), []byte(query.Get("signature"))) != 1 {
		return nil, noRecording("signature")
	}
	end, err := strconv.ParseInt(exp, 10, 64)
	if err != nil || clock.Now().Unix() >= end {
		return nil, comms.Refused(comms.NotFound, "expires", comms.ReasonLinkExpired, "the link has expired")
	}
	key, err := uuid.Parse(id)
	if err != nil {
		return nil, noRecording("id")
	}
	row, err := s.in.Read().Recording.Get(ctx, key)
	if ent.IsNotFound(err) || err == nil && (row.Size == 0 || row.Status == recording.StatusDeleted) {
		return nil, noRecording("id")
	}
	if err != nil {
		return nil, fmt.Errorf("find the recording: %w", err)
	}
	r, err := s.archive.Open(ctx, key)
	if errors.Is(err, os.ErrNotExist) {
		return nil, noRecording("id")
	}
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	return &comms.Data{Reader: r, Size: row.Size, FileName: "recording-" + row.CreatedAt.Time().Format("20060102T150405Z") + ".wav",
		At: row.CreatedAt, Hash: id}, nil
}

func noRecording(field string) error {
	return comms.Refused(comms.NotFound, field, comms.ReasonNone, "there is no such recording")
}
