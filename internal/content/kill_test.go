package content

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain is also the program that TestKilledInTheMiddle kills.
func TestMain(m *testing.M) {
	if data := os.Getenv("CONTENT_TEST_KEEP_IN"); data != "" {
		keepForEver(data)
	}
	os.Exit(m.Run())
}

// keepForEver keeps one thing after another and prints the hash of each once it is kept.
func keepForEver(data string) {
	s, err := Open(Options{Data: data})
	for i := 0; err == nil; i++ {
		if err = keepOne(s, i); err != nil {
			break
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func keepOne(s *Store, i int) error {
	b := bytes.Repeat([]byte(fmt.Sprintln(i)), 1+(i%3)*inMemory)
	st, err := s.Stage(context.Background(), bytes.NewReader(b), 16*inMemory)
	if err != nil {
		return err
	}
	defer st.Discard()
	if err := st.Keep(context.Background()); err != nil {
		return err
	}
	_, err = fmt.Println(st.Hash())
	return err
}

func TestKilledInTheMiddle(t *testing.T) {
	data := t.TempDir()
	kept := map[string]bool{}
	for round := range 5 {
		keeper := exec.Command(os.Args[0])
		keeper.Env = append(os.Environ(), "CONTENT_TEST_KEEP_IN="+data)
		var complaint strings.Builder
		keeper.Stderr = &complaint
		out, err := keeper.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := keeper.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 7 + 5*round {
			if !lines.Scan() {
				t.Fatalf("it ended by itself: %v %s", lines.Err(), complaint.String())
			}
			kept[lines.Text()] = true
		}
		if err := keeper.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it had said before it died
			kept[lines.Text()] = true
		}
		_ = keeper.Wait() // killed
	}
	s, err := Open(Options{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	nothingPasses(t, data)
	for hash := range kept {
		if got := hashOf(read(t, s, hash)); got != hash {
			t.Errorf("%s was kept, and reads as %s", hash, got)
		}
	}
	// What was not acknowledged may be there, but then whole.
	err = filepath.WalkDir(filepath.Join(data, "content"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		hash := filepath.Base(filepath.Dir(path)) + filepath.Base(path)
		if got := hashOf(read(t, s, hash)); got != hash {
			t.Errorf("%s reads as %s", path, got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
