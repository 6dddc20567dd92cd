package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
)

// changeDriver is ent's way to the transaction of the running change. One of it, and one client over it, serves all changes of a
// connection, one after another.
type changeDriver struct {
	name string
	// to is the connection (SQLite) or the transaction (PostgreSQL).
	to entsql.ExecQuerier
	// running is the change whose statements may pass. A client that was kept, or somebody else's context, would otherwise put its
	// statements into a stranger's transaction.
	running atomic.Pointer[jobContext]
	// wrote says that the running change may have changed something.
	wrote bool
}

var _ dialect.Driver = (*changeDriver)(nil)

// Dialect implements dialect.Driver.
func (d *changeDriver) Dialect() string { return d.name }

// Close implements dialect.Driver: the connection isn't the client's.
func (d *changeDriver) Close() error { return nil }

// Tx implements dialect.Driver for what ent itself does in several statements. If one of them fails, so does the change.
func (d *changeDriver) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(d), nil }

// Exec implements dialect.ExecQuerier.
func (d *changeDriver) Exec(ctx context.Context, query string, args, v any) error {
	return exec(ctx, d, query, args, v)
}

// Query implements dialect.ExecQuerier.
func (d *changeDriver) Query(ctx context.Context, query string, args, v any) error {
	return rows(ctx, d, query, args, v)
}

// ExecContext is for the client's raw statements.
func (d *changeDriver) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	job, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	d.wrote = true
	res, err := d.to.ExecContext(job, query, args...)
	if err != nil {
		job.fail(err)
	}
	return res, err
}

// QueryContext is for the client's raw statements.
func (d *changeDriver) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	job, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	d.wrote = d.wrote || !strings.HasPrefix(query, "SELECT") // ent writes with queries too (RETURNING)
	rows, err := d.to.QueryContext(job, query, args...)
	if err != nil {
		d.wrote = true // SQLite may have rolled back
		job.fail(err)
	}
	return rows, err
}

// enter checks that ctx belongs to the running change, and that nothing of it has failed: PostgreSQL would refuse the statement, and
// SQLite may have rolled everything back by itself (a full disk) and would commit it at once. The statement then runs under the change's
// own context: one that was derived from it may end.
func (d *changeDriver) enter(ctx context.Context) (*jobContext, error) {
	job, ok := ctx.(*jobContext)
	if !ok {
		job, _ = ctx.Value(jobKey{}).(*jobContext)
	}
	if job == nil || d.running.Load() != job {
		return nil, errOutside
	}
	if job.failed != nil {
		return nil, fmt.Errorf("db: an earlier statement of the change failed: %w", job.failed)
	}
	count(job)
	return job, nil
}

func (c *jobContext) fail(err error) {
	if c.failed == nil {
		c.failed = err
	}
}

// readDriver is ent's way to connections that only read: to a pool of them, or to one that holds a state of the database.
type readDriver struct {
	name string
	to   entsql.ExecQuerier
	pool *sql.DB
	// steady says that statements must not see their context's end: on SQLite that costs more than the statement.
	steady bool
}

var _ dialect.Driver = (*readDriver)(nil)

// Dialect implements dialect.Driver.
func (d *readDriver) Dialect() string { return d.name }

// Close implements dialect.Driver: the pool is the store's.
func (d *readDriver) Close() error { return nil }

// Tx implements dialect.Driver: several reads of one state of the database.
func (d *readDriver) Tx(ctx context.Context) (dialect.Tx, error) {
	o := sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if d.name == dialect.SQLite {
		o.Isolation = sql.LevelDefault // SQLite has no other, and doesn't know the name
	}
	if d.steady {
		ctx = quiet{ctx}
	}
	tx, err := d.pool.BeginTx(ctx, &o)
	if err != nil {
		return nil, fmt.Errorf("db: beginning to read: %w", err)
	}
	return &readTx{readDriver{name: d.name, to: tx, pool: d.pool, steady: d.steady}, tx}, nil
}

// Exec implements dialect.ExecQuerier. A change is refused by the connection.
func (d *readDriver) Exec(ctx context.Context, query string, args, v any) error {
	return exec(ctx, d, query, args, v)
}

// Query implements dialect.ExecQuerier.
func (d *readDriver) Query(ctx context.Context, query string, args, v any) error {
	return rows(ctx, d, query, args, v)
}

// ExecContext is for the client's raw statements.
func (d *readDriver) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	return d.to.ExecContext(ctx, query, args...)
}

// QueryContext is for the client's raw statements.
func (d *readDriver) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	return d.to.QueryContext(ctx, query, args...)
}

func (d *readDriver) enter(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	count(ctx)
	if d.steady && ctx.Done() != nil {
		return quiet{ctx}, nil
	}
	return ctx, nil
}

// readTx is several reads of one state.
type readTx struct {
	readDriver
	tx *sql.Tx
}

// Commit implements driver.Tx.
func (t *readTx) Commit() error { return t.tx.Commit() }

// Rollback implements driver.Tx.
func (t *readTx) Rollback() error { return t.tx.Rollback() }

// exec runs a statement as ent asks for it: the arguments as a []any, the result into v.
func exec(ctx context.Context, to entsql.ExecQuerier, query string, args, v any) error {
	argv, err := arguments(args)
	if err != nil {
		return err
	}
	res, err := to.ExecContext(ctx, query, argv...)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
	case *sql.Result:
		*v = res
	default:
		return fmt.Errorf("db: a result can't go into %T", v)
	}
	return nil
}

// rows runs a query as ent asks for it.
func rows(ctx context.Context, to entsql.ExecQuerier, query string, args, v any) error {
	argv, err := arguments(args)
	if err != nil {
		return err
	}
	into, ok := v.(*entsql.Rows)
	if !ok {
		return fmt.Errorf("db: rows can't go into %T", v)
	}
	found, err := to.QueryContext(ctx, query, argv...)
	if err != nil {
		return err
	}
	into.ColumnScanner = found
	return nil
}

func arguments(args any) ([]any, error) {
	argv, ok := args.([]any)
	if !ok {
		return nil, fmt.Errorf("db: arguments of a statement are %T, not []any", args)
	}
	return argv, nil
}
