package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"switchboard/internal/clock"
)

// migration is one upgrade of one database. What the databases do differently stands in its fields.
type migration struct {
	conn  *sql.Conn
	dir   fs.FS
	log   *slog.Logger
	found string   // a query that answers with a row when schema_revisions exists
	begin []string // begins a transaction and keeps other programs from doing the same
	mark  string   // INSERT of a revision
	// before runs once, under the lock, when a database that holds something is about to be changed.
	before func(ctx context.Context, last string) error
	// check runs before each commit.
	check func(ctx context.Context) error
}

const revisions = `CREATE TABLE IF NOT EXISTS schema_revisions (version text NOT NULL PRIMARY KEY, hash text NOT NULL, applied_at bigint NOT NULL)`

// pending lists the files that the database lacks, in order; what it has must be known here with the same hash, which covers
// a file and all before it.
func (m *migration) pending(ctx context.Context) (lacks []string, last string, err error) {
	known, err := m.sums()
	if err != nil {
		return nil, "", err
	}
	applied, last, err := m.applied(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, file := range known {
		hash, has := applied[file.name]
		switch {
		case !has:
			lacks = append(lacks, file.name)
		case hash != file.hash:
			return nil, "", fmt.Errorf("db: the migration %s is not the one that made this database", file.name)
		}
		delete(applied, file.name)
	}
	for name := range applied {
		return nil, "", fmt.Errorf("%w: it has %s", ErrNewerSchema, name)
	}
	return lacks, last, nil
}

// sums is the folder's list of files with their hashes.
func (m *migration) sums() (sums, error) {
	text, err := fs.ReadFile(m.dir, sumFileName)
	if err != nil {
		return nil, fmt.Errorf("db: reading the list of migrations: %w", err)
	}
	list, err := parseSums(text)
	if err != nil {
		return nil, fmt.Errorf("db: reading the list of migrations: %w", err)
	}
	return list, nil
}

// applied is what the database says about itself: the hash of each file that made it, and the last of them.
func (m *migration) applied(ctx context.Context) (hashes map[string]string, last string, err error) {
	var n int
	switch err := m.conn.QueryRowContext(ctx, m.found).Scan(&n); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, "", nil
	case err != nil:
		return nil, "", fmt.Errorf("db: looking for the schema's revisions: %w", err)
	}
	rows, err := m.conn.QueryContext(ctx, "SELECT version, hash FROM schema_revisions ORDER BY version")
	if err != nil {
		return nil, "", fmt.Errorf("db: reading the schema's revisions: %w", err)
	}
	defer rows.Close()
	hashes = make(map[string]string)
	for rows.Next() {
		var hash string
		if err := rows.Scan(&last, &hash); err != nil {
			return nil, "", fmt.Errorf("db: reading the schema's revisions: %w", err)
		}
		hashes[last] = hash
	}
	return hashes, last, rows.Err()
}

// run brings the database up to date.
func (m *migration) run(ctx context.Context) error {
	for first := true; ; first = false {
		lacks, _, err := m.pending(ctx)
		if err != nil || len(lacks) == 0 {
			return err
		}
		if first {
			if err := m.verify(); err != nil {
				return err
			}
		}
		if err := m.step(ctx, first); err != nil {
			// The database is as it was before this file.
			_, _ = m.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			return err
		}
	}
}

// step applies the first pending file in a transaction. Another program that starts at the same time waits, and then
// finds nothing pending.
func (m *migration) step(ctx context.Context, first bool) error {
	for _, statement := range m.begin {
		if err := m.exec(ctx, statement); err != nil {
			return fmt.Errorf("db: locking the schema: %w", err)
		}
	}
	lacks, last, err := m.pending(ctx)
	if err != nil {
		return err
	}
	if len(lacks) == 0 {
		return m.exec(ctx, "COMMIT")
	}
	if first && last != "" && m.before != nil {
		if err := m.before(ctx, last); err != nil {
			return err
		}
	}
	if err := m.apply(ctx, lacks[0]); err != nil {
		return err
	}
	if m.check != nil {
		if err := m.check(ctx); err != nil {
			return fmt.Errorf("db: after the migration %s: %w", lacks[0], err)
		}
	}
	return m.exec(ctx, "COMMIT")
}

// apply runs the statements of one file and writes its revision.
func (m *migration) apply(ctx context.Context, name string) error {
	text, err := fs.ReadFile(m.dir, name)
	if err != nil {
		return fmt.Errorf("db: reading the migration %s: %w", name, err)
	}
	list, err := m.sums()
	if err != nil {
		return err
	}
	for _, statement := range append([]string{revisions}, statements(text)...) {
		if err := m.exec(ctx, statement); err != nil {
			return fmt.Errorf("db: the migration %s: %w", name, err)
		}
	}
	if _, err := m.conn.ExecContext(ctx, m.mark, name, list.of(name), int64(clock.Now())); err != nil {
		return fmt.Errorf("db: recording the migration %s: %w", name, err)
	}
	m.log.InfoContext(ctx, "the database's schema was brought forward", "migration", name)
	return nil
}

// verify compares the files with their list: a file that was edited by hand is not applied.
func (m *migration) verify() error {
	want, err := m.sums()
	if err != nil {
		return err
	}
	have, err := want.again(m.dir)
	if err != nil {
		return err
	}
	if have.total() != want.total() {
		return errors.New("db: the migrations differ from their atlas.sum")
	}
	return nil
}

func (m *migration) exec(ctx context.Context, statement string) error {
	if _, err := m.conn.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%.60q: %w", statement, err)
	}
	return nil
}
