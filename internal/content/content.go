package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Options say where data is kept.
type Options struct {
	Data string // folder: data is kept in its sub-folder content, and passes through its sub-folder tmp
	// URL is empty, a folder (a path, or file:///path), or s3://bucket/prefix?endpoint=host:port&region=...: see s3.go.
	URL string
}

// shelf is where kept data lies. Its objects are whole or not there.
type shelf interface {
	// put makes the object durable; when it is there already it makes sure that it is durable and writes nothing.
	put(ctx context.Context, s *Staged) error
	// open reads an object; where there is none the error is fs.ErrNotExist.
	open(ctx context.Context, hash string) (io.ReadSeekCloser, error)
}

// Store implements comms.Contents.
type Store struct {
	shelf   shelf
	tmp     string
	buffers sync.Pool // *[]byte of inMemory bytes
}

// Open prepares the folders and removes what dead processes left in tmp.
func Open(o Options) (*Store, error) {
	s := &Store{tmp: filepath.Join(o.Data, "tmp")}
	s.buffers.New = func() any { b := make([]byte, inMemory+1); return &b }
	if err := os.MkdirAll(s.tmp, 0o700); err != nil {
		return nil, fmt.Errorf("content: making the folder for what passes through: %w", err)
	}
	if err := removeStale(s.tmp); err != nil {
		return nil, err
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("content: the place is neither a folder nor a URL") // the URL may hold credentials
	}
	switch u.Scheme {
	case "", "file":
		dir := u.Path
		if o.URL == "" {
			dir = filepath.Join(o.Data, "content")
		}
		s.shelf, err = openFolder(dir)
	case "s3":
		s.shelf, err = openS3(u)
	default:
		err = fmt.Errorf("content: the place must be a folder, file: or s3:, not %q", u.Scheme+":")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Open reads what was kept; where nothing was, the error is fs.ErrNotExist.
func (s *Store) Open(ctx context.Context, hash string) (io.ReadSeekCloser, error) {
	if !isHash(hash) {
		return nil, fmt.Errorf("content: %w: no SHA-256", os.ErrNotExist)
	}
	r, err := s.shelf.open(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("content: opening %s: %w", hash, err)
	}
	return r, nil
}

// isHash keeps anything but a hash out of paths.
func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// removeStale removes spools whose process has ended: a living one holds a lock on each of its own, which the kernel lets go
// with the process however it ends. So two programs on one data folder do not take each other's.
func removeStale(tmp string) error {
	names, err := filepath.Glob(filepath.Join(tmp, spoolPattern))
	if err != nil {
		return fmt.Errorf("content: listing stale spools: %w", err)
	}
	for _, name := range names {
		if err := removeUnlocked(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("content: removing a stale spool: %w", err)
		}
	}
	return nil
}

func removeUnlocked(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil
		}
		return err
	}
	return os.Remove(name)
}
