package record

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/callrecord"
	"switchboard/ent/number"
)

// Ended makes records of calls of ours, in the change that ends them: one of each account's call, with what that shows to its account and
// nothing else. The change holds the accounts' locks.
func (s *Service) Ended(ctx context.Context, c *comms.Change, calls []*comms.Call) error {
	if len(calls) == 0 {
		return nil
	}
	args, fresh := make([]any, 0, len(calls)*len(columns)), changes{}
	for _, row := range calls {
		own, err := s.ownNumber(ctx, c, row.NumberID)
		if err != nil {
			return err
		}
		calling, called := own, row.Peer
		if row.Direction == "incoming" {
			calling, called = row.Peer, own
		}
		dialed, way := called, callrecord.Way(row.Direction)
		if row.Second != "" { // whoever was dialled, the call was put through to this one
			called = row.Second
		}
		if row.Transferred {
			way = callrecord.WayTransfer
		}
		args = append(args, row.AccountID, row.ID, nil, nil, calling, called, dialed, string(row.Direction), string(way),
			int64(row.CreatedAt), int64(seconds(row.Duration)), strings.ReplaceAll(row.Reason, "_", " "))
		fresh.note(row.AccountID, Direction(row.Direction), calling, called, seconds(row.Duration), 1)
	}
	if _, err := c.Tx().ExecContext(ctx, insertRecords.Statement(len(calls), s.in.Dialect()), args...); err != nil {
		return fmt.Errorf("store the records of a call: %w", err)
	}
	return s.tally(ctx, c, fresh)
}

// mostOwn bounds how many of our numbers are known by heart.
const mostOwn = 100_000

// ownNumber is the text of a number of ours, which never changes. Where two telephones spoke without one there is none.
func (s *Service) ownNumber(ctx context.Context, c *comms.Change, id *uuid.UUID) (string, error) {
	if id == nil {
		return "", nil
	}
	s.mu.Lock()
	text, ok := s.own[*id]
	s.mu.Unlock()
	if ok {
		return text, nil
	}
	text, err := c.Tx().Number.Query().Where(number.ID(*id)).Select(number.FieldNumber).String(ctx)
	if err != nil {
		return "", fmt.Errorf("find the number of a call: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.own) >= mostOwn {
		clear(s.own)
	}
	s.own[*id] = text
	return text, nil
}
