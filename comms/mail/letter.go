package mail

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
)

// Letter is one that is to be written.
type Letter struct {
	Account           uuid.UUID
	To, Subject, Text string
}

// Post stores a letter in the change that it tells of; it is sent once that is committed. Its text may hold a secret: it is stored sealed.
func (s *Service) Post(ctx context.Context, c *comms.Change, l Letter) error {
	id := uuid.New()
	err := c.Tx().Mail.Create().SetID(id).SetAccountID(l.Account).SetAddress(l.To).SetSubject(l.Subject).
		SetTextSealed(s.in.Seal(sealedAs(id), []byte(l.Text))).SetCreatedAt(c.Now()).SetNextAt(c.Now()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("store a letter: %w", err)
	}
	return nil
}

// Wake has letters that were posted sent at once; without it they are found within seconds.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

func sealedAs(id uuid.UUID) string { return "mail:" + id.String() }

// Shortened is an address as logs may show it: j...@example.org.
func Shortened(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return "..."
	}
	first := []rune(address[:at])[:1]
	return string(first) + "..." + address[at:]
}
