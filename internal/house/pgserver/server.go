// Package pgserver starts a PostgreSQL server for tests and for the schema tools: empty, on a free port of the loopback
// interface, without fsync, gone with the process that started it.
package pgserver

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Server is a running server.
type Server struct {
	URL string // of its database "postgres"; the user may do everything

	leash   *os.File // when it is closed, by Stop or by the end of this process, the server ends
	command *exec.Cmd
	exited  chan struct{}
	output  *bytes.Buffer // to be read after exited
}

// keeper runs the server ($2...) as long as somebody holds the other end of descriptor 3, then removes its folder ($1). The kernel closes
// that end however a process dies; a signal or a deferred function would miss the kill -9 of a test binary.
const keeper = `trap '' PIPE
dir=$1; shift
"$@" & server=$!
( read _ <&3; kill -QUIT $server ) & watch=$!
wait $server
kill $watch 2>/dev/null
rm -rf "$dir"`

// Start makes a cluster in a temporary folder, starts a server on it and waits until it answers.
func Start(ctx context.Context) (*Server, error) {
	initdb, postgres, err := binaries()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	// Another process may take the free port before the server does.
	for range 5 {
		var s *Server
		if s, err = start(ctx, initdb, postgres, as); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func start(ctx context.Context, initdb, postgres string, as *syscall.Credential) (*Server, error) {
	dir, err := os.MkdirTemp("", "switchboard-pg")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the cluster: %w", err)
	}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return nil, errors.Join(fmt.Errorf("giving the folder to the user postgres: %w", err), os.RemoveAll(dir))
		}
	}
	data := filepath.Join(dir, "data")
	// Collation C: text sorts by bytes, as in SQLite, and no locale need be installed.
	cluster := exec.CommandContext(ctx, initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	cluster.Dir, cluster.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if out, err := cluster.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	port, err := freePort()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &Server{
		URL:    fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port),
		exited: make(chan struct{}),
		output: new(bytes.Buffer),
	}
	if err := s.launch(as, dir, postgres, "-D", data, "-p", strconv.Itoa(port), "-k", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "max_connections=300", "-c", "shared_buffers=64MB", "-c", "autovacuum=off", "-c", "max_wal_size=4GB"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.answers(ctx); err != nil {
		return nil, fmt.Errorf("waiting for postgres: %w: %s", errors.Join(err, s.Stop()), s.output)
	}
	return s, nil
}

// launch starts the keeper and the server.
func (s *Server) launch(as *syscall.Credential, dir string, server ...string) error {
	held, leash, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	defer held.Close()
	s.leash = leash
	s.command = exec.Command("/bin/sh", append([]string{"-c", keeper, "keeper", dir}, server...)...)
	s.command.Dir, s.command.Stdout, s.command.Stderr, s.command.ExtraFiles = "/", s.output, s.output, []*os.File{held}
	// A group of its own: the terminal's Ctrl-C is for us, and we then stop the server.
	s.command.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	if err := s.command.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting postgres: %w", err), leash.Close())
	}
	go func() {
		_ = s.command.Wait() // how it ended is in the output
		close(s.exited)
	}()
	return nil
}

// Stop ends the server and removes its files.
func (s *Server) Stop() error {
	err := s.leash.Close()
	<-s.exited
	return err
}

// answers waits until the server takes a connection.
func (s *Server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	db, err := sql.Open("pgx", s.URL)
	if err != nil {
		return err
	}
	defer db.Close()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-s.exited:
			return errors.New("it ended")
		case <-ctx.Done():
			return err
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// binaries finds initdb and postgres: Debian keeps them out of PATH, by version.
func binaries() (initdb, postgres string, err error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", "", err
	}
	slices.Reverse(dirs)
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range dirs {
		initdb, postgres = filepath.Join(dir, "initdb"), filepath.Join(dir, "postgres")
		if _, err := os.Stat(initdb); err != nil {
			continue
		}
		if _, err := os.Stat(postgres); err == nil {
			return initdb, postgres, nil
		}
	}
	return "", "", errors.New("no PostgreSQL server here: apt-get install postgresql (or set SWITCHBOARD_TEST_POSTGRES to the URL of one)")
}

// unprivileged is the user to run as: PostgreSQL refuses root. Nil means as ourselves.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user id of postgres: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group id of postgres: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
