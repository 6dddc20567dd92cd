package record

import (
	"bytes"
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/callrecord"
	"switchboard/ent/recording"
)

// Row is a record with the path of a signed link to its recording; empty: it has none.
type Row struct {
	*comms.CallRecord
	Recording string
}

const (
	// MostAt is how many records RecordsAt gives at once.
	MostAt = 1000
	// batch is how many records EachRecord reads at a time.
	batch = 500
)

// Records is a page of the caller's records, newest first.
func (s *Service) Records(ctx context.Context, q Search, p comms.Page) (*comms.PageOf[*Row], error) {
	f, err := s.permitted(ctx, &q)
	if err != nil {
		return nil, err
	}
	return comms.PageOfSpots(ctx, s.in, p, comms.Spots[*Row]{Name: 'h',
		Place: func(r *Row) comms.Spot { return comms.Spot{At: r.StartedAt, ID: r.ID} },
		Read: func(ctx context.Context, p comms.Span) ([]*Row, error) {
			return s.find(ctx, f, p, 0)
		}})
}

// RecordsAt is up to limit of the caller's records, newest first, behind the first so many.
func (s *Service) RecordsAt(ctx context.Context, q Search, limit, offset int) ([]*Row, error) {
	f, err := s.permitted(ctx, &q)
	switch {
	case err != nil:
		return nil, err
	case limit < 0 || limit > MostAt:
		return nil, refused("limit", fmt.Sprintf("0 to %d", MostAt))
	case offset < 0:
		return nil, refused("offset", "an offset is not negative")
	}
	return s.find(ctx, f, comms.Span{Limit: limit}, offset)
}

// CountRecords is how many of the caller's records the search finds.
func (s *Service) CountRecords(ctx context.Context, q Search) (int, error) {
	f, err := s.permitted(ctx, &q)
	if err != nil {
		return 0, err
	}
	return s.total(ctx, f)
}

// EachRecord calls fn with all records that the search finds, newest first, some at a time. What is added or goes meanwhile may be among them or
// not; nothing is read twice, and no read of the database waits for fn.
func (s *Service) EachRecord(ctx context.Context, q Search, fn func([]*Row) error) error {
	f, err := s.permitted(ctx, &q)
	if err != nil {
		return err
	}
	p := comms.Span{Limit: batch}
	for {
		rows, err := s.find(ctx, f, p, 0)
		if err != nil || len(rows) == 0 { // fewer than were asked for is not the end: some may have gone meanwhile
			return err
		}
		oldest := rows[len(rows)-1]
		p.After = &comms.Spot{At: oldest.StartedAt, ID: oldest.ID}
		if err := fn(rows); err != nil {
			return err
		}
	}
}

// permitted is the search of who may ask it.
func (s *Service) permitted(ctx context.Context, q *Search) (*search, error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return nil, err
	}
	numbers, err := q.check()
	if err != nil {
		return nil, err
	}
	return s.prepare(ctx, a.AccountID, *q, numbers)
}

// find reads the records of a part of what the search finds. Where one went since its id was found, it looks again.
func (s *Service) find(ctx context.Context, f *search, p comms.Span, skip int) (out []*Row, err error) {
	for range 5 {
		ids, err := s.ids(ctx, f, p, skip)
		if err != nil {
			return nil, err
		}
		if out, err = s.read(ctx, f.account, ids); err != nil || len(out) == len(ids) {
			return out, err
		}
	}
	return out, nil
}

// read reads records by their ids, in that order, with the links to their recordings: two statements for each thousand.
func (s *Service) read(ctx context.Context, account uuid.UUID, ids []int64) ([]*Row, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	// By nothing but their ids, lest a database go by the account, which has so many.
	found, err := s.in.Read().CallRecord.Query().Where(callrecord.IDIn(ids...)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read call records: %w", err)
	}
	byID := make(map[int64]*comms.CallRecord, len(found))
	var calls []uuid.UUID
	for _, r := range found {
		if r.AccountID != account { // an id of one that is gone, which the database gave again
			continue
		}
		byID[r.ID] = r
		if r.CallID != nil {
			calls = append(calls, *r.CallID)
		}
	}
	links, err := s.linksOf(ctx, calls)
	if err != nil {
		return nil, err
	}
	out := make([]*Row, 0, len(found))
	for _, id := range ids {
		r := byID[id]
		if r == nil {
			continue
		}
		row := &Row{CallRecord: r}
		switch {
		case r.CallID != nil:
			row.Recording = links[*r.CallID]
		case r.Sound != "":
			row.Recording = s.soundLink(r)
		}
		out = append(out, row)
	}
	return out, nil
}

// linksOf are the links to the newest recording of each call that is ready.
func (s *Service) linksOf(ctx context.Context, calls []uuid.UUID) (map[uuid.UUID]string, error) {
	if len(calls) == 0 || s.link == nil {
		return nil, nil
	}
	ready, err := s.in.Read().Recording.Query().Where(recording.CallIDIn(calls...), recording.StatusEQ(recording.StatusReady)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the recordings of calls: %w", err)
	}
	newest := make(map[uuid.UUID]*comms.Recording, len(ready))
	for _, r := range ready {
		if last := newest[r.CallID]; last == nil || r.CreatedAt > last.CreatedAt || r.CreatedAt == last.CreatedAt && bytes.Compare(r.ID[:], last.ID[:]) > 0 {
			newest[r.CallID] = r
		}
	}
	out := make(map[uuid.UUID]string, len(newest))
	for id, r := range newest {
		out[id] = s.link(r)
	}
	return out, nil
}
