package comms

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/ent/number"
)

// readNumbers is the statement behind every list of messages that shows its numbers: written out, as the list itself is
// (message_read.go), with only what a list shows.
func (s *Service) readNumbers(ctx context.Context, account uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Number, error) {
	if len(ids) == 0 {
		return map[uuid.UUID]*Number{}, nil
	}
	wanted := make([]any, len(ids))
	for i, id := range ids {
		wanted[i] = id
	}
	query, args := sql.Dialect(s.store.Dialect()).Select(number.FieldID, number.FieldNumber, number.FieldAlias, number.FieldAbility, number.FieldSource,
		number.FieldDisabled, number.FieldCreatedAt).From(sql.Table(number.Table)).
		Where(sql.And(sql.EQ(number.FieldAccountID, account), sql.In(number.FieldID, wanted...))).Query()
	rows, err := s.store.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read numbers: %w", err)
	}
	defer rows.Close()
	out := make(map[uuid.UUID]*Number, len(ids))
	for rows.Next() {
		n := &Number{AccountID: account}
		err := rows.Scan(&n.ID, &n.Number, &n.Alias, (*string)(&n.Ability), (*string)(&n.Source), &n.Disabled, (*int64)(&n.CreatedAt))
		if err != nil {
			return nil, fmt.Errorf("read numbers: %w", err)
		}
		out[n.ID] = n
	}
	return out, rows.Err()
}
