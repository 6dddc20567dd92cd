// Package house is the test kit: real databases for tests, made in milliseconds.
//
//	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { ... })   // once on each database
//	house.SQLite(t), house.PostgresStore(t)                                          // one of them
//	house.Postgres(t)                                                                // the URL of an empty database
//
// No test is skipped where PostgreSQL is missing: it fails and says what to install. The server is started once a test
// binary, or once for all of them by `go run ./internal/house/pg -- go test ./...`, which tells them by SWITCHBOARD_TEST_POSTGRES.
package house
