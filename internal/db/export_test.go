package db

import "io/fs"

// WithMigrations lets a test open a database with other migrations than the program's.
func WithMigrations(o Options, dir fs.FS) Options {
	o.migrations = dir
	return o
}

var (
	ErrNested  = errNested
	ErrOutside = errOutside
	ErrExit    = errExit
)

// WriteConnections is how many changes PostgreSQL runs at once.
const WriteConnections = writeConnections
