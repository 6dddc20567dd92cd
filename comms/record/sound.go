package record

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/callrecord"
	"switchboard/ent/predicate"
	"switchboard/internal/clock"
)

// AddSound is a recording that a carrier made of a call. It belongs to the record with the same start, give or take Within, and the same
// numbers.
type AddSound struct {
	Calling, Called string
	StartedAt       clock.Micros
	Within          time.Duration
	Data            io.Reader
}

// mostSound is the largest recording that is taken: some eight hours.
const mostSound = 512 << 20

// AddSound keeps a recording with the record that it belongs to; false: there is none. A record that has one keeps the one it has.
func (s *Service) AddSound(ctx context.Context, account uuid.UUID, in AddSound) (found bool, err error) {
	r, err := s.recorded(ctx, s.in.Read(), account, in)
	if r == nil || err != nil {
		return false, err
	}
	if r.Sound != "" {
		return true, nil
	}
	staged, err := s.content.Stage(ctx, in.Data, mostSound)
	if err != nil {
		return false, fmt.Errorf("read a recording: %w", err)
	}
	defer staged.Discard()
	if err := staged.Keep(ctx); err != nil {
		return false, fmt.Errorf("keep a recording: %w", err)
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		none := callrecord.And(callrecord.ID(r.ID), callrecord.AccountID(account), callrecord.Sound(""))
		return c.Tx().CallRecord.Update().Where(none).SetSound(staged.Hash()).SetSoundSize(staged.Size()).Exec(ctx)
	})
	if err != nil {
		return false, fmt.Errorf("store a recording: %w", err)
	}
	return true, nil
}

// recorded is the imported record that a recording belongs to: the nearest in time.
func (s *Service) recorded(ctx context.Context, db *ent.Client, account uuid.UUID, in AddSound) (nearest *comms.CallRecord, err error) {
	calling, called := told(in.Calling), told(in.Called)
	near := []predicate.CallRecord{callrecord.AccountID(account), callrecord.CallIDIsNil(), callrecord.Calling(calling),
		callrecord.Or(callrecord.Called(called), callrecord.Dialed(called)),
		callrecord.StartedAtGTE(in.StartedAt.Add(-in.Within)), callrecord.StartedAtLTE(in.StartedAt.Add(in.Within))}
	rows, err := db.CallRecord.Query().Where(near...).Order(callrecord.ByStartedAt(), callrecord.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the record of a recording: %w", err)
	}
	for _, r := range rows {
		if nearest == nil || r.StartedAt.Sub(in.StartedAt).Abs() < nearest.StartedAt.Sub(in.StartedAt).Abs() {
			nearest = r
		}
	}
	return nearest, nil
}

// soundLink is a path under which anybody can fetch an imported recording until it expires.
func (s *Service) soundLink(r *comms.CallRecord) string {
	id, exp := strconv.FormatInt(r.ID, 10), strconv.FormatInt(int64(s.linkEnd())/1e6, 10)
	return "/records/" + id + "/recording?expires=" + exp + "&signature=" + s.signature("sound", id, r.Sound, exp)
}

// OpenSoundLink opens what a link of an imported recording names.
func (s *Service) OpenSoundLink(ctx context.Context, id string, query url.Values) (*comms.Data, error) {
	key, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, noSound("id")
	}
	r, err := s.in.Read().CallRecord.Get(ctx, key)
	if ent.IsNotFound(err) || err == nil && r.Sound == "" {
		return nil, noSound("id")
	}
	if err != nil {
		return nil, fmt.Errorf("find the recording: %w", err)
	}
	// The hash is signed with it: an id that the database gives again opens nothing of another account.
	if err := s.verify(query, "sound", strconv.FormatInt(key, 10), r.Sound, query.Get("expires")); err != nil {
		return nil, err
	}
	data, err := s.content.Open(ctx, r.Sound)
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	return &comms.Data{Reader: data, Size: r.SoundSize, FileName: "recording-" + r.StartedAt.Time().Format("20060102T150405Z"),
		At: r.StartedAt, Hash: r.Sound}, nil
}

func noSound(field string) error {
	return comms.Refused(comms.NotFound, field, comms.ReasonNone, "there is no such recording")
}
