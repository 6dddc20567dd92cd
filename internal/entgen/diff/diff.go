// Package diff writes versioned migrations: what must be added to a directory of SQL files so that a database made by them
// is the one that ent wants. Command entgen uses it, and the drift test of internal/db, so that both mean the same by "equal".
//
// A table that left the schema stays in the database: ent never plans its removal. Write that migration by hand.
package diff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqlite"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
)

// Plan is what Write needs to know.
type Plan struct {
	Dialect string          // ent's name of the dialect
	Dev     *sql.DB         // an empty database of that dialect, to replay the directory on; it is left empty
	Dir     string          // the folder of the SQL files and their atlas.sum
	Name    string          // the second half of the new file's name
	Tables  []*schema.Table // what ent wants
}

// Write adds one file to the directory, or none and says so with false when it already makes what ent wants.
func Write(ctx context.Context, p Plan) (written bool, err error) {
	dir, err := migrate.NewLocalDir(p.Dir)
	if err != nil {
		return false, fmt.Errorf("opening %s: %w", p.Dir, err)
	}
	m, err := schema.NewMigrate(entsql.OpenDB(p.Dialect, p.Dev),
		schema.WithDir(dir),
		schema.WithFormatter(numbered{dir}),
		schema.WithMigrationMode(schema.ModeReplay),
		schema.WithDropColumn(true),
		schema.WithDropIndex(true),
		schema.WithErrNoPlan(true),
		schema.WithDiffHook(plainRowids(p.Dialect)),
	)
	if err != nil {
		return false, fmt.Errorf("preparing the comparison: %w", err)
	}
	switch err := m.NamedDiff(ctx, p.Name, p.Tables...); {
	case errors.Is(err, migrate.ErrNoPlan):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("comparing %s with ent's schema: %w", p.Dir, err)
	}
	return true, nil
}

// numbered names files 0001_initial.sql and so on: a number can be said aloud, and two branches that add one conflict visibly.
type numbered struct{ dir migrate.Dir }

// Format implements migrate.Formatter.
func (n numbered) Format(plan *migrate.Plan) ([]migrate.File, error) {
	files, err := n.dir.Files()
	if err != nil {
		return nil, err
	}
	plan.Version = fmt.Sprintf("%04d", len(files)+1)
	return migrate.DefaultFormatter.Format(plan)
}

// plainRowids takes SQLite's AUTOINCREMENT away. It would write the page of sqlite_sequence with each insert, to forbid only
// that the highest id of a table is given again after its row was deleted; nothing here depends on that.
func plainRowids(name string) schema.DiffHook {
	return func(next schema.Differ) schema.Differ {
		return schema.DiffFunc(func(current, desired *atlas.Schema) ([]atlas.Change, error) {
			if name == dialect.SQLite {
				for _, t := range desired.Tables {
					t.Attrs = withoutAutoIncrement(t.Attrs)
					for _, c := range t.Columns {
						c.Attrs = withoutAutoIncrement(c.Attrs)
					}
					if t.PrimaryKey != nil {
						t.PrimaryKey.Attrs = withoutAutoIncrement(t.PrimaryKey.Attrs)
					}
				}
			}
			return next.Diff(current, desired)
		})
	}
}

func withoutAutoIncrement(attrs []atlas.Attr) []atlas.Attr {
	kept := attrs[:0]
	for _, a := range attrs {
		if _, is := a.(*sqlite.AutoIncrement); !is {
			kept = append(kept, a)
		}
	}
	return kept
}
