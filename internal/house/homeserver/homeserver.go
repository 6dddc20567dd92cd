// Package homeserver starts a real Matrix homeserver, Dendrite, for tests: on a free port of the loopback, with SQLite in a folder of the
// test's. Which version is pinned in internal/house/dendrite, which builds it (`make tools`, or here at its first use).
package homeserver

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Name is the homeserver's name: the part of a Matrix ID behind the colon.
const Name = "house.test"

const secret = "the house's secret"

// Server is one homeserver.
type Server struct {
	testing.TB
	URL     string
	folder  string
	address string
	log     *os.File
	running *exec.Cmd
	exited  chan struct{}
}

// here is the folder of this file.
func here() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// binary is Dendrite, built once for all who test on this machine: that takes two minutes.
var binary = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("sh", filepath.Join(here(), "..", "dendrite", "build.sh")).Output()
	if err != nil {
		return "", fmt.Errorf("build Dendrite: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// components of Dendrite that have a database each where that is SQLite.
var components = []string{"app_service_api", "federation_api", "key_server", "media_api", "mscs", "relay_api", "room_server", "sync_api", "user_api"}

// New starts a homeserver; it ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{TB: t, folder: t.TempDir(), address: l.Addr().String()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s.URL = "http://" + s.address
	s.write("matrix_key.pem", "-----BEGIN MATRIX PRIVATE KEY-----\nKey-ID: ed25519:house\n\n"+base64.StdEncoding.EncodeToString(random(32))+
		"\n-----END MATRIX PRIVATE KEY-----\n")
	config := "version: 2\nglobal:\n  server_name: " + Name + "\n  private_key: matrix_key.pem\n  disable_federation: true\n" +
		"  jetstream:\n    in_memory: true\n  report_stats:\n    enabled: false\n" +
		"client_api:\n  registration_disabled: true\n  registration_shared_secret: \"" + secret + "\"\n  rate_limiting:\n    enabled: false\n"
	for _, c := range components {
		if c == "user_api" {
			config += "user_api:\n  bcrypt_cost: 4\n  account_database:\n    connection_string: file:accounts.db\n"
			continue
		}
		config += c + ":\n  database:\n    connection_string: file:" + c + ".db\n"
		switch c {
		case "media_api":
			config += "  base_path: media\n"
		case "sync_api":
			config += "  search:\n    enabled: false\n"
		}
	}
	s.write("dendrite.yaml", config+"logging:\n- type: std\n  level: warn\n")
	if s.log, err = os.Create(filepath.Join(s.folder, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

func (s *Server) write(name, text string) {
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Start starts it, again after Stop, with what it knew.
func (s *Server) Start() {
	s.Helper()
	program, err := binary()
	if err != nil {
		s.Fatal(err)
	}
	c := exec.Command(program, "--config", "dendrite.yaml", "--http-bind-address", s.address)
	c.Dir, c.Stdout, c.Stderr = s.folder, s.log, s.log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		s.Fatal(err)
	}
	s.running, s.exited = c, make(chan struct{})
	go func(exited chan struct{}) {
		_ = c.Wait() // it is killed
		close(exited)
	}(s.exited)
	for tick, tries := time.Tick(50*time.Millisecond), 0; ; tries++ {
		if res, err := http.Get(s.URL + "/_matrix/client/versions"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-s.exited:
			s.Fatalf("Dendrite ended: %s", s.said())
		case <-tick:
		}
		if tries > 600 {
			s.Fatalf("Dendrite does not answer: %s", s.said())
		}
	}
}

func (s *Server) said() string {
	b, err := os.ReadFile(s.log.Name())
	return fmt.Sprintf("%s %v", b[max(0, len(b)-2000):], err)
}

// Stop kills it.
func (s *Server) Stop() {
	if s.running == nil {
		return
	}
	_ = s.running.Process.Kill() // or it ended already
	<-s.exited
	s.running = nil
}

// User is somebody with an account there.
type User struct {
	*Server
	ID, Password, Token string
}

// Register makes an account, by the secret that Dendrite shares with its operator (Synapse's admin API, "Register users").
func (s *Server) Register(name string) *User {
	s.Helper()
	u := &User{Server: s, ID: "@" + name + ":" + Name, Password: hex.EncodeToString(random(8))}
	var nonce struct{ Nonce string }
	s.Call("GET", "/_synapse/admin/v1/register", "", nil, &nonce)
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(strings.Join([]string{nonce.Nonce, name, u.Password, "notadmin"}, "\x00")))
	var got struct {
		Token string `json:"access_token"`
	}
	s.Call("POST", "/_synapse/admin/v1/register", "", map[string]any{"nonce": nonce.Nonce, "username": name, "password": u.Password,
		"admin": false, "mac": hex.EncodeToString(h.Sum(nil))}, &got)
	u.Token = got.Token
	return u
}

// Call makes a request, which must succeed.
func (s *Server) Call(method, path, token string, body, answer any) {
	s.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	r, err := http.NewRequest(method, s.URL+path, bytes.NewReader(b))
	if err != nil {
		s.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(res.Body); err != nil {
		s.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		s.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text.Bytes())
	}
	if answer != nil {
		if err := json.Unmarshal(text.Bytes(), answer); err != nil {
			s.Fatalf("%s %s: %v: %s", method, path, err, text.Bytes())
		}
	}
}
