package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// folder keeps objects as files DIR/ab/cdef..., by their hash. An object appears under its name by a rename of a file that is on
// disk already, so a power cut or a SIGKILL leaves all of it or nothing.
type folder struct {
	dir string

	mu     sync.Mutex
	shards map[string]bool // sub-folders that are known to be on disk
}

func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("content: making the folder: %w", err)
	}
	if err := removeStale(dir); err != nil {
		return nil, err
	}
	return &folder{dir: dir, shards: map[string]bool{}}, nil
}

func (f *folder) path(hash string) (shard, path string) {
	shard = filepath.Join(f.dir, hash[:2])
	return shard, filepath.Join(shard, hash[2:])
}

func (f *folder) open(_ context.Context, hash string) (io.ReadSeekCloser, error) {
	_, path := f.path(hash)
	return os.Open(path)
}

func (f *folder) put(_ context.Context, st *Staged) error {
	shard, path := f.path(st.hash)
	if err := f.makeShard(shard); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Size() == st.size:
		// Whoever moved it there may not have come to the sync of the folder yet.
		return syncPath(shard)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := f.move(st, path); err != nil {
		return err
	}
	return syncPath(shard)
}

// move brings the data to its place. Two that do so at once put the same bytes there.
func (f *folder) move(st *Staged, path string) error {
	if st.small != nil {
		return f.write(bytes.NewReader(st.small), path)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.spool == nil {
		return errDiscarded
	}
	if err := st.spool.Sync(); err != nil {
		return err
	}
	err := os.Rename(st.spool.Name(), path)
	if errors.Is(err, syscall.EXDEV) { // tmp and the folder lie on two file systems
		return f.write(io.NewSectionReader(st.spool, 0, st.size), path)
	}
	st.moved = err == nil
	return err
}

// write puts all of r on disk in a new file and then gives it its name.
func (f *folder) write(r io.Reader, path string) (err error) {
	to, err := newSpool(f.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if _, err = io.Copy(to, r); err == nil {
		err = to.Sync()
	}
	if err == nil {
		err = os.Rename(to.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(to.Name()))
	}
	return nil
}

// makeShard makes a sub-folder durable once in a process.
func (f *folder) makeShard(shard string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shards[shard] {
		return nil
	}
	if err := os.Mkdir(shard, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := syncPath(f.dir); err != nil {
		return err
	}
	f.shards[shard] = true
	return nil
}

func syncPath(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
