package content

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// archives runs the test on each place where recordings can be kept.
func archives(t *testing.T, test func(t *testing.T, a *Archive, o Options)) {
	places := map[string]func(t *testing.T) string{
		"folder":                      func(*testing.T) string { return "" },
		"folder on other file system": otherFileSystem,
		"s3":                          bucket,
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			o := Options{Data: t.TempDir(), URL: place(t)}
			a, err := OpenArchive(o)
			if err != nil {
				t.Fatal(err)
			}
			test(t, a, o)
		})
	}
}

// written is a file that a recorder has just ended.
func written(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "some.wav")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestARecordingMovesIn(t *testing.T) {
	archives(t, func(t *testing.T, a *Archive, _ Options) {
		want := random(3*inMemory + 1)
		id, file := uuid.New(), written(t, want)
		for range 2 { // the second time it is there already
			if err := a.Keep(t.Context(), id, file); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the file is still where it was: %v", err)
			}
		}
		r, err := a.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
		if _, err := r.Seek(-5, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[len(want)-5:]) {
			t.Errorf("its end is %x, %v", got, err)
		}
	})
}

// Who died between keeping and saying so says it again, and finds what he left.
func TestWhatIsKeptStays(t *testing.T) {
	archives(t, func(t *testing.T, a *Archive, _ Options) {
		id := uuid.New()
		for _, text := range []string{"first", "second"} {
			if err := a.Keep(t.Context(), id, written(t, []byte(text))); err != nil {
				t.Fatal(err)
			}
		}
		r, err := a.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); string(got) != "first" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestWhatIsNotThere(t *testing.T) {
	archives(t, func(t *testing.T, a *Archive, _ Options) {
		id := uuid.New()
		if _, err := a.Open(t.Context(), id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("opening: %v", err)
		}
		if err := a.Remove(t.Context(), id); err != nil {
			t.Errorf("removing: %v", err)
		}
		if err := a.Keep(t.Context(), id, filepath.Join(t.TempDir(), "none.wav")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("keeping: %v", err)
		}
	})
}

func TestTheArchiveIsListed(t *testing.T) {
	archives(t, func(t *testing.T, a *Archive, o Options) {
		var want []uuid.UUID
		for range 20 {
			id := uuid.New()
			if err := a.Keep(t.Context(), id, written(t, []byte("x"))); err != nil {
				t.Fatal(err)
			}
			want = append(want, id)
		}
		if err := a.Remove(t.Context(), want[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Open(t.Context(), want[0]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what was removed: %v", err)
		}
		// What contents there are in the same place are none of it, nor are recordings among the contents.
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		st := stage(t, s, random(2*inMemory))
		defer st.Discard()
		if err := st.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []uuid.UUID
		if err := a.Each(t.Context(), func(id uuid.UUID) error { got = append(got, id); return nil }); err != nil {
			t.Fatal(err)
		}
		byText := func(x, y uuid.UUID) int { return bytes.Compare(x[:], y[:]) }
		slices.SortFunc(got, byText)
		slices.SortFunc(want[1:], byText)
		if !slices.Equal(got, want[1:]) {
			t.Errorf("%d are listed: %v", len(got), got)
		}
		enough := errors.New("enough")
		if err := a.Each(t.Context(), func(uuid.UUID) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("stopped by %v", err)
		}
	})
}

func TestArchivesThatAreNone(t *testing.T) {
	for _, place := range []string{"ftp://x/y", "s3://bucket?colour=red", "\x00", "/dev/null/x"} {
		if _, err := OpenArchive(Options{Data: t.TempDir(), URL: place}); err == nil {
			t.Errorf("%q was accepted", place)
		}
	}
}
