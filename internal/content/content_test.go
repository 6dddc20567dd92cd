package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"switchboard/comms"
)

var _ comms.Contents = (*Store)(nil)

// stores runs the test on each place where data can be kept.
func stores(t *testing.T, test func(t *testing.T, s *Store, data string)) {
	places := map[string]func(t *testing.T) string{
		"folder":                      func(*testing.T) string { return "" },
		"folder elsewhere":            func(t *testing.T) string { return "file://" + filepath.Join(t.TempDir(), "there") },
		"folder on other file system": otherFileSystem,
		"s3":                          bucket,
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			s, err := Open(Options{Data: data, URL: place(t)})
			if err != nil {
				t.Fatal(err)
			}
			test(t, s, data)
		})
	}
}

// otherFileSystem is a folder to which nothing in TempDir can be renamed, where the machine has one.
func otherFileSystem(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "switchboard")
	if err != nil {
		t.Logf("no second file system here: %v", err)
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// bucket is a bucket of a server that speaks S3.
func bucket(t *testing.T) string {
	backend := s3mem.New()
	if err := backend.CreateBucket("things"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
	return "s3://things/a/b?insecure=true&region=us-east-1&endpoint=" + strings.TrimPrefix(server.URL, "http://")
}

const limit = 1 << 20

func TestWhatIsKeptIsReadAgain(t *testing.T) {
	stores(t, func(t *testing.T, s *Store, data string) {
		for _, size := range []int{0, 1, inMemory - 1, inMemory, inMemory + 1, 2*inMemory + 1, 2*inMemory + 2, limit} {
			want := random(size)
			for range 2 { // the second time it is there already
				st := stage(t, s, want)
				if err := st.Keep(t.Context()); err != nil {
					t.Fatalf("%d bytes: %v", size, err)
				}
				if err := st.Keep(t.Context()); err != nil {
					t.Fatalf("%d bytes, kept twice: %v", size, err)
				}
				st.Discard()
				st.Discard()
			}
			if got := read(t, s, hashOf(want)); !bytes.Equal(got, want) {
				t.Errorf("%d bytes came back as %d others", size, len(got))
			}
		}
		nothingPasses(t, data)
	})
}

func TestAPartCanBeRead(t *testing.T) {
	stores(t, func(t *testing.T, s *Store, _ string) {
		want := random(3 * inMemory)
		st := stage(t, s, want)
		defer st.Discard()
		if err := st.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(t.Context(), st.Hash())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.Seek(inMemory, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 100)
		if _, err := io.ReadFull(r, part); err != nil || !bytes.Equal(part, want[inMemory:inMemory+100]) {
			t.Errorf("read %x…, %v", part[:4], err)
		}
	})
}

func TestWhatWasNotKeptIsNotThere(t *testing.T) {
	stores(t, func(t *testing.T, s *Store, data string) {
		st := stage(t, s, random(2*inMemory))
		st.Discard()
		for _, hash := range []string{st.Hash(), hashOf(nil), "", "..", strings.Repeat("/", 64), strings.ToUpper(hashOf(nil))} {
			if _, err := s.Open(t.Context(), hash); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q: %v", hash, err)
			}
		}
		if err := st.Keep(t.Context()); err == nil {
			t.Error("discarded data was kept")
		}
		nothingPasses(t, data)
	})
}

func TestWhatCannotBeStaged(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	broken := errors.New("broken")
	cutOff := func(size int) func() io.Reader {
		return func() io.Reader {
			return io.MultiReader(bytes.NewReader(random(size)), iotest.ErrReader(io.ErrUnexpectedEOF))
		}
	}
	whole := func(size int) func() io.Reader {
		return func() io.Reader { return bytes.NewReader(random(size)) }
	}
	cases := map[string]struct {
		ctx   context.Context
		r     func() io.Reader
		limit int64
		want  error // nil: too large
	}{
		"cut off early":         {t.Context(), cutOff(3), limit, io.ErrUnexpectedEOF},
		"cut off late":          {t.Context(), cutOff(3 * inMemory), limit, io.ErrUnexpectedEOF},
		"broken":                {t.Context(), func() io.Reader { return iotest.ErrReader(broken) }, limit, broken},
		"caller gone":           {ended, whole(3), limit, context.Canceled},
		"too large, in memory":  {t.Context(), whole(11), 10, nil},
		"too large, in a spool": {t.Context(), whole(5 * inMemory), 5*inMemory - 1, nil},
	}
	stores(t, func(t *testing.T, s *Store, data string) {
		for name, c := range cases {
			_, err := s.Stage(c.ctx, c.r(), c.limit)
			switch e := comms.AsError(err); {
			case err == nil:
				t.Errorf("%s: staged", name)
			case c.want != nil && !errors.Is(err, c.want):
				t.Errorf("%s: %v", name, err)
			case c.want == nil && (e.Code != comms.Invalid || e.Reason != comms.ReasonTooLarge || e.Field != "length"):
				t.Errorf("%s: %+v", name, e)
			}
		}
		nothingPasses(t, data)
	})
}

func TestManyKeepTheSameAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, s *Store, data string) {
		small, large := random(1000), random(3*inMemory)
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() {
				want := small
				if i%2 == 0 {
					want = large
				}
				st, err := s.Stage(t.Context(), bytes.NewReader(want), limit)
				if err != nil {
					t.Error(err)
					return
				}
				defer st.Discard()
				if err := st.Keep(t.Context()); err != nil {
					t.Error(err)
				}
				if got := read(t, s, hashOf(want)); !bytes.Equal(got, want) {
					t.Errorf("kept, but reads as %d bytes", len(got))
				}
			})
		}
		all.Wait()
		nothingPasses(t, data)
	})
}

func TestLargeDataIsNeverWholeInMemory(t *testing.T) {
	const size = 64 << 20
	s, err := Open(Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	st, err := s.Stage(t.Context(), io.LimitReader(rand.NewChaCha8([32]byte{1}), size), size)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Discard()
	if err := st.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("staging and keeping 64 MiB allocated %d bytes", got)
	}
	if st.Size() != size {
		t.Errorf("its size is %d", st.Size())
	}
}

func TestSpoolsOfTheDeadAreRemovedAndOfTheLivingKept(t *testing.T) {
	data := t.TempDir()
	s, err := Open(Options{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	st := stage(t, s, random(2*inMemory))
	defer st.Discard()
	dead := filepath.Join(data, "tmp", "spool-1234")
	if err := os.WriteFile(dead, []byte("half of some"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := Open(Options{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dead process's spool: %v", err)
	}
	if err := st.Keep(t.Context()); err != nil {
		t.Fatalf("another program started, and %v", err)
	}
	read(t, other, st.Hash())
}

func TestPlacesThatAreNone(t *testing.T) {
	for _, place := range []string{"ftp://x/y", "s3://bucket?colour=red", "s3://bucket?endpoint=http://x/y", "\x00", "/dev/null/x"} {
		if _, err := Open(Options{Data: t.TempDir(), URL: place}); err == nil {
			t.Errorf("%q was accepted", place)
		}
	}
}

func stage(t *testing.T, s *Store, data []byte) comms.Staged {
	t.Helper()
	st, err := s.Stage(t.Context(), bytes.NewReader(data), limit)
	if err != nil {
		t.Fatal(err)
	}
	if st.Hash() != hashOf(data) || st.Size() != int64(len(data)) {
		t.Fatalf("%d bytes were staged as %d, %s", len(data), st.Size(), st.Hash())
	}
	return st
}

func read(t *testing.T, s *Store, hash string) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), hash)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return b
}

// nothingPasses checks that no spool was left behind.
func nothingPasses(t *testing.T, data string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(data, "tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b) // it never fails
	return b
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
