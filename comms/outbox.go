package comms

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"switchboard/ent/event"
)

// appendEvents stores what the change tells of. The accounts' locks are taken last and held to the commit, so that within one account
// the ids rise in the order of the commits: who sees an event has already been able to see all before it.
func (s *Service) appendEvents(ctx context.Context, c *change) error {
	if len(c.events) == 0 {
		return nil
	}
	if !s.store.Ordered() {
		accounts := make([]uuid.UUID, len(c.events))
		for i, e := range c.events {
			accounts[i] = e.AccountID
		}
		if err := s.store.Lock(ctx, c.tx, accounts...); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(c.events, rowsAtOnce) {
		if err := s.insertEvents(ctx, c, chunk); err != nil {
			return fmt.Errorf("store events: %w", err)
		}
	}
	for _, e := range c.events {
		if e.Message != nil {
			e.Message = messageThen(e.Message, e)
		}
	}
	return nil
}

var eventInsert = insert{table: event.Table, returning: event.FieldID, columns: []string{event.FieldAccountID, event.FieldKind,
	event.FieldNumberID, event.FieldMessageID, event.FieldCallID, event.FieldFact, event.FieldCreatedAt}}

// insertEvents stores events and learns their ids.
func (s *Service) insertEvents(ctx context.Context, c *change, events []*Event) error {
	args := make([]any, 0, len(events)*len(eventInsert.columns))
	for _, e := range events {
		var number, message, call any
		var stored []byte
		if e.NumberID != uuid.Nil {
			number = &e.NumberID
		}
		if id := e.CallID(); id != uuid.Nil {
			call = id
		}
		if e.Message != nil {
			message = e.Message.ID
		} else {
			var err error
			if stored, err = json.Marshal(fact{e.Number, e.Block, e.Token, e.Account, e.Call, e.Recording, e.Mask, e.Phone, e.Group, e.Carrier}); err != nil {
				return fmt.Errorf("encode %s: %w", e.Kind, err)
			}
		}
		args = append(args, &e.AccountID, string(e.Kind), number, message, call, stored, int64(e.At))
	}
	statement := eventInsert.statement(len(events), s.store.Dialect())
	if s.store.Dialect() == "sqlite3" {
		res, err := c.tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		last, err := res.LastInsertId() // the only writer: the rows of one statement have consecutive ids
		if err != nil {
			return err
		}
		for i, e := range events {
			e.ID = last - int64(len(events)-1-i)
		}
		return nil
	}
	rows, err := c.tx.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for i := 0; rows.Next(); i++ {
		if err := rows.Scan(&events[i].ID); err != nil {
			return err
		}
	}
	return rows.Err()
}
