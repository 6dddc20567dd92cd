package mail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/comms/mail"
)

func TestAddressesOfServers(t *testing.T) {
	for address, want := range map[string]server{
		"smtp://mail.example":                          {host: "mail.example", port: 587},
		"smtps://mail.example":                         {host: "mail.example", port: 465, direct: true},
		"smtp://[::1]:25/":                             {host: "::1", port: 25},
		"smtp://user%40example.org:p%3A%2F@mail:2525":  {host: "mail", port: 2525, user: "user@example.org", password: "p:/"},
		"smtp://mail.example?tls=always&auth=cram-md5": {host: "mail.example", port: 587},
	} {
		var s server
		if err := s.read(address); err != nil || s.host != want.host || s.port != want.port || s.direct != want.direct || s.user != want.user || s.password != want.password {
			t.Errorf("%s: %+v, %v", address, s, err)
		}
	}
	for _, address := range []string{"mail.example", "http://mail.example", "smtp://", "smtp://mail/path", "smtp://mail:0", "smtp://mail:99999", "smtp://mail?tls=perhaps",
		"smtps://mail?tls=never", "smtp://mail?auth=secret", "smtp://mail?starttls=1", "smtp://user:hush hush@mail"} {
		_, err := Open(Options{Server: address, From: "a@b.test"})
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := Open(Options{Folder: t.TempDir(), From: "nobody"}); err == nil {
		t.Error("letters from nobody")
	}
}

func TestLettersInAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "mail")
	s := open(t, Options{Folder: dir, From: "Switchboard <post@switchboard.test>"})
	for range 2 { // the same letter again is the same file
		if err := s.Send(t.Context(), envelope("user")); err != nil {
			t.Fatal(err)
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 || names[0].Name() != "20261122T021518.006Z-41903e76-7440-4d1e-83db-c18917a048db.eml" {
		t.Fatal(names, err)
	}
	path := filepath.Join(dir, names[0].Name())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantLetter(t, string(b), "user")
	if !strings.Contains(string(b), "\r\n"+link+"\r\n") {
		t.Errorf("the link is broken: %s", b)
	}
	for name, mode := range map[string]os.FileMode{dir: os.ModeDir | 0o700, path: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestTextThatIsNotASCII(t *testing.T) {
	dir := t.TempDir()
	e := envelope("user")
	e.Text = "Grüße " + strings.Repeat("=", 2000)
	if err := open(t, Options{Folder: dir, From: "a@b.test"}).Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(dir + "/*.eml")
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil || !strings.Contains(string(b), "Gr=C3=BC=C3=9Fe") || !strings.Contains(string(b), "quoted-printable") {
		t.Errorf("%v: %s", err, b)
	}
}

func TestAFolderThatCanNotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := open(t, Options{Folder: filepath.Join(file, "mail"), From: "a@b.test"}).Send(t.Context(), envelope("user"))
	f, ok := err.(*mail.Failure)
	if !ok || f.Problem != mail.Unwritten {
		t.Errorf("%v", err)
	}
}
