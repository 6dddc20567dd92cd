package mail

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"switchboard/comms/mail"
)

// folder is where letters lie that nobody takes further: a first run works without a mail server, and a test can read what would be sent.
type folder struct {
	writer
	path string
}

// Send writes a file that is there as a whole or not at all, named by when the letter was written. A letter that comes again is the same file.
func (f *folder) Send(_ context.Context, e mail.Envelope) error {
	if err := f.put(e.Written.Time().UTC().Format("20060102T150405.000Z")+"-"+e.ID.String()+".eml", e); err != nil {
		return &mail.Failure{Problem: mail.Unwritten, Err: err}
	}
	return nil
}

func (f *folder) put(name string, e mail.Envelope) error {
	if err := os.MkdirAll(f.path, 0o700); err != nil { // what lies here opens accounts
		return err
	}
	part := filepath.Join(f.path, "."+name+".part")
	if err := f.fill(part, e); err != nil {
		return err
	}
	if err := os.Rename(part, filepath.Join(f.path, name)); err != nil {
		return err
	}
	dir, err := os.Open(f.path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// fill writes a file that only we can read, down to the disk.
func (f *folder) fill(part string, e mail.Envelope) error {
	file, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := f.write(file, e); err != nil {
		return errors.Join(err, file.Close())
	}
	return errors.Join(file.Sync(), file.Close())
}
