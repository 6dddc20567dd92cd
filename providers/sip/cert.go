package sip

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

type certSource func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// certificate is what TLS shows: the operator's, or one of our own making, which telephones must be told to trust.
func (s *Server) certificate() (certSource, error) {
	cert, key := s.opt.Certificate, s.opt.Key
	if cert == "" {
		cert, key = filepath.Join(s.opt.Data, "sip-cert.pem"), filepath.Join(s.opt.Data, "sip-key.pem")
		if err := s.makeCertificate(cert, key); err != nil {
			return nil, fmt.Errorf("make a certificate for SIP: %w", err)
		}
	}
	c := &certFiles{cert: cert, key: key}
	if _, err := c.get(nil); err != nil {
		return nil, fmt.Errorf("read the certificate for SIP: %w", err)
	}
	return c.get, nil
}

// certFiles reads a certificate again when its file has changed, as when it was renewed.
type certFiles struct {
	cert, key string

	mu      sync.Mutex
	looked  time.Time
	changed time.Time
	now     *tls.Certificate
}

func (c *certFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil && time.Since(c.looked) < time.Minute {
		return c.now, nil
	}
	c.looked = time.Now()
	info, err := os.Stat(c.cert)
	if err == nil && c.now != nil && info.ModTime().Equal(c.changed) {
		return c.now, nil
	}
	pair, err2 := tls.LoadX509KeyPair(c.cert, c.key)
	if err = errors.Join(err, err2); err != nil {
		if c.now != nil { // it is being written: the old one will do until the next look
			return c.now, nil
		}
		return nil, err
	}
	c.now, c.changed = &pair, info.ModTime()
	return c.now, nil
}

const selfMadeFor = 10 * 365 * 24 * time.Hour

// makeCertificate writes a certificate that signs itself, unless there is one. The key is written first: half a pair is made anew.
func (s *Server) makeCertificate(cert, key string) error {
	if pair, err := tls.LoadX509KeyPair(cert, key); err == nil && time.Now().Before(pair.Leaf.NotAfter.Add(-30*24*time.Hour)) {
		return nil
	} else if err == nil || errors.Is(err, fs.ErrNotExist) {
		// it ends soon, or there is none
	} else if _, stat := os.Stat(key); stat == nil {
		return err // it is there and can't be read: the operator should know
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	t := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "Switchboard"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(selfMadeFor), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	for _, name := range []string{hostOf(s.opt.TLS), s.opt.PublicAddress} {
		if ip := net.ParseIP(name); ip != nil && !ip.IsUnspecified() {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if ip == nil && name != "" {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &private.PublicKey, private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := writeWhole(key, "PRIVATE KEY", secret); err != nil {
		return err
	}
	return writeWhole(cert, "CERTIFICATE", der)
}

// writeWhole writes a PEM file that is either there or not.
func writeWhole(name, kind string, der []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	half := name + ".new"
	if err := os.WriteFile(half, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return err
	}
	return os.Rename(half, name)
}

func hostOf(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return hostPort
	}
	return host
}
