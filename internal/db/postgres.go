package db

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"entgo.io/ent/dialect"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"switchboard/ent"
	"switchboard/ent/migrate/migrations"
)

const (
	// Two pools, so that changes which wait for each other's locks leave the reads their connections.
	writeConnections = 16
	readConnections  = 16
	// A connection is given up in time: a load balancer in between does it less politely.
	connectionLife = time.Hour
	connectionIdle = 10 * time.Minute

	// lockTimeout is how long a change waits for another's lock, as SQLite's busy_timeout.
	lockTimeout = "10s"

	// stalled is how long a change may leave its transaction alone before the server ends it: a process that was stopped in the middle
	// keeps its locks no longer, and what it has written does not appear hours after.
	stalled = "60s"

	attempts = 6 // of a change that the server asks to run again

	// migrationLock is the key of the advisory lock under which the schema changes: "switchbo" in ASCII.
	migrationLock = 0x73776974_6368626f
)

// postgres is the store on a PostgreSQL server.
type postgres struct {
	counters
	write *sql.DB
	read  *sql.DB
	ent   *ent.Client // over read
	log   *slog.Logger
	most  int64 // changes that may wait

	slots chan *slot
	queue atomic.Int64 // changes that wait for a slot

	mu     sync.Mutex // guards closed, and with it the group's end
	closed bool
	inside sync.WaitGroup
}

// slot is the right to one connection for changes, with the client that changes use on it.
type slot struct {
	driver *changeDriver
	client *ent.Client
}

func openPostgres(ctx context.Context, o Options) (engine, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("db: %w", err)
	}
	p := &postgres{log: o.Logger, most: int64(o.MaxQueue), slots: make(chan *slot, writeConnections)}
	// A commit is on disk before it is acknowledged, also where the server's own default is another.
	p.write = pool(config, writeConnections, map[string]string{"lock_timeout": lockTimeout, "idle_in_transaction_session_timeout": stalled,
		"synchronous_commit": "on"})
	if err := migratePostgres(ctx, p.write, o); err != nil {
		return nil, errors.Join(err, p.write.Close())
	}
	p.read = pool(config, readConnections, map[string]string{"default_transaction_read_only": "on"})
	p.ent = ent.NewClient(ent.Driver(&readDriver{name: dialect.Postgres, to: p.read, pool: p.read}))
	for range writeConnections {
		d := &changeDriver{name: dialect.Postgres}
		p.slots <- &slot{driver: d, client: ent.NewClient(ent.Driver(d))}
	}
	return p, nil
}

// pool makes the connections; settings are the defaults of their sessions, which the URL may override.
func pool(config *pgx.ConnConfig, size int, settings map[string]string) *sql.DB {
	settings["application_name"] = "switchboard"
	config = config.Copy()
	for name, value := range settings {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = value
		}
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxLifetime(connectionLife)
	db.SetConnMaxIdleTime(connectionIdle)
	return db
}

func migratePostgres(ctx context.Context, db *sql.DB, o Options) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("db: connecting to PostgreSQL: %w", err)
	}
	m := &migration{
		conn: conn,
		dir:  cmp.Or(o.migrations, migrations.Postgres()),
		log:  o.Logger,
		// Not to_regclass: it may remember from before the lock that there was no such table.
		found: "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_revisions'",
		begin: []string{
			"BEGIN",
			"SET LOCAL lock_timeout = 0", // another program may take its time
			fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", int64(migrationLock)),
		},
		mark: "INSERT INTO schema_revisions (version, hash, applied_at) VALUES ($1, $2, $3)",
	}
	return errors.Join(m.run(ctx), conn.Close())
}

// change runs one change in a transaction of its own.
func (p *postgres) change(ctx context.Context, fn Func, committed func()) error {
	if !p.enter() {
		return ErrClosed
	}
	defer p.inside.Done()
	s, err := p.take(ctx)
	if err != nil {
		return err
	}
	if err := p.repeat(ctx, s, fn); err != nil {
		return err
	}
	if committed != nil {
		committed()
	}
	return nil
}

func (p *postgres) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.inside.Add(1)
	}
	return !p.closed
}

// take waits for a slot.
func (p *postgres) take(ctx context.Context) (*slot, error) {
	select {
	case s := <-p.slots:
		return s, nil
	default:
	}
	defer p.queue.Add(-1)
	if p.queue.Add(1) > p.most {
		p.busy.Add(1)
		return nil, ErrBusy
	}
	select {
	case s := <-p.slots:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// repeat runs the change until the server no longer says that it conflicts with others, and gives the slot back.
func (p *postgres) repeat(ctx context.Context, s *slot, fn Func) error {
	defer func() { p.slots <- s }()
	for attempt := 1; ; attempt++ {
		job := &jobContext{values: ctx}
		err := p.once(job, s, fn)
		if err == nil {
			p.commit(1)
			return nil
		}
		if waitedTooLong(err) || waitedTooLong(job.failed) {
			p.failed.Add(1)
			return crossed{err}
		}
		if !conflict(err) && !conflict(job.failed) {
			p.failed.Add(1)
			return err
		}
		if attempt == attempts {
			p.failed.Add(1)
			return crossed{err}
		}
		// Those who met should not meet again: 1 to 2 ms, then 2 to 4, up to 16 to 32.
		wait := time.Millisecond << (attempt - 1)
		select {
		case <-time.After(wait + rand.N(wait)):
		case <-ctx.Done():
			p.failed.Add(1)
			return err
		}
	}
}

// once is one attempt.
func (p *postgres) once(job *jobContext, s *slot, fn Func) (err error) {
	tx, err := p.write.BeginTx(job, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return fmt.Errorf("db: beginning a transaction: %w", err)
	}
	s.driver.to = tx
	s.driver.running.Store(job)
	committing := false
	// Deferred, for a function may also end by runtime.Goexit.
	defer func() {
		s.driver.running.Store(nil)
		if !committing {
			if rerr := tx.Rollback(); rerr != nil {
				p.log.Warn("rolling back", "error", rerr)
			}
		}
	}()
	if err := guard(p.log, job, s.client, fn); err != nil {
		return err
	}
	committing = true
	s.driver.running.Store(nil)
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("db: committing: %w", err)
	}
	return nil
}

// waitedTooLong tells whether a lock was not to be had within lockTimeout.
func waitedTooLong(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// conflict tells whether the server rolled the change back only because of others: a failed serialisation, a deadlock.
func conflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// Lock makes changes that name one of the same keys follow each other: each waits until the other is committed.
func (p *postgres) Lock(ctx context.Context, tx *ent.Client, keys ...uuid.UUID) error {
	if len(keys) == 0 {
		return nil
	}
	locks := make([]int64, len(keys))
	for i, key := range keys {
		// Half of a random id. Two keys that share a lock only wait for each other once in a while.
		locks[i] = int64(binary.BigEndian.Uint64(key[:8]) ^ binary.BigEndian.Uint64(key[8:]))
	}
	slices.Sort(locks)
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k", slices.Compact(locks)); err != nil {
		return fmt.Errorf("db: locking: %w", err)
	}
	return nil
}

// Read is a client for reads; the server refuses changes on its connections.
func (p *postgres) Read() *ent.Client { return p.ent }

// Ordered tells that callbacks don't run in the order of commits: each runs on its caller's goroutine.
func (p *postgres) Ordered() bool { return false }

// Dialect is ent's name of the database.
func (p *postgres) Dialect() string { return dialect.Postgres }

// Stats tells what this store has done.
func (p *postgres) Stats() Stats { return p.stats(int(p.queue.Load())) }

// Close waits for the changes that were accepted, then closes the connections. It may be called again.
func (p *postgres) Close() error {
	p.mu.Lock()
	was := p.closed
	p.closed = true
	p.mu.Unlock()
	p.inside.Wait()
	if was {
		return nil
	}
	if err := errors.Join(p.read.Close(), p.write.Close()); err != nil {
		return fmt.Errorf("db: closing: %w", err)
	}
	return nil
}
