// Command gqlgen generates graph/gen from schema.graphql and gqlgen.yml. Run it by `make generate`, from the module's root.
//
// It is gqlgen with one plugin (direct.go), which writes objects without gqlgen's machinery for each field. What gqlgen generated for
// them is taken out again (prune.go).
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen/config"
)

func main() {
	if err := generate(); err != nil {
		fmt.Fprintln(os.Stderr, "gqlgen:", err)
		os.Exit(1)
	}
}

func generate() error {
	cfg, err := config.LoadConfig("gqlgen.yml")
	if err != nil {
		return fmt.Errorf("read gqlgen.yml: %w", err)
	}
	exec := cfg.Exec.Filename
	written := filepath.Join(filepath.Dir(exec), "direct.go")
	// The last run's file would be read with the package, and fail to fit what this run makes.
	if err := os.Remove(written); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the last run's output: %w", err)
	}
	var d direct
	if err := api.Generate(cfg, api.AddPlugin(&d)); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	return prune(exec, written, d.methods)
}
