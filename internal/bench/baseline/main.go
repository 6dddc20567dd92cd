// Command baseline is the limit that the benchmark compares with: net/http, database/sql with go-sqlite3 (WAL, on disk before it is
// answered), and a fan-out of one prepared message. It knows no accounts, no limits, no GraphQL and no log: whatever the switchboard costs
// beyond it is what these cost. Start reading at newMux; store.go writes and reads, fanout.go tells. It is built and started by
// internal/bench and serves nothing else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	path := flag.String("db", "baseline.db", "database file")
	group := flag.Bool("group", false, "writers that wait share one commit")
	flag.Parse()
	if err := serve(*addr, *path, *group); err != nil {
		fmt.Fprintln(os.Stderr, "baseline:", err)
		os.Exit(1)
	}
}

func serve(addr, path string, group bool) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	st, err := openStore(path, group)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	srv := &http.Server{Addr: addr, Handler: newMux(st, &hub{rooms: map[int]map[*listener]struct{}{}})}
	failed := make(chan error, 1)
	go func() { failed <- srv.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
