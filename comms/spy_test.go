package comms_test

import (
	"bytes"
	"context"
	"database/sql"
	"sync/atomic"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// spy is a real store that tells a test of each statement before it runs, and lets it fail; and counts how often changes run.
type spy struct {
	*db.Store
	sees          func(query string, args []any) error // may be nil; set before it is used
	changes, runs atomic.Int64
}

func (s *spy) Read() *ent.Client { return s.over(s.Store.Read()) }

func (s *spy) Change(ctx context.Context, fn db.Func, committed func()) error {
	s.changes.Add(1)
	return s.Store.Change(ctx, func(ctx context.Context, tx *ent.Client) error {
		s.runs.Add(1)
		return fn(ctx, s.over(tx))
	}, committed)
}

func (s *spy) over(c *ent.Client) *ent.Client { return ent.NewClient(ent.Driver(&spyDriver{c, s})) }

// spyDriver is ent's way through a client of the store.
type spyDriver struct {
	*ent.Client
	spy *spy
}

func (d *spyDriver) Dialect() string                        { return d.spy.Dialect() }
func (d *spyDriver) Close() error                           { return nil }
func (d *spyDriver) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(d), nil }
func (d *spyDriver) seen(query string, args []any) error {
	if d.spy.sees == nil {
		return nil
	}
	return d.spy.sees(query, args)
}

func (d *spyDriver) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := d.seen(query, args); err != nil {
		return nil, err
	}
	return d.Client.ExecContext(ctx, query, args...)
}

func (d *spyDriver) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := d.seen(query, args); err != nil {
		return nil, err
	}
	return d.Client.QueryContext(ctx, query, args...)
}

func (d *spyDriver) Exec(ctx context.Context, query string, args, v any) error {
	res, err := d.ExecContext(ctx, query, args.([]any)...)
	if to, ok := v.(*sql.Result); ok && err == nil {
		*to = res
	}
	return err
}

func (d *spyDriver) Query(ctx context.Context, query string, args, v any) error {
	rows, err := d.QueryContext(ctx, query, args.([]any)...)
	if err == nil {
		v.(*entsql.Rows).ColumnScanner = rows
	}
	return err
}

// spied is a world whose rules go through a spy.
func spied(t *testing.T, fn func(w *world, s *spy)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		w := newWorld(t, open(t))
		s := &spy{Store: w.store}
		var err error
		w.svc, err = comms.New(comms.Options{Store: s, Secret: bytes.Repeat([]byte{7}, 32), Node: "spied", HashCost: 4})
		if err != nil {
			t.Fatal(err)
		}
		fn(w, s)
	})
}
