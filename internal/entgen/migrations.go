package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"entgo.io/ent/dialect"
	"entgo.io/ent/entc"
	"entgo.io/ent/entc/gen"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "github.com/mattn/go-sqlite3"    // the driver "sqlite3"

	"switchboard/internal/entgen/diff"
	"switchboard/internal/house/pgserver"
)

// folder holds one folder of SQL files for each database. They are embedded by its migrations.go.
const folder = "ent/migrate/migrations"

// initial replaces all migrations by one. A database that was made by the old ones is refused from then on.
func initial(ctx context.Context) error {
	for _, sub := range []string{"sqlite", "postgres"} {
		old, err := filepath.Glob(filepath.Join(folder, sub, "*"))
		if err != nil {
			return fmt.Errorf("listing the migrations: %w", err)
		}
		for _, name := range old {
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("removing a migration: %w", err)
			}
		}
	}
	return migrations(ctx, "initial")
}

// migrations adds a file to each of the two folders whose database would otherwise differ from ent/schema.
func migrations(ctx context.Context, name string) error {
	// The tables come from ent/schema itself, not from the generated package, which need not compile.
	cfg := config()
	if err := features()(cfg); err != nil {
		return fmt.Errorf("choosing ent's features: %w", err)
	}
	storage, err := gen.NewStorage("sql")
	if err != nil {
		return fmt.Errorf("choosing ent's storage: %w", err)
	}
	cfg.Storage = storage
	graph, err := entc.LoadGraph("./ent/schema", cfg)
	if err != nil {
		return fmt.Errorf("loading ent/schema: %w", err)
	}
	return errors.Join(forSQLite(ctx, graph, name), forPostgres(ctx, graph, name))
}

func forSQLite(ctx context.Context, graph *gen.Graph, name string) error {
	dev, err := sql.Open("sqlite3", "file:dev?mode=memory&cache=shared&_fk=1")
	if err != nil {
		return fmt.Errorf("opening a SQLite database in memory: %w", err)
	}
	defer dev.Close()
	return write(ctx, graph, diff.Plan{Dialect: dialect.SQLite, Dev: dev, Dir: filepath.Join(folder, "sqlite"), Name: name})
}

func forPostgres(ctx context.Context, graph *gen.Graph, name string) error {
	url := os.Getenv("SWITCHBOARD_DEV_POSTGRES")
	if url == "" {
		server, err := pgserver.Start(ctx)
		if err != nil {
			return fmt.Errorf("starting PostgreSQL (or set SWITCHBOARD_DEV_POSTGRES): %w", err)
		}
		defer server.Stop()
		url = server.URL
	}
	dev, err := sql.Open("pgx", url)
	if err != nil {
		return fmt.Errorf("opening the PostgreSQL database: %w", err)
	}
	defer dev.Close()
	return write(ctx, graph, diff.Plan{Dialect: dialect.Postgres, Dev: dev, Dir: filepath.Join(folder, "postgres"), Name: name})
}

func write(ctx context.Context, graph *gen.Graph, p diff.Plan) error {
	tables, err := graph.Tables()
	if err != nil {
		return fmt.Errorf("reading ent's tables: %w", err)
	}
	p.Tables = tables
	written, err := diff.Write(ctx, p)
	if err != nil {
		return err
	}
	if !written {
		log.Printf("%s: nothing to do", p.Dir)
	}
	return nil
}
