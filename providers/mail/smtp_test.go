package mail

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"switchboard/comms/mail"
)

func TestLettersBySMTP(t *testing.T) {
	for name, c := range map[string]struct {
		mode    []string
		address string
		auth    string
		tls     bool
	}{
		"no TLS":                 {[]string{"plain"}, "smtp://localhost:{port}", "", false},
		"STARTTLS is taken":      {[]string{"starttls"}, "smtp://localhost:{port}", "", true},
		"STARTTLS is demanded":   {[]string{"starttls"}, "smtp://localhost:{port}?tls=always", "", true},
		"STARTTLS is not wanted": {[]string{"starttls"}, "smtp://localhost:{port}?tls=never", "", false},
		"TLS from the start":     {[]string{"tls"}, "smtps://localhost:{port}", "", true},
		"PLAIN in STARTTLS":      {[]string{"starttls", "auth=PLAIN", "require"}, "smtp://switchboard:hush%3Ahush%40@localhost:{port}", "PLAIN", true},
		"LOGIN in STARTTLS":      {[]string{"starttls", "auth=LOGIN", "require"}, "smtp://switchboard:hush%3Ahush%40@localhost:{port}", "LOGIN", true},
		"CRAM-MD5 in STARTTLS":   {[]string{"starttls", "auth=CRAM-MD5", "require"}, "smtp://switchboard:hush%3Ahush%40@localhost:{port}", "CRAM-MD5", true},
		"PLAIN in TLS":           {[]string{"tls", "auth=PLAIN", "require", "loose"}, "smtps://switchboard:hush%3Ahush%40@localhost:{port}", "PLAIN", true},
		"LOGIN is asked for":     {[]string{"starttls", "require"}, "smtp://switchboard:hush%3Ahush%40@localhost:{port}?auth=login", "LOGIN", true},
		"CRAM-MD5 needs no TLS":  {[]string{"plain", "auth=CRAM-MD5", "require"}, "smtp://switchboard:hush%3Ahush%40@localhost:{port}", "CRAM-MD5", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, c.mode[0], c.mode[1:]...)
			if err := p.open(t, c.address).Send(t.Context(), envelope("user")); err != nil {
				t.Fatal(err)
			}
			if c.auth != "" {
				if h := p.hear(t); h.Auth != c.auth || !h.Good || h.TLS != c.tls {
					t.Errorf("%+v", h)
				}
			}
			h := p.hear(t)
			if h.TLS != c.tls || h.Sender != "post@switchboard.test" || len(h.To) != 1 || h.To[0] != "user@domain.test" {
				t.Errorf("%+v", h)
			}
			wantLetter(t, h.Letter, "user")
		})
	}
}

func TestWhatAServerRefuses(t *testing.T) {
	p := startPeer(t, "starttls")
	plain, locked := startPeer(t, "plain", "auth=PLAIN"), startPeer(t, "starttls", "auth=PLAIN", "require")
	stranger := open(t, Options{Server: "smtp://localhost:" + p.port, From: "stranger@switchboard.test", Roots: p.roots})
	for name, c := range map[string]struct {
		sender mail.Sender
		to     string
		want   mail.Problem
	}{
		"no such user":                 {p.open(t, "smtp://localhost:{port}"), "unknown", mail.Refused},
		"no such letter":               {p.open(t, "smtp://localhost:{port}"), "spam", mail.Refused},
		"a full mailbox":               {p.open(t, "smtp://localhost:{port}"), "full", mail.Later},
		"greylisting":                  {p.open(t, "smtp://localhost:{port}"), "later", mail.Later},
		"closing down":                 {p.open(t, "smtp://localhost:{port}"), "closing", mail.Away},
		"a login is wanted of late":    {p.open(t, "smtp://localhost:{port}"), "locked", mail.Login},
		"our own address":              {stranger, "user", mail.Login},
		"a login is wanted":            {locked.open(t, "smtp://localhost:{port}"), "user", mail.Login},
		"a wrong password":             {locked.open(t, "smtp://switchboard:wrong@localhost:{port}"), "user", mail.Login},
		"no mechanism in common":       {locked.open(t, "smtp://switchboard:wrong@localhost:{port}?auth=scram-sha-256"), "user", mail.Login},
		"STARTTLS is not offered":      {plain.open(t, "smtp://localhost:{port}?tls=always"), "user", mail.Insecure},
		"a certificate of nobody":      {open(t, Options{Server: "smtp://localhost:" + p.port, From: "a@b.test"}), "user", mail.Insecure},
		"a certificate for another":    {p.open(t, "smtp://127.0.0.1:{port}"), "user", mail.Insecure},
		"no TLS where it should begin": {plain.open(t, "smtps://localhost:{port}"), "user", mail.Insecure},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.sender.Send(t.Context(), envelope(c.to))
			f, ok := errors.AsType[*mail.Failure](err)
			if !ok || f.Problem != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), c.to+"@domain.test") || strings.Contains(err.Error(), "wrong") {
				t.Errorf("the error holds the address or a password: %v", err)
			}
		})
	}
}

// A password never goes over a line that others can read.
func TestAPasswordIsNotShown(t *testing.T) {
	shown := make(chan string, 10)
	address := listen(t, func(conn net.Conn) {
		defer conn.Close()
		if _, err := io.WriteString(conn, "220 x\r\n"); err != nil {
			return
		}
		b := make([]byte, 1000)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			shown <- string(b[:n])
			answer := "250 OK\r\n"
			if strings.HasPrefix(string(b[:n]), "EHLO") {
				answer = "250-x\r\n250 AUTH PLAIN LOGIN\r\n"
			}
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	})
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	// 127.0.0.2 is this machine too, but no name that the library takes for it.
	l, err := net.Listen("tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		to, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		defer to.Close()
		go io.Copy(to, conn)
		io.Copy(conn, to)
	}()
	err = open(t, Options{Server: "smtp://switchboard:hush@127.0.0.2:" + port, From: "a@b.test"}).Send(t.Context(), envelope("user"))
	if f, ok := errors.AsType[*mail.Failure](err); !ok || f.Problem != mail.Login {
		t.Errorf("%v", err)
	}
	for len(shown) > 0 {
		if line := <-shown; strings.HasPrefix(line, "AUTH") {
			t.Errorf("it was shown: %s", line)
		}
	}
}

// What the server took is taken, also where the line is cut right after.
func TestALetterThatWasTakenIsSent(t *testing.T) {
	address := listen(t, func(conn net.Conn) {
		defer conn.Close()
		b := make([]byte, 4096)
		for _, answer := range []string{"220 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n", "354 go on\r\n"} {
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
			if _, err := conn.Read(b); err != nil {
				return
			}
		}
		if _, err := io.WriteString(conn, "250 taken\r\n"); err != nil {
			t.Error(err)
		}
	})
	if err := open(t, Options{Server: "smtp://" + address, From: "a@b.test"}).Send(t.Context(), envelope("user")); err != nil {
		t.Error(err)
	}
}

func TestServersThatAreAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	silent := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	for name, address := range map[string]string{
		"nobody listens": closed,
		"it is silent":   silent,
		"it hangs up":    listen(t, func(conn net.Conn) { conn.Close() }),
		"nonsense": listen(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, strings.Repeat("HTTP/1.1 400 Bad Request\r\n", 100))
			conn.Close()
		}),
		"greets with no": listen(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "554 no service here\r\n"); conn.Close() }),
		"too busy":       listen(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "421 too busy\r\n"); conn.Close() }),
	} {
		for _, scheme := range []string{"smtp://", "smtps://"} {
			sender := open(t, Options{Server: scheme + address, From: "a@b.test", Timeout: 100 * time.Millisecond})
			f, ok := errors.AsType[*mail.Failure](sender.Send(t.Context(), envelope("user")))
			if !ok || f.Problem != mail.Away && (scheme == "smtp://" || f.Problem != mail.Insecure) {
				t.Errorf("%s%s: %v", scheme, name, f)
			}
		}
	}
	// Without a time-out of its own a letter ends with its context all the same.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err = open(t, Options{Server: "smtp://" + silent, From: "a@b.test", Timeout: time.Hour}).Send(ctx, envelope("user"))
	if err == nil || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}
