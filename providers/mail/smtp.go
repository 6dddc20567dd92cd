package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"switchboard/comms/mail"
)

// server is a mail server that takes letters further.
type server struct {
	writer
	host           string
	port           int
	direct         bool   // TLS from the start
	starttls       string // "", always or never
	mechanism      string // "": the best
	user, password string
	timeout        time.Duration
	roots          *x509.CertPool
}

// Send gives the letter to the server in a connection of its own, which ends with ctx whatever the server does.
func (s *server) Send(ctx context.Context, e mail.Envelope) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return &mail.Failure{Problem: beforeTheLetter(err), Err: err}
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	client, err := s.enter(conn)
	if err != nil {
		return &mail.Failure{Problem: beforeTheLetter(err), Err: errors.New(masked(err.Error(), e.To))}
	}
	if err := s.deadline(conn); err != nil {
		return &mail.Failure{Problem: mail.Away, Err: err}
	}
	if err := client.Mail("<" + s.from.Address + ">"); err != nil {
		return &mail.Failure{Problem: beforeTheLetter(err), Err: fmt.Errorf("MAIL: %s", masked(err.Error(), e.To))}
	}
	if err := client.Rcpt("<" + e.To + ">"); err != nil {
		return &mail.Failure{Problem: ofTheLetter(err), Err: fmt.Errorf("RCPT: %s", masked(err.Error(), e.To))}
	}
	if err := s.data(conn, client, e); err != nil {
		return &mail.Failure{Problem: ofTheLetter(err), Err: fmt.Errorf("DATA: %s", masked(err.Error(), e.To))}
	}
	_ = client.Quit() // the server has taken it: what it says after that doesn't matter
	return nil
}

// deadline is how long the server may take for the next step.
func (s *server) deadline(conn net.Conn) error { return conn.SetDeadline(time.Now().Add(s.timeout)) }

func (s *server) data(conn net.Conn, client *smtp.Client, e mail.Envelope) error {
	w, err := client.Data()
	if err != nil {
		return err
	}
	if err := s.write(w, e); err != nil {
		return err
	}
	if err := s.deadline(conn); err != nil {
		return err
	}
	return w.Close()
}

// enter greets the server, and comes to where it takes letters: with TLS and a login as far as the settings ask for them.
func (s *server) enter(conn net.Conn) (*smtp.Client, error) {
	if err := s.deadline(conn); err != nil {
		return nil, err
	}
	client, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	if err := client.Hello(name); err != nil {
		return nil, fmt.Errorf("EHLO: %w", err)
	}
	if offered, _ := client.Extension("STARTTLS"); !s.direct && s.starttls != "never" {
		switch {
		case offered:
			if err := client.StartTLS(s.tls()); err != nil {
				return nil, fmt.Errorf("STARTTLS: %w", err)
			}
		case s.starttls == "always":
			return nil, errNoTLS
		}
	}
	if s.user == "" {
		return client, nil
	}
	auth, err := s.auth(client)
	if err != nil {
		return nil, err
	}
	if err := client.Auth(auth); err != nil {
		return nil, fmt.Errorf("AUTH: %w", err)
	}
	return client, nil
}

var errNoTLS = errors.New("the server does not offer STARTTLS")

// mechanism is a way to log in.
type mechanism struct {
	name string
	auth func(s *server) smtp.Auth
}

// mechanisms are in the order in which they are taken. PLAIN and LOGIN show the server the password, so they refuse to work without TLS,
// but to this machine itself.
var mechanisms = []mechanism{
	{"SCRAM-SHA-256", func(s *server) smtp.Auth { return smtp.ScramSHA256Auth(s.user, s.password) }},
	{"SCRAM-SHA-1", func(s *server) smtp.Auth { return smtp.ScramSHA1Auth(s.user, s.password) }},
	{"CRAM-MD5", func(s *server) smtp.Auth { return smtp.CRAMMD5Auth(s.user, s.password) }},
	{"PLAIN", func(s *server) smtp.Auth { return smtp.PlainAuth("", s.user, s.password, s.host, false) }},
	{"LOGIN", func(s *server) smtp.Auth { return smtp.LoginAuth(s.user, s.password, s.host, false) }},
	{"XOAUTH2", func(s *server) smtp.Auth { return smtp.XOAuth2Auth(s.user, s.password) }},
}

// auth is the best way to log in that the server offers, or the one that is asked for.
func (s *server) auth(client *smtp.Client) (smtp.Auth, error) {
	_, list := client.Extension("AUTH")
	offered := strings.Fields(strings.ToUpper(list))
	for _, m := range mechanisms {
		if slices.Contains(offered, m.name) && (s.mechanism == m.name || s.mechanism == "" && m.name != "XOAUTH2") { // it takes a token, not a password
			return m.auth(s), nil
		}
	}
	return nil, fmt.Errorf("no way to log in that the server offers and we are to take: it offers %q", list)
}

// dial connects, with TLS from the start where that is asked for. It is not left to the library, which leaves a connection open where it
// fails before the first command, and waits for an answer beyond ctx.
func (s *server) dial(ctx context.Context) (net.Conn, error) {
	ctx, end := context.WithTimeout(ctx, s.timeout)
	defer end()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(s.host, strconv.Itoa(s.port)))
	if err != nil || !s.direct {
		return conn, err
	}
	secure := tls.Client(conn, s.tls())
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

func (s *server) tls() *tls.Config {
	return &tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

// ofTheLetter is what a failure says of the letter (RFC 5321, section 4.2.1): 5yz to the receiver's address or to the text is for good.
func ofTheLetter(err error) mail.Problem {
	said, ok := errors.AsType[*textproto.Error](err)
	switch {
	case !ok:
		return mail.Away
	case said.Code == 421: // it closes the connection: RFC 5321, section 3.8
		return mail.Away
	case said.Code/10 == 53: // it wants a name and a password, or TLS before them: RFC 4954, section 6
		return mail.Login
	case said.Code/100 == 5:
		return mail.Refused
	}
	return mail.Later
}

// beforeTheLetter is what a failure means that came before the server was told whom the letter is for. It is about ourselves, and the operator
// can put it right.
func beforeTheLetter(err error) mail.Problem {
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted || errors.Is(err, errNoTLS) {
		return mail.Insecure
	}
	if _, notTLS := errors.AsType[tls.RecordHeaderError](err); notTLS {
		return mail.Insecure
	}
	if said, ok := errors.AsType[*textproto.Error](err); ok {
		if said.Code/10 == 53 || said.Code >= 550 && said.Code <= 553 { // the login, or our own address
			return mail.Login
		}
		return mail.Away
	}
	if _, nonsense := errors.AsType[textproto.ProtocolError](err); nonsense {
		return mail.Away
	}
	if _, silent := errors.AsType[net.Error](err); silent || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return mail.Away
	}
	return mail.Login // no mechanism in common, or only one that would show the password to whoever listens
}
