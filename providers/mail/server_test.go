package mail

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms/mail"
	"switchboard/internal/clock"
)

// peer is a real mail server: aiosmtpd, in a process of its own (testdata/server.py).
type peer struct {
	port  string
	roots *x509.CertPool
	said  chan heard
}

// heard is what it says of what came.
type heard struct {
	Auth   string
	Good   bool
	TLS    bool
	Sender string
	To     []string
	Letter string
}

// startPeer runs the server: starttls, tls or plain, and what else testdata/server.py takes.
func startPeer(t *testing.T, mode string, more ...string) *peer {
	t.Helper()
	cert, key, roots := certificate(t)
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"testdata/server.py", mode, cert, key}, more...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("the mail server ended by itself")
		}
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the mail server did not start: is python3-aiosmtpd installed? make tools")
	}
	p := &peer{port: lines.Text(), roots: roots, said: make(chan heard, 100)}
	go func() {
		defer close(p.said)
		for lines.Scan() {
			var h heard
			if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
				t.Errorf("%v: %s", err, lines.Text())
				return
			}
			p.said <- h
		}
	}()
	return p
}

// hear is the next thing that the server says.
func (p *peer) hear(t *testing.T) heard {
	t.Helper()
	select {
	case h := <-p.said:
		return h
	case <-time.After(20 * time.Second):
		t.Fatal("the mail server heard nothing")
		return heard{}
	}
}

// certificate is one for this machine, with who vouches for it.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key, roots = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots.AppendCertsFromPEM(public)
	for name, b := range map[string][]byte{cert: public, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, roots
}

// open is the way out to that address; {port} is the peer's.
func (p *peer) open(t *testing.T, address string) mail.Sender {
	t.Helper()
	return open(t, Options{Server: strings.ReplaceAll(address, "{port}", p.port), From: "Switchboard <post@switchboard.test>", Roots: p.roots})
}

func open(t *testing.T, o Options) mail.Sender {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var written = clock.From(time.Date(2026, 11, 22, 2, 15, 18, 6_000_000, time.UTC))

const link = "https://rec.over.ovh/auth/activate/0123456789012345678901234567890123456789012345678901234567890123456789"

// envelope is a letter to somebody at domain.test.
func envelope(to string) mail.Envelope {
	return mail.Envelope{ID: uuid.MustParse("41903e76-7440-4d1e-83db-c18917a048db"), To: to + "@domain.test", Subject: "Activate your account",
		Text: "Hello,\n\n" + link + "\n.\nthat is all\n", Written: written}
}

// wantLetter looks at a letter as whoever gets it does.
func wantLetter(t *testing.T, raw, to string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"From": `"Switchboard" <post@switchboard.test>`, "To": "<" + to + "@domain.test>", "Subject": "Activate your account",
		"Date": "Sun, 22 Nov 2026 02:15:18 +0000", "Message-Id": "<41903e76-7440-4d1e-83db-c18917a048db@switchboard.test>", "Auto-Submitted": "auto-generated"} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	body, err := io.ReadAll(m.Body)
	if err != nil || strings.ReplaceAll(strings.TrimSpace(string(body)), "\r\n", "\n") != strings.TrimSpace(envelope(to).Text) {
		t.Errorf("%v: %q", err, body)
	}
}

// listen is a port of the loopback at which fn answers each connection.
func listen(t *testing.T, fn func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go fn(conn)
		}
	}()
	return l.Addr().String()
}
