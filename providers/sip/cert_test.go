package sip

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The certificate that the server makes for itself is the same after a restart, nobody else may read its key, and a telephone that was
// told to trust it does.
func TestSelfMadeCertificate(t *testing.T) {
	s := &Server{opt: Options{Data: filepath.Join(t.TempDir(), "data"), TLS: "192.0.2.5:5061", PublicAddress: "sip.example.com"}}
	get, err := s.certificate()
	if err != nil {
		t.Fatal(err)
	}
	first, err := get(nil)
	if err != nil {
		t.Fatal(err)
	}
	if get, err = s.certificate(); err != nil {
		t.Fatal(err)
	}
	again, err := get(nil)
	if err != nil || !again.Leaf.Equal(first.Leaf) {
		t.Errorf("another one after a restart: %v", err)
	}
	info, err := os.Stat(filepath.Join(s.opt.Data, "sip-key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info.Mode(), err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(first.Leaf)
	for _, name := range []string{"192.0.2.5", "sip.example.com", "localhost", "127.0.0.1"} {
		if _, err := first.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Error(err)
		}
	}
}

// The operator's certificate is read again when it was renewed, and a broken one is told at the start.
func TestGivenCertificate(t *testing.T) {
	made := &Server{opt: Options{Data: t.TempDir()}}
	if _, err := made.certificate(); err != nil {
		t.Fatal(err)
	}
	cert, key := filepath.Join(made.opt.Data, "sip-cert.pem"), filepath.Join(made.opt.Data, "sip-key.pem")
	c := &certFiles{cert: cert, key: key}
	first, err := c.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	renewed := &Server{opt: Options{Data: t.TempDir()}}
	if _, err := renewed.certificate(); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"sip-cert.pem": cert, "sip-key.pem": key} {
		b, err := os.ReadFile(filepath.Join(renewed.opt.Data, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.looked, c.changed = time.Time{}, time.Time{}
	second, err := c.get(nil)
	if err != nil || second.Leaf.Equal(first.Leaf) {
		t.Errorf("the old one: %v", err)
	}
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.looked, c.changed = time.Time{}, time.Time{}
	if third, err := c.get(nil); err != nil || !third.Leaf.Equal(second.Leaf) {
		t.Errorf("while it is written: %v", err)
	}
	s := &Server{opt: Options{Certificate: cert, Key: key}}
	if _, err := s.certificate(); err == nil {
		t.Error("a broken certificate is taken")
	}
}

// Old versions of TLS are refused.
func TestOldTLS(t *testing.T) {
	d := openDesk(t, Options{TLS: "127.0.0.1:0"})
	_, err := tls.Dial("tcp", d.TLSAddr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}
