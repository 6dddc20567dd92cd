package house

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"switchboard/internal/house/pgserver"
)

// Server names the variable with the URL of a running server on which tests may make databases.
const Server = "SWITCHBOARD_TEST_POSTGRES"

// server is the URL of the server that the tests of this process share. One that was started here ends with the process: the
// kernel sees to it (pgserver), for a test binary has no last moment of its own.
var server = sync.OnceValues(func() (string, error) {
	if u := os.Getenv(Server); u != "" {
		return u, nil
	}
	s, err := pgserver.Start(context.Background())
	if err != nil {
		return "", err
	}
	return s.URL, nil
})

// Postgres is the URL of a fresh, empty database. It is dropped when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	return fresh(t, "template0")
}

// fresh copies a database of the server.
func fresh(t testing.TB, template string) string {
	t.Helper()
	base, err := server()
	if err != nil {
		t.Fatal("a PostgreSQL server for the test: ", err)
	}
	name := databaseName()
	administer(t, base, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY wal_log", name, template))
	t.Cleanup(func() { administer(t, base, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)) })
	return at(t, base, name)
}

func databaseName() string { return "test_" + strings.ToLower(rand.Text()) }

// at is the URL of another database of the same server.
func at(t testing.TB, base, name string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("the URL of the PostgreSQL server: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

func administer(t testing.TB, base, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatalf("opening the PostgreSQL server: %v", err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
