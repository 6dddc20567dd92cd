package notice

import (
	"bytes"
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/setting"
)

// secretsLock is the lock under which secrets change.
var secretsLock = uuid.NewSHA1(uuid.Nil, []byte("notice secrets"))

func secretName(name string) string { return "notice." + name }

// Secret is something that a way out keeps from one start to the next, and shares with the other processes on the database: the access token
// of the bot, the key that push services know us by. Nil: there is none.
func (s *Service) Secret(ctx context.Context, name string) ([]byte, error) {
	row, err := s.in.Read().Setting.Get(ctx, secretName(name))
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a secret: %w", err)
	}
	return s.in.Open(secretName(name), row.Value)
}

// KeepSecret keeps it in the place of what it was, sealed. Where that is no longer what is kept another process was faster, and what that
// keeps is answered; otherwise what was given.
func (s *Service) KeepSecret(ctx context.Context, name string, was, is []byte) (kept []byte, err error) {
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, secretsLock); err != nil {
			return err
		}
		row, err := c.Tx().Setting.Query().Where(setting.ID(secretName(name))).Only(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return fmt.Errorf("read a secret: %w", err)
		}
		if row != nil {
			if kept, err = s.in.Open(secretName(name), row.Value); err != nil {
				return err
			}
			if !bytes.Equal(kept, was) {
				return nil
			}
			kept = is
			return row.Update().SetValue(s.in.Seal(secretName(name), is)).Exec(ctx)
		}
		kept = is
		return c.Tx().Setting.Create().SetID(secretName(name)).SetValue(s.in.Seal(secretName(name), is)).Exec(ctx)
	})
	return kept, err
}
