package record

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/callrecord"
	"switchboard/internal/clock"
)

// NewRecord is a call that a carrier tells of. Numbers are in any writing.
type NewRecord struct {
	ForeignID               string // the carrier's own name for it, unique within the account
	Calling, Called, Dialed string
	Direction               Direction
	Way                     callrecord.Way // empty: the direction
	StartedAt               clock.Micros
	Duration                int // seconds
	Hangup                  string
}

// columns are what is written of a record.
var columns = []string{callrecord.FieldAccountID, callrecord.FieldCallID, callrecord.FieldCarrierID, callrecord.FieldForeignID,
	callrecord.FieldCalling, callrecord.FieldCalled, callrecord.FieldDialed, callrecord.FieldDirection, callrecord.FieldWay,
	callrecord.FieldStartedAt, callrecord.FieldDuration, callrecord.FieldHangup}

var insertRecords = comms.NewInsert(callrecord.Table, columns...)

// Add stores what a carrier tells of, in the importer's change, and says how many of them are new: those whose foreign id the account has
// already are left as they are. It locks the account, as all do that write records.
func (s *Service) Add(ctx context.Context, c *comms.Change, account, carrier uuid.UUID, records []NewRecord) (added int, err error) {
	if err := s.in.Lock(ctx, c, account); err != nil {
		return 0, err
	}
	for chunk := range slices.Chunk(records, comms.RowsAtOnce) {
		args := make([]any, 0, len(chunk)*len(columns))
		for _, r := range chunk {
			if err := r.check(); err != nil {
				return added, err
			}
			way := r.Way
			if way == "" {
				way = callrecord.Way(r.Direction)
			}
			args = append(args, account, nil, carrier, r.ForeignID, told(r.Calling), told(r.Called), told(r.Dialed), string(r.Direction), string(way),
				int64(r.StartedAt), int64(seconds(r.Duration)), cut(plain(r.Hangup), mostHangup))
		}
		n, err := s.put(ctx, c, account, s.onceEach(len(chunk)), args)
		if err != nil {
			return added, fmt.Errorf("store call records: %w", err)
		}
		added += n
	}
	return added, nil
}

// put stores records and tallies those that are new, of which the statement tells.
func (s *Service) put(ctx context.Context, c *comms.Change, account uuid.UUID, statement string, args []any) (added int, err error) {
	rows, err := c.Tx().QueryContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	fresh := changes{}
	err = func() error {
		defer rows.Close()
		for rows.Next() {
			var direction Direction
			var calling, called string
			var duration int
			if err := rows.Scan(&direction, &calling, &called, &duration); err != nil {
				return err
			}
			fresh.note(account, direction, calling, called, duration, 1)
			added++
		}
		return rows.Err()
	}()
	if err != nil {
		return 0, err
	}
	return added, s.tally(ctx, c, fresh)
}

// onceEach is the statement for so many records that may be there already.
func (s *Service) onceEach(rows int) string {
	statement := strings.Replace(insertRecords.Statement(rows, s.in.Dialect()), "INSERT OR FAIL ", "INSERT ", 1)
	return statement + " ON CONFLICT (" + callrecord.FieldAccountID + ", " + callrecord.FieldForeignID + ") DO NOTHING RETURNING direction, calling, called, duration"
}

const (
	mostForeign = 255
	mostHangup  = 255
)

func (r *NewRecord) check() error {
	switch {
	case r.ForeignID == "" || len(r.ForeignID) > mostForeign || plain(r.ForeignID) != r.ForeignID:
		return refused("foreignId", "a record needs the carrier's name for it")
	case r.Direction != Incoming && r.Direction != Outgoing:
		return refused("direction", "the direction is incoming or outgoing")
	case r.Way != "" && callrecord.WayValidator(r.Way) != nil:
		return refused("way", "the way is incoming, outgoing or transfer")
	}
	return nil
}

// told is a number that a carrier tells of, as it is stored.
func told(number string) string { return cut(numberOf(number), mostNumber) }

// cut is the beginning of a text that a carrier made too long, in whole characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
