package db

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Atlas writes the migrations (internal/entgen), but the program reads them by itself: what it needs of Atlas' files is this little,
// and Atlas would double the program's size (docs/adr/0005-idle-memory.md). A test holds the two together.

const sumFileName = "atlas.sum"

// sums is a list of files, in order, with the hash of each and all before it.
type sums []fileSum

type fileSum struct{ name, hash string }

// parseSums reads an atlas.sum: a line with the hash of the rest, and a line for each file.
func parseSums(text []byte) (sums, error) {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var out sums
	for _, line := range lines[1:] {
		name, hash, ok := strings.Cut(line, " h1:")
		if !ok {
			return nil, fmt.Errorf("%q is no line of it", line)
		}
		out = append(out, fileSum{name, hash})
	}
	if lines[0] != "h1:"+out.total() {
		return nil, errors.New("its first line doesn't fit the others")
	}
	return out, nil
}

func (s sums) total() string {
	h := sha256.New()
	for _, f := range s {
		h.Write([]byte(f.name))
		h.Write([]byte(f.hash))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// of is the hash of a file; empty where the list has none.
func (s sums) of(name string) string {
	for _, f := range s {
		if f.name == name {
			return f.hash
		}
	}
	return ""
}

// again computes the hashes of the same files anew.
func (s sums) again(dir fs.FS) (sums, error) {
	h := sha256.New()
	var out sums
	for _, f := range s {
		text, err := fs.ReadFile(dir, f.name)
		if err != nil {
			return nil, fmt.Errorf("db: reading the migration %s: %w", f.name, err)
		}
		h.Write([]byte(f.name))
		h.Write(text)
		out = append(out, fileSum{f.name, base64.StdEncoding.EncodeToString(h.Sum(nil))})
	}
	return out, nil
}

// statements takes a migration apart. As Atlas writes them, a statement ends with a semicolon at the end of a line, and a comment has
// lines of its own.
func statements(text []byte) []string {
	var out []string
	var one bytes.Buffer
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || bytes.HasPrefix(line, []byte("--")) {
			continue
		}
		if one.Len() > 0 {
			one.WriteByte('\n')
		}
		one.Write(line)
		if bytes.HasSuffix(line, []byte(";")) {
			out = append(out, one.String())
			one.Reset()
		}
	}
	if one.Len() > 0 {
		out = append(out, one.String())
	}
	return out
}
