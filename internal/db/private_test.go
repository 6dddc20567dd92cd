package db_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/internal/db"
)

// The folder may be one that others can look into; what is in the database is not for them.
func TestDatabaseIsPrivate(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	s, err := db.Open(t.Context(), db.Options{Data: dir, Logger: silent})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	files, err := filepath.Glob(filepath.Join(dir, "switchboard.db*"))
	must(t, err)
	for _, name := range files {
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", name, info.Mode())
		}
	}
	if !strings.Contains(strings.Join(files, " "), "switchboard.db-wal") {
		t.Errorf("only %v", files)
	}
}
