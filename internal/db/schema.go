package db

import (
	"context"
	"fmt"

	"switchboard/internal/clock"
)

// Revision is a migration that made the database what it is.
type Revision struct {
	Version   string
	AppliedAt clock.Micros
}

// Revisions are all of them, in order.
func (s *Store) Revisions(ctx context.Context) ([]Revision, error) {
	rows, err := s.Read().QueryContext(ctx, "SELECT version, applied_at FROM schema_revisions ORDER BY version")
	if err != nil {
		return nil, fmt.Errorf("db: reading the schema's revisions: %w", err)
	}
	defer rows.Close()
	var out []Revision
	for rows.Next() {
		var r Revision
		if err := rows.Scan(&r.Version, &r.AppliedAt); err != nil {
			return nil, fmt.Errorf("db: reading the schema's revisions: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}
