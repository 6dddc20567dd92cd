package db

import (
	"io/fs"
	"slices"
	"testing"

	"ariga.io/atlas/sql/migrate"

	"switchboard/ent/migrate/migrations"
)

// What we read of Atlas' files is what Atlas would read.
func TestAtlasAgrees(t *testing.T) {
	for name, dir := range map[string]fs.FS{"sqlite": migrations.SQLite(), "postgres": migrations.Postgres()} {
		text, err := fs.ReadFile(dir, migrate.HashFileName)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := parseSums(text)
		if err != nil || len(ours) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		var files []migrate.File
		for _, f := range ours {
			text, err := fs.ReadFile(dir, f.name)
			if err != nil {
				t.Fatal(err)
			}
			file := migrate.NewLocalFile(f.name, text)
			files = append(files, file)
			want, err := file.Stmts()
			if err != nil {
				t.Fatal(err)
			}
			if got := statements(text); !slices.Equal(got, want) {
				t.Errorf("%s/%s: the statements are\n%q\nand Atlas reads\n%q", name, f.name, got, want)
			}
		}
		theirs, err := migrate.NewHashFile(files)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ours.again(dir)
		if err != nil || again.total() != theirs.Sum() || ours.total() != theirs.Sum() {
			t.Errorf("%s: the hash is %s, %s, and Atlas' %s; %v", name, ours.total(), again.total(), theirs.Sum(), err)
		}
		for _, f := range theirs {
			if ours.of(f.N) != f.H {
				t.Errorf("%s: the hash of %s is %s, and Atlas' %s", name, f.N, ours.of(f.N), f.H)
			}
		}
	}
}

func TestListsThatAreRefused(t *testing.T) {
	for _, text := range []string{"", "h1:", "h1:x\n0001.sql h1:y\n", "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nrubbish\n"} {
		if list, err := parseSums([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, list)
		}
	}
}
