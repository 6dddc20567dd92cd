package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"entgo.io/ent/dialect"
	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/migrate/migrations"
)

const (
	// FULL: a commit is on disk before it is acknowledged. Immediate: a transaction that reads first and then writes would otherwise
	// fail under load, and busy_timeout doesn't help there.
	writerOptions = "_mutex=no&_txlock=immediate&_journal_mode=WAL&_synchronous=FULL&_busy_timeout=10000&_foreign_keys=on&_stmt_cache_size=128&_cache_size=-16000"
	readerOptions = "_mutex=no&mode=ro&_query_only=true&_txlock=deferred&_busy_timeout=10000&_stmt_cache_size=128"
	readers       = 4
)

// writerPragmas are set on the writer's only connection. Savepoints keep what they would undo in memory instead of in a file each; and
// the log is copied into the database after 16 MiB instead of 4: pages that are written often are then copied once instead of four times.
var writerPragmas = []string{"PRAGMA temp_store = MEMORY", "PRAGMA wal_autocheckpoint = 4000"}

// sqlite is the store on a SQLite file: one writer, a few readers.
type sqlite struct {
	*writer
	write *sql.DB
	read  *sql.DB
	ent   *ent.Client // over read
}

func openSQLite(ctx context.Context, path string, o Options) (_ engine, err error) {
	if engineError != nil {
		return nil, engineError
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("db: making the data folder: %w", err)
	}
	if err := private(path); err != nil {
		return nil, fmt.Errorf("db: making %s: %w", path, err)
	}
	s := &sqlite{}
	// The writer comes first: it fills the file, which the readers don't.
	if s.write, err = sql.Open(sqliteDriver, source(path, writerOptions)); err != nil {
		return nil, fmt.Errorf("db: opening %s: %w", path, err)
	}
	s.write.SetMaxOpenConns(1)
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("db: opening %s: %w", path, err), s.write.Close())
	}
	for _, pragma := range writerPragmas {
		if _, err := conn.ExecContext(ctx, pragma); err != nil {
			return nil, errors.Join(fmt.Errorf("db: %s: %w", pragma, err), conn.Close(), s.write.Close())
		}
	}
	if err := migrateSQLite(ctx, conn, path, o); err != nil {
		return nil, errors.Join(err, conn.Close(), s.write.Close())
	}
	if s.read, err = sql.Open(sqliteDriver, source(path, readerOptions)); err != nil {
		return nil, errors.Join(fmt.Errorf("db: opening %s to read: %w", path, err), conn.Close(), s.write.Close())
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	s.ent = ent.NewClient(ent.Driver(&readDriver{name: dialect.SQLite, to: s.read, pool: s.read, steady: true}))
	if s.writer, err = startWriter(conn, o); err != nil {
		return nil, errors.Join(err, conn.Close(), s.write.Close(), s.read.Close())
	}
	return s, nil
}

// private makes an empty file that only its owner reads, where there is none: SQLite would make one that everybody reads, and gives the
// files beside it the rights of the database. What is there keeps the rights that its owner chose.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// source is the name under which go-sqlite3 opens a file: a URI, in which some characters of a path mean something.
func source(path, options string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) + "?" + options
}

func migrateSQLite(ctx context.Context, conn *sql.Conn, path string, o Options) error {
	m := &migration{
		conn:  conn,
		dir:   cmp.Or(o.migrations, migrations.SQLite()),
		log:   o.Logger,
		found: "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_revisions'",
		begin: []string{"BEGIN IMMEDIATE"},
		mark:  "INSERT INTO schema_revisions (version, hash, applied_at) VALUES (?, ?, ?)",
		before: func(ctx context.Context, last string) error {
			return backup(ctx, path, path+".before-migration-from-"+strings.TrimSuffix(last, ".sql"), o.Logger)
		},
		check: func(ctx context.Context) error { return danglingKeys(ctx, conn) },
	}
	lacks, _, err := m.pending(ctx)
	if err != nil || len(lacks) == 0 {
		return err
	}
	// SQLite changes a table by copying it and dropping the old one, which must not cascade; the switch is without effect within a
	// transaction.
	if err := m.exec(ctx, "PRAGMA foreign_keys = off"); err != nil {
		return fmt.Errorf("db: preparing the migration: %w", err)
	}
	return errors.Join(m.run(ctx), m.exec(ctx, "PRAGMA foreign_keys = on"))
}

// backup copies the database as it is, while the caller keeps everybody from changing it.
func backup(ctx context.Context, path, to string, log *slog.Logger) error {
	from, err := sql.Open(sqliteDriver, source(path, "_busy_timeout=10000"))
	if err != nil {
		return fmt.Errorf("db: backing up: %w", err)
	}
	defer from.Close()
	// Under another name until it is whole: a backup by its right name can be trusted.
	part := to + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("db: backing up: %w", err)
	}
	if err := private(part); err != nil {
		return fmt.Errorf("db: backing up: %w", err)
	}
	if _, err := from.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
		return fmt.Errorf("db: backing up to %s: %w", part, err)
	}
	if err := flush(part); err != nil {
		return fmt.Errorf("db: backing up: %w", err)
	}
	if err := os.Rename(part, to); err != nil {
		return fmt.Errorf("db: backing up: %w", err)
	}
	log.InfoContext(ctx, "the database was backed up before its schema changes", "file", to)
	return flush(filepath.Dir(to))
}

// flush puts a file, or a folder's list of files, on disk.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// danglingKeys fails when a row refers to one that isn't there.
func danglingKeys(ctx context.Context, conn *sql.Conn) error {
	rows, err := conn.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return fmt.Errorf("checking foreign keys: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		var table, parent string
		var row, key sql.NullInt64
		if err := rows.Scan(&table, &row, &parent, &key); err != nil {
			return fmt.Errorf("checking foreign keys: %w", err)
		}
		return fmt.Errorf("row %d of %s refers to a row of %s that isn't there", row.Int64, table, parent)
	}
	return rows.Err()
}

// Read is a client for reads. Each statement sees what was committed when it began; no change keeps it waiting.
func (s *sqlite) Read() *ent.Client { return s.ent }

// Lock does nothing: there is one writer.
func (s *sqlite) Lock(context.Context, *ent.Client, ...uuid.UUID) error { return nil }

// Ordered tells that the callbacks of changes run in the order of their commits.
func (s *sqlite) Ordered() bool { return true }

// Dialect is ent's name of the database.
func (s *sqlite) Dialect() string { return dialect.SQLite }

// Close lets the changes that wait be done, then closes the file. It may be called again.
func (s *sqlite) Close() error {
	if !s.stop() {
		return nil
	}
	err := s.read.Close()
	// Once the readers are gone the log can be merged into the file, which then alone is the database.
	_, cerr := s.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	if err := errors.Join(err, cerr, s.conn.Close(), s.write.Close()); err != nil {
		return fmt.Errorf("db: closing: %w", err)
	}
	return nil
}
