package db_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"switchboard/ent"
	"switchboard/internal/db"
)

// victimOf names the variable that makes this binary the process to be killed: the folder of its database.
const victimOf = "SWITCHBOARD_DB_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimOf); dir != "" {
		victim(dir)
	}
	os.Exit(m.Run())
}

// victim changes as much as it can and says each acknowledged number, until it is killed.
func victim(dir string) {
	s, err := db.Open(context.Background(), db.Options{Data: dir, Logger: silent})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	for client := range int64(16) {
		go func() {
			for id := client; ; id += 16 {
				if err := s.Change(context.Background(), func(ctx context.Context, tx *ent.Client) error {
					return insertMessage(ctx, tx, id+1)
				}, nil); err != nil {
					fmt.Println("failed:", err)
					os.Exit(1)
				}
				// One write system call a line: what this process acknowledged is in the pipe when it dies.
				_, _ = os.Stdout.WriteString(strconv.FormatInt(id+1, 10) + "\n")
			}
		}()
	}
	select {}
}

// What was acknowledged survives a process that is killed under load, and the database opens again.
func TestKill(t *testing.T) {
	for round := range 3 {
		dir := t.TempDir()
		var acknowledged []int64
		command := exec.CommandContext(t.Context(), os.Args[0])
		command.Env = append(os.Environ(), victimOf+"="+dir)
		command.Stderr = os.Stderr
		out, err := command.StdoutPipe()
		must(t, err)
		must(t, command.Start())
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			id, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("the other process says %q", lines.Text())
			}
			acknowledged = append(acknowledged, id)
			if len(acknowledged) == 500*(round+1) {
				must(t, command.Process.Kill())
			}
		}
		if err := command.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the other process ended otherwise: %v", err)
		}
		s, err := db.Open(t.Context(), db.Options{Data: dir, Logger: silent})
		must(t, err)
		for _, id := range acknowledged {
			if _, err := s.Read().Message.Get(t.Context(), id); err != nil {
				t.Errorf("round %d: message %d was acknowledged: %v", round, id, err)
			}
		}
		must(t, s.Close())
	}
}
