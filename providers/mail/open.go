package mail

import (
	"crypto/x509"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/comms/mail"
)

// Options say where letters go.
type Options struct {
	Server  string         // smtp://user:password@host:port?tls=always|never&auth=..., smtps://...; empty: into Folder
	Folder  string         // where .eml files are dropped
	From    string         // the address that letters come from, with a name or without
	Timeout time.Duration  // how long the server may be silent (20 s)
	Roots   *x509.CertPool // who vouches for the server; nil: the system's
}

// Open is the way out that the options name. It is not tried: a server that is away is asked when there is a letter.
func Open(o Options) (mail.Sender, error) {
	from, err := netmail.ParseAddress(o.From)
	if err != nil {
		return nil, errors.New("mail-from is not an email address")
	}
	w := writer{from: from}
	if o.Server == "" {
		return &folder{writer: w, path: o.Folder}, nil
	}
	s := &server{writer: w, timeout: o.Timeout, roots: o.Roots}
	if s.timeout == 0 {
		s.timeout = 20 * time.Second
	}
	if err := s.read(o.Server); err != nil {
		return nil, fmt.Errorf("smtp: %w", err) // never with what was given: it may hold a password
	}
	return s, nil
}

// The ports of submission: with STARTTLS (RFC 6409, section 3.1) and with TLS from the start (RFC 8314, section 3.3).
const (
	submission  = 587
	submissions = 465
)

func (s *server) read(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return errors.New("the address must be smtp://host:port or smtps://host:port")
	}
	s.host, s.port, s.direct = u.Hostname(), submission, u.Scheme == "smtps"
	if s.direct {
		s.port = submissions
	}
	if text := u.Port(); text != "" {
		if s.port, err = strconv.Atoi(text); err != nil || s.port < 1 || s.port > 65535 {
			return errors.New("the port must be 1 to 65535")
		}
	}
	s.user = u.User.Username()
	s.password, _ = u.User.Password()
	q := u.Query()
	s.starttls, s.mechanism = q.Get("tls"), strings.ToUpper(q.Get("auth"))
	if !slices.Contains([]string{"", "always", "never"}, s.starttls) || s.direct && q.Has("tls") {
		return errors.New("tls must be always or never, and smtps has it always")
	}
	if s.mechanism != "" && !slices.ContainsFunc(mechanisms, func(m mechanism) bool { return m.name == s.mechanism }) {
		return errors.New("auth must be plain, login, cram-md5, scram-sha-1, scram-sha-256 or xoauth2")
	}
	for name := range q {
		if name != "tls" && name != "auth" {
			return errors.New("after ? only tls and auth may stand")
		}
	}
	return nil
}
