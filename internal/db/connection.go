package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"
	"github.com/mattn/go-sqlite3"
)

// sqliteDriver is go-sqlite3 with another form of UUIDs: their 16 bytes instead of 36 characters of text. They are in every row and every
// index, so a page holds half as much again; and nothing is spelled and parsed on the way.
const sqliteDriver = "switchboard-sqlite3"

func init() { sql.Register(sqliteDriver, bytesDriver{}) }

type bytesDriver struct{ sqlite3.SQLiteDriver }

// Open implements driver.Driver.
func (d bytesDriver) Open(name string) (driver.Conn, error) {
	c, err := d.SQLiteDriver.Open(name)
	if err != nil {
		return nil, err
	}
	return bytesConn{c.(*sqlite3.SQLiteConn)}, nil
}

type bytesConn struct{ *sqlite3.SQLiteConn }

// CheckNamedValue implements driver.NamedValueChecker. What is a value of the driver's already is so said at once: database/sql takes
// longer to see it.
func (bytesConn) CheckNamedValue(v *driver.NamedValue) error {
	switch a := v.Value.(type) {
	case nil, string, int64, []byte, bool, float64:
		return nil
	case uuid.UUID:
		v.Value = a[:]
		return nil
	case *uuid.UUID:
		if a == nil {
			v.Value = nil
			return nil
		}
		v.Value = a[:]
		return nil
	default:
		return driver.ErrSkip // the default is right
	}
}

// prepared runs the statements of changes on the driver's connection itself, as control does: a send has two of them, and database/sql
// costs about as much as they do. Queries go through it all the same, for their rows are its own.
type prepared struct {
	entsql.ExecQuerier // the same connection in database/sql
	conn               bytesConn
	known              map[string]*statement
	args               []driver.NamedValue
	ids                []id // for the UUIDs among the arguments, used again and again: a send has twelve
}

// id is the place of a UUID and the driver's value that points there. The driver copies it when it is bound.
type id struct {
	bytes *uuid.UUID
	value driver.Value
}

// maxKnown bounds the statements that are kept. The program has fewer, but some have as many forms as there are lengths of a list.
const maxKnown = 256

type statement struct {
	driver.StmtExecContext
	close  func() error
	values int
}

func newPrepared(conn *sql.Conn) (*prepared, error) {
	p := &prepared{ExecQuerier: conn, known: map[string]*statement{}}
	err := conn.Raw(func(raw any) (err error) {
		var ok bool
		if p.conn, ok = raw.(bytesConn); !ok {
			err = fmt.Errorf("db: the writer's connection is a %T", raw)
		}
		return err
	})
	return p, err
}

// ExecContext runs one statement. The context doesn't matter: a change is never interrupted.
func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if strings.Contains(query, ";") { // perhaps several, of which Prepare takes the first
		return p.ExecQuerier.ExecContext(ctx, query, args...)
	}
	s, err := p.statement(query)
	if err != nil {
		return nil, err
	}
	if s.values != len(args) {
		return nil, fmt.Errorf("db: a statement of %d values was given %d", s.values, len(args))
	}
	defer func() {
		clear(p.args) // holds on to nothing
		p.args = p.args[:0]
	}()
	for i, a := range args {
		v, err := p.value(i, a)
		if err != nil {
			return nil, fmt.Errorf("db: value %d of a statement: %w", i+1, err)
		}
		p.args = append(p.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s.ExecContext(context.Background(), p.args)
}

// value is the driver's value of the argument at i.
func (p *prepared) value(i int, a any) (driver.Value, error) {
	switch a := a.(type) {
	case nil, string, int64, []byte:
		return a, nil
	case uuid.UUID:
		return p.id(i, a), nil
	case *uuid.UUID:
		if a == nil {
			return nil, nil
		}
		return p.id(i, *a), nil
	}
	return driver.DefaultParameterConverter.ConvertValue(a)
}

func (p *prepared) id(i int, u uuid.UUID) driver.Value {
	for len(p.ids) <= i {
		b := new(uuid.UUID)
		p.ids = append(p.ids, id{b, b[:]})
	}
	*p.ids[i].bytes = u
	return p.ids[i].value
}

func (p *prepared) statement(query string) (*statement, error) {
	if s := p.known[query]; s != nil {
		return s, nil
	}
	if len(p.known) >= maxKnown {
		if err := p.close(); err != nil {
			return nil, err
		}
	}
	raw, err := p.conn.Prepare(query)
	if err != nil {
		return nil, err
	}
	s := &statement{raw.(driver.StmtExecContext), raw.Close, raw.NumInput()}
	p.known[query] = s
	return s, nil
}

func (p *prepared) close() error {
	var err error
	for _, s := range p.known {
		err = errors.Join(err, s.close())
	}
	clear(p.known)
	return err
}
