// Package migrations holds the versioned SQL that makes and changes the database: one folder for each dialect, written by
// `go run ./internal/entgen diff NAME` and applied by internal/db at start. A file that has shipped is never changed:
// atlas.sum and the database remember its hash.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed sqlite postgres
var files embed.FS

// SQLite is the folder for SQLite.
func SQLite() fs.FS { return sub("sqlite") }

// Postgres is the folder for PostgreSQL.
func Postgres() fs.FS { return sub("postgres") }

func sub(name string) fs.FS {
	dir, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // only for an invalid name
	}
	return dir
}
