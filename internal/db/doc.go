// Package db opens the database and is the only way to change it. Start reading at Store.
//
// Two databases stand behind one Store: SQLite in the data folder (the default) and PostgreSQL. What is acknowledged (Change
// returned nil) is on disk. Reads never wait for changes.
//
// SQLite has one writer anyway, so changes take turns on the writing connection (writer.go). Whoever has the turn runs a change, runs
// everything else that came to wait in the meantime, and commits once: with FULL synchronisation the disk's flush is most of the cost of a
// change, and so it is shared by all who wait for it. Nothing is delayed for that: a lone change commits at once, on its caller's goroutine. A
// change that fails takes nothing of the others with it.
//
// On PostgreSQL (postgres.go) each change is a transaction of its own on a pool of connections; the server shares its flushes.
// Where one account's changes must follow each other, they call Lock first.
//
// migrate.go brings the schema up to date at start from the files that Atlas wrote (atlas.go). It is our own executor rather than
// Atlas': that one brings HCL and four databases into the program, wants a driver that inspects the database at each start, and doesn't
// put a file and its revision into one transaction by itself; what we need is one SELECT when there is nothing to do, and a lock, a backup
// and one transaction for each file when there is.
//
// No rule lives here (comms), and no query.
package db
