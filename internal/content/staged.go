package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"syscall"

	"switchboard/comms"
)

const (
	// inMemory is the size up to which staged data stays in memory: texts never touch tmp.
	inMemory     = 64 << 10
	spoolPattern = "spool-*"
)

var errDiscarded = errors.New("it was discarded")

// Staged is data that was read and hashed, in memory or in a spool file. It implements comms.Staged.
type Staged struct {
	shelf shelf
	hash  string
	size  int64
	small []byte // the data, where it has at most inMemory bytes

	mu    sync.Mutex
	spool *os.File // else the file that holds it; nil once it was discarded
	moved bool     // the spool is no longer at its name
}

// Stage reads r to its end. More than limit bytes are refused as soon as they were seen.
func (s *Store) Stage(ctx context.Context, r io.Reader, limit int64) (comms.Staged, error) {
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	st := &Staged{shelf: s.shelf}
	err := st.read(io.LimitReader(reader{ctx, r}, limit+1), *buf, s.tmp)
	if err == nil && st.size > limit {
		err = &comms.Error{Code: comms.Invalid, Reason: comms.ReasonTooLarge, Field: "length",
			Text: fmt.Sprintf("at most %d bytes", limit)}
	}
	if err != nil {
		st.Discard()
		return nil, err
	}
	return st, nil
}

// read takes the data into memory and, when it turns out not to fit, into a spool.
func (st *Staged) read(r io.Reader, buf []byte, tmp string) error {
	sum := sha256.New()
	n, err := fill(r, buf)
	if err != nil {
		return fmt.Errorf("content: reading: %w", err)
	}
	sum.Write(buf[:n])
	st.size = int64(n)
	if n <= inMemory {
		st.small = bytes.Clone(buf[:n])
	} else if err := st.spill(r, tmp, spill{buf: buf, sum: sum}); err != nil {
		return err
	}
	st.hash = hex.EncodeToString(sum.Sum(nil))
	return nil
}

type spill struct {
	buf []byte // full of what was read already
	sum hash.Hash
}

// spill writes what was read and what follows to a spool.
func (st *Staged) spill(r io.Reader, tmp string, s spill) error {
	f, err := newSpool(tmp)
	if err != nil {
		return fmt.Errorf("content: making a spool: %w", err)
	}
	st.spool = f
	for n := len(s.buf); n > 0; {
		if _, err := f.Write(s.buf[:n]); err != nil {
			return fmt.Errorf("content: writing a spool: %w", err)
		}
		if n, err = fill(r, s.buf); err != nil {
			return fmt.Errorf("content: reading: %w", err)
		}
		s.sum.Write(s.buf[:n])
		st.size += int64(n)
	}
	return nil
}

// newSpool makes a file that removeStale leaves alone as long as it is open.
func newSpool(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, spoolPattern)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// fill reads until buf is full or r ends. Unlike io.ReadFull it tells the end of the data from a body that was cut off, whose
// error is io.ErrUnexpectedEOF.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = r.Read(buf[n:])
		n += k
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// reader stops when ctx ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Hash is the data's SHA-256 in hexadecimal.
func (st *Staged) Hash() string { return st.hash }

// Size is how many bytes it has.
func (st *Staged) Size() int64 { return st.size }

// Keep makes the data durable under its hash.
func (st *Staged) Keep(ctx context.Context) error {
	if err := st.shelf.put(ctx, st); err != nil {
		return fmt.Errorf("content: keeping %s: %w", st.hash, err)
	}
	return nil
}

// Discard removes the spool, if it is still there.
func (st *Staged) Discard() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.spool == nil {
		return
	}
	// Nobody could do anything about a failure, and the next start removes what is left.
	if !st.moved {
		_ = os.Remove(st.spool.Name())
	}
	_ = st.spool.Close()
	st.spool = nil
}

// open is the staged data from its beginning.
func (st *Staged) open() (io.ReadSeeker, error) {
	if st.small != nil {
		return bytes.NewReader(st.small), nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.spool == nil {
		return nil, errDiscarded
	}
	return io.NewSectionReader(st.spool, 0, st.size), nil
}
