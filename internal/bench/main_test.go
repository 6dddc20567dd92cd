package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions(nil)
	if err != nil || !slices.Equal(o.workloads, allWorkloads) || !slices.Equal(o.clients, []int{1, 32, 128}) || o.lasts != 2*time.Second ||
		!slices.Equal(o.subscribers, []int{1000, 5000}) {
		t.Errorf("defaults: %+v, %v", o, err)
	}
	o, err = parseOptions([]string{"-w", "w1,cold", "-c", "8", "-d", "1s", "-json", "out", "--", "--database", "postgres://"})
	if err != nil || !o.wants("cold") || o.wants("w2") || !slices.Equal(o.clients, []int{8}) || o.lasts != time.Second || o.json != "out" ||
		!slices.Equal(o.serverFlags, []string{"--database", "postgres://"}) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err = parseOptions([]string{"-quick"}); err != nil || o.lasts != 500*time.Millisecond || !slices.Equal(o.subscribers, []int{1000}) {
		t.Errorf("quick: %+v, %v", o, err)
	}
	for _, args := range [][]string{{"-w", "w9"}, {"-w", ""}, {"-c", "0"}, {"-c", "x"}, {"-s", "20001"}, {"-d", "0s"}, {"-nothing"}} {
		if o, err := parseOptions(args); err == nil {
			t.Errorf("%v: %+v", args, o)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	found := []comparison{{What: "one", Ours: run{Rate: 1}}, {What: "two", Ours: run{Rate: 2}}}
	for range 2 {
		if err := writeJSON(path, found); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	var last comparison
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 4 || last.What != "two" || last.Ours.Rate != 2 {
		t.Fatalf("%d lines, the last %+v, %v", len(lines), last, err)
	}
}
